// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What the holder of an API key shows: `daypass_`, the key's id, `_` and its secret.
///
/// The form has a word of its own and no variants, so that scanners for leaked secrets find it.
public struct APIKeyToken: Sendable, CustomStringConvertible {
    /// The key's public name.
    public let id: String
    /// All of it: a secret.
    public let text: String
    /// SHA-256 of the secret, 32 bytes.
    public let secretDigest: [UInt8]

    private static let prefix = "daypass_"
    private static let idBytes = 8
    private static let secretBytes = 32
    /// Of the secret, in base64url.
    private static let secretCharacters = 43

    /// A new one.
    init(randomBytes: (Int) -> [UInt8]) {
        let id = hexadecimal(randomBytes(Self.idBytes))
        let secret = Base64.encode(randomBytes(Self.secretBytes), padded: false)
            .replacing("+", with: "-").replacing("/", with: "_")
        self.init(id: id, secret: secret)
    }

    /// Takes one apart; nil for what has not its form.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let head = Array(Self.prefix.utf8)
        let idEnd = head.count + 2 * Self.idBytes
        guard bytes.count == idEnd + 1 + Self.secretCharacters, bytes.starts(with: head),
            bytes[idEnd] == UInt8(ascii: "_")
        else { return nil }
        let id = String(decoding: bytes[head.count..<idEnd], as: UTF8.self)
        let secret = bytes[(idEnd + 1)...]
        guard Self.isID(id), secret.allSatisfy(Self.isBase64URL) else { return nil }
        self.init(id: id, secret: String(decoding: secret, as: UTF8.self))
    }

    private init(id: String, secret: String) {
        self.id = id
        text = "\(Self.prefix)\(id)_\(secret)"
        // One round of a fast hash is enough: a slow one makes guessing dear, and 256 random bits are not guessed.
        secretDigest = Digest.sha256(Array(secret.utf8))
    }

    /// Whether the secret is the one with this digest, in a time that doesn't tell where they differ.
    func isSecret(of digest: [UInt8]) -> Bool {
        areEqualInConstantTime(secretDigest, digest)
    }

    static func isID(_ text: String) -> Bool {
        text.utf8.count == 2 * idBytes
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    /// Without the secret: what is printed by mistake gives nothing away.
    public var description: String { "API key \(id)" }
}
