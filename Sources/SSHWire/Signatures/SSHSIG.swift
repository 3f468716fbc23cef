// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A signature over a file or message, as `ssh-keygen -Y sign` makes them (OpenSSH's PROTOCOL.sshsig). Parsed, not
/// verified.
///
/// The signer may be a certificate: ssh-keygen signs so when it is given one. It is parsed as such here; whether it is
/// trusted is for ``AllowedSigners`` to say.
public struct SSHSignature: Sendable, Hashable {
    /// The digests that a message may be hashed with.
    public enum HashAlgorithm: String, Sendable, CaseIterable {
        case sha256
        /// What ssh-keygen uses unless told otherwise.
        case sha512

        /// The digest of a message.
        public func digest(_ message: Span<UInt8>) -> [UInt8] {
            switch self {
            case .sha256: Digest.sha256(message)
            case .sha512: Digest.sha512([UInt8](message))
            }
        }

        var digestBytes: Int { self == .sha256 ? 32 : 64 }
    }

    /// The key that the signature claims to be by, or a certificate on it.
    public let signer: KeyOrCertificate
    /// What the signature is for ("file", "git", "name@example.com"); never empty.
    public let namespace: ExactText
    /// How the message was hashed.
    public let hashAlgorithm: HashAlgorithm
    /// The signature itself.
    public let signature: Signature

    private static let magic = Array("SSHSIG".utf8)
    private static let version: UInt32 = 1

    private init(
        signer: KeyOrCertificate, namespace: ExactText, hashAlgorithm: HashAlgorithm, signature: Signature
    ) throws(SSHWireError) {
        try Self.checkNamespace(namespace)
        // A FIDO or RSA key signs with algorithms of its own only; SHA-1 (ssh-rsa) is no algorithm here at all.
        guard signature.algorithm.keyType == signer.subject.keyType else {
            throw SSHWireError(
                .typeMismatch,
                "SSHSIG: signed with \(signature.algorithm.rawValue), but the key is "
                    + signer.subject.keyType.rawValue)
        }
        self.signer = signer
        self.namespace = namespace
        self.hashAlgorithm = hashAlgorithm
        self.signature = signature
    }

    /// Signs the digest of a message.
    ///
    /// - Parameters:
    ///   - digest: what `hashAlgorithm` makes of the message; large files are hashed piece by piece elsewhere.
    ///   - signer: the key, or a certificate on it, that goes into the signature.
    ///   - sign: signs bytes with the key that `signer` is about; for RSA with the algorithm that it is given.
    /// - Throws: `.invalidSignature` when what `sign` returns isn't the key's signature.
    public static func sign(
        digest: [UInt8], _ hashAlgorithm: HashAlgorithm = .sha512, namespace: ExactText,
        signer: KeyOrCertificate,
        using sign: (Span<UInt8>, SignatureAlgorithm) throws(SSHWireError) -> Signature
    ) throws(SSHWireError) -> SSHSignature {
        try checkNamespace(namespace)
        let key = signer.subject
        let message = try signedData(digest: digest, hashAlgorithm, namespace)
        // With SHA-256 OpenSSH since 9.8 signs with rsa-sha2-256 (`sshsig_wrap_sign`); any reader takes either.
        let algorithm =
            key.keyType == .rsa && hashAlgorithm == .sha256
            ? .rsaSHA256 : key.keyType.defaultSignatureAlgorithm
        let signature = try sign(message.span, algorithm)
        // A wrong signature would only be found by whoever is to believe it.
        try key.verify(signature, over: message.span, presence: .notRequired)
        return try SSHSignature(
            signer: signer, namespace: namespace, hashAlgorithm: hashAlgorithm, signature: signature)
    }

    /// Signs a message.
    public static func sign(
        _ message: [UInt8], _ hashAlgorithm: HashAlgorithm = .sha512, namespace: ExactText,
        signer: KeyOrCertificate,
        using sign: (Span<UInt8>, SignatureAlgorithm) throws(SSHWireError) -> Signature
    ) throws(SSHWireError) -> SSHSignature {
        try Self.sign(
            digest: hashAlgorithm.digest(message.span), hashAlgorithm, namespace: namespace, signer: signer,
            using: sign)
    }

    /// Checks that the signer's key signed this digest for `namespace`. Says nothing about whether the signer may.
    ///
    /// - Throws: `.invalidSignature` for another namespace, a digest of another length, or a signature that isn't the
    ///   key's or lacks the presence that is asked for.
    public func verify(
        digest: [UInt8], namespace: ExactText, presence: UserPresence = .touch
    ) throws(SSHWireError) {
        guard namespace == self.namespace else {
            throw SSHWireError(
                .invalidSignature,
                "SSHSIG: made for the namespace \"\(self.namespace.string.escapedForTerminal)\", "
                    + "\"\(namespace.string.escapedForTerminal)\" is needed")
        }
        let message = try Self.signedData(digest: digest, hashAlgorithm, namespace)
        try signer.subject.verify(signature, over: message.span, presence: presence)
    }

    /// Checks that the signer's key signed this message for `namespace`.
    public func verify(
        _ message: [UInt8], namespace: ExactText, presence: UserPresence = .touch
    ) throws(SSHWireError) {
        try verify(
            digest: hashAlgorithm.digest(message.span), namespace: namespace, presence: presence)
    }

    /// What is really signed (PROTOCOL.sshsig, section 3).
    private static func signedData(
        digest: [UInt8], _ hashAlgorithm: HashAlgorithm, _ namespace: ExactText
    ) throws(SSHWireError) -> [UInt8] {
        guard digest.count == hashAlgorithm.digestBytes else {
            throw SSHWireError(
                .invalidSignature,
                "SSHSIG: a digest of \(digest.count) bytes, \(hashAlgorithm.rawValue) makes "
                    + "\(hashAlgorithm.digestBytes)")
        }
        var writer = WireWriter(reserving: 128 + namespace.string.utf8.count)
        writer.writeRaw(magic)
        writer.writeString(namespace)
        writer.writeString([])
        writer.writeString(hashAlgorithm.rawValue)
        writer.writeString(digest)
        return writer.bytes
    }

    private static func checkNamespace(_ namespace: ExactText) throws(SSHWireError) {
        guard !namespace.isEmpty else { throw SSHWireError(.invalidValue, "SSHSIG namespace: empty") }
        guard namespace.string.utf8.count <= Limits.namespaceBytes else {
            throw SSHWireError(
                .tooLong, "SSHSIG namespace: at most \(Limits.namespaceBytes) bytes are allowed")
        }
        guard !namespace.bytes.contains(where: { $0.isControl || $0 == 0x09 }) else {
            throw SSHWireError(.notText, "SSHSIG namespace: a control character")
        }
    }
}

extension SSHSignature {
    /// Parses a signature without its armour to its last byte (PROTOCOL.sshsig, section 2).
    ///
    /// - Throws: `.notCanonical` when the reserved field isn't empty: the specification lets readers ignore it, and
    ///   OpenSSH verifies as if it were empty, so its content could be changed by anybody. `.unsupportedType` for any
    ///   version but 1 and any digest but the two.
    public init(encoded: Span<UInt8>) throws(SSHWireError) {
        guard encoded.count <= Limits.sshSignatureBytes else {
            throw SSHWireError(
                .tooLong,
                "SSHSIG: \(encoded.count) bytes, at most \(Limits.sshSignatureBytes) are allowed")
        }
        var reader = WireReader(encoded)
        let magic = try reader.readRaw("SSHSIG", count: Self.magic.count)
        guard [UInt8](magic) == Self.magic else {
            throw SSHWireError(.unsupportedType, "SSHSIG: it does not begin with SSHSIG")
        }
        let version = try reader.readUInt32("SSHSIG version")
        guard version == Self.version else {
            throw SSHWireError(.unsupportedType, "SSHSIG: version \(version), 1 expected")
        }
        let signer = try KeyOrCertificate(
            encoded: try reader.readString("SSHSIG key", upTo: Limits.keyBlobBytes))
        let namespace = try reader.readText("SSHSIG namespace", upTo: Limits.namespaceBytes)
        let reserved = try reader.readString("SSHSIG reserved", upTo: Limits.sshSignatureBytes)
        guard reserved.isEmpty else {
            throw SSHWireError(.notCanonical, "SSHSIG: \(reserved.count) reserved bytes, none expected")
        }
        let name = try reader.readText("SSHSIG hash algorithm", upTo: Limits.nameBytes)
        guard let hashAlgorithm = HashAlgorithm(rawValue: name.string) else {
            throw SSHWireError(
                .unsupportedType,
                "SSHSIG: hash algorithm \"\(name.string.escapedForTerminal)\", sha256 or sha512 expected")
        }
        let signature = try Signature(
            encoded: try reader.readString("SSHSIG signature", upTo: Limits.signatureBytes + 256))
        try reader.finish("SSHSIG")
        try self.init(
            signer: signer, namespace: namespace, hashAlgorithm: hashAlgorithm, signature: signature)
    }

    /// Parses a signature without its armour.
    public init(encoded: [UInt8]) throws(SSHWireError) { try self.init(encoded: encoded.span) }

    /// The signature without its armour.
    public var encoded: [UInt8] {
        var writer = WireWriter(reserving: 512)
        writer.writeRaw(Self.magic)
        writer.write(Self.version)
        writer.writeString(signer.encoded)
        writer.writeString(namespace)
        writer.writeString([])
        writer.writeString(hashAlgorithm.rawValue)
        writer.writeNested { signature.write(to: &$0) }
        return writer.bytes
    }
}
