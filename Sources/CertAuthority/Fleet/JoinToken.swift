// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Lets one host join, once.
///
/// Only the digest of its secret is kept: 32 random bytes need no slow hash.
public struct JoinToken: Sendable, Hashable {
    /// Its public name: 16 hexadecimal digits.
    public let id: String
    /// SHA-256 of the secret.
    public let secretDigest: [UInt8]
    /// Which hosts may join by it: a name, in which `*` stands for any characters and `?` for one.
    public var hostPattern: String { hosts.text }
    private let hosts: Glob
    /// What the host is labelled with. A host can't label itself: labels open doors.
    public let labels: [String: String]
    public let expires: UnixTime
    /// Who made it.
    public let creator: Identity

    /// How long a token is good for when nobody says, and at most, in seconds.
    public static let defaultLifetime: UInt64 = 3_600
    public static let maximumLifetime: UInt64 = 30 * 86_400
    /// The most tokens that are out at a time.
    public static let maximumCount = 10_000
    private static let prefix = "daypass-join"
    private static let idDigits = 16
    private static let secretDigits = 64

    /// - Throws: `.invalidRequest` naming the field.
    public init(
        id: String, secretDigest: [UInt8], hostPattern: String, labels: [String: String], expires: UnixTime,
        creator: Identity
    ) throws(CertAuthorityError) {
        hosts = try Glob(hostPattern)
        // Labels that no host may have are refused here already.
        _ = try ManagedHost(id: "any", labels: labels)
        self.id = id
        self.secretDigest = secretDigest
        self.labels = labels
        self.expires = expires
        self.creator = creator
    }

    /// The token as it is handed out, once.
    static func text(id: String, secret: [UInt8]) -> String { "\(prefix)_\(id)_\(hexadecimal(secret))" }

    /// Takes a token's text apart.
    ///
    /// - Returns: nil for what was never given out.
    static func parse(_ text: String) -> (id: String, secretDigest: [UInt8])? {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard text.utf8.count <= 128, parts.count == 3, parts[0] == prefix, parts[1].utf8.count == idDigits,
            parts[2].utf8.count == secretDigits
        else { return nil }
        guard let secret = bytes(hexadecimal: parts[2]) else { return nil }
        return (String(parts[1]), Digest.sha256(secret))
    }

    /// Whether a secret of this digest is its own, compared in constant time.
    func isOpened(bySecretOfDigest digest: [UInt8]) -> Bool {
        areEqualInConstantTime(secretDigest, digest)
    }

    /// Whether a host of this name may join by it.
    func admits(_ name: String) -> Bool { hosts.matches(Array(name.utf8)) }
}
