// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A plain key that a KRL names by its blob.
///
/// It may be of a type, or of a size, that we don't support otherwise (DSA, RSA under 2,048 bits): lists outlive
/// the keys that they revoke.
public struct RevokedKey: Sendable, Hashable, Comparable {
    /// The key as SSH sends it.
    public let encoded: [UInt8]
    /// Its type's name.
    public let typeName: ExactText

    /// A key that we support.
    public init(_ key: PublicKey) {
        encoded = key.encoded
        typeName = ExactText(key.keyType.rawValue)
    }

    /// Checks a blob from a KRL.
    ///
    /// sshd compares these bytes with its own encoding of the client's key and never parses them, so a certificate
    /// or a damaged key would revoke nobody without a word.
    ///
    /// - Throws: `.nestedCertificate` for a certificate; whatever is wrong with a key of a type that we support.
    ///   A type that we don't know is taken as it is.
    public init(encoded: Span<UInt8>) throws(SSHWireError) {
        var reader = WireReader(encoded)
        let name = try reader.readText("revoked key's type", upTo: Limits.nameBytes)
        switch KeyType(rawValue: name.string) {
        case .rsa:
            // The size is not judged: weak keys are what one revokes.
            _ = try reader.readPositiveInteger("RSA exponent", upTo: Limits.rsaModulusBits.upperBound / 8)
            _ = try reader.readPositiveInteger("RSA modulus", upTo: Limits.rsaModulusBits.upperBound / 8)
            try reader.finish("revoked key")
        case .some: _ = try PublicKey(encoded: encoded)
        case nil:
            guard !name.string.contains("-cert-v") else {
                throw SSHWireError(
                    .nestedCertificate,
                    "revoked key: a plain key expected, not a \(name.string.escapedForTerminal)")
            }
            guard !name.isEmpty, reader.remaining > 0 else {
                throw SSHWireError(.invalidKey, "revoked key: no type or no content")
            }
        }
        self.encoded = [UInt8](encoded)
        self.typeName = name
    }

    /// The key, when it is one that we support.
    public var key: PublicKey? { try? PublicKey(encoded: encoded) }

    /// The fingerprint that OpenSSH shows: `SHA256:` and unpadded base64.
    public var fingerprint: String {
        "SHA256:" + Base64.encode(Digest.sha256(encoded).span, padded: false)
    }

    public static func < (one: RevokedKey, other: RevokedKey) -> Bool {
        one.encoded.lexicographicallyPrecedes(other.encoded)
    }
}
