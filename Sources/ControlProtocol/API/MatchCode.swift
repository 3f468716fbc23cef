// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What a terminal shows and its owner types in a browser, so that a login that somebody else began can't be approved by
/// who only has its link (docs/formats/match-code.md).
///
/// Both ends make it of the sign-in's secret name and the session's key, so that it is never sent to the client, and a
/// server that was told another key asks for another code.
public enum MatchCode {
    /// How many digits it has. A sign-in is over after a few wrong ones.
    public static let digits = 6
    private static let modulus: UInt64 = 1_000_000

    /// The code of a sign-in, as ``digits`` digits.
    ///
    /// - Parameter id: the sign-in's secret name (``PendingSignIn/id``).
    public static func code(signIn id: String, sessionKey: PublicKey) -> String {
        let digest = Digest.sha256(message(signIn: id, sessionKey: sessionKey))
        // 2^64 is no multiple of 10^6: some codes are likelier by one in 10^13.
        let number = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % modulus
        let text = String(number)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }

    /// What is hashed.
    static func message(signIn id: String, sessionKey: PublicKey) -> [UInt8] {
        Array("daypass match code\nsign-in \(id)\nkey \(sessionKey.text)\n".utf8)
    }

    /// A code in two groups, for people.
    public static func spelled(_ code: String) -> String {
        "\(code.prefix(digits / 2)) \(code.dropFirst(digits / 2))"
    }

    /// The code that somebody typed: its digits, perhaps with spaces and hyphens anywhere.
    ///
    /// - Returns: nil for everything else.
    public static func typed(_ text: String) -> String? {
        guard text.utf8.count <= 64 else { return nil }
        let code = text.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "-") }
        guard code.count == digits, code.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return String(decoding: code, as: UTF8.self)
    }
}
