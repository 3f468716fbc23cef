// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A plain key or a certificate: what SSH sends where either may stand.
public enum KeyOrCertificate: Sendable, Hashable {
    case key(PublicKey)
    /// Parsed, not judged: nothing says yet that anybody trusts it.
    case certificate(Certificate)

    /// Parses a blob to its last byte, as what its first field says that it is.
    public init(encoded: Span<UInt8>) throws(SSHWireError) {
        var reader = WireReader(encoded)
        let name = try reader.readText("key type", upTo: Limits.nameBytes)
        if name.string.utf8.isCertificateName {
            self = .certificate(try Certificate(encoded: encoded))
        } else {
            self = .key(try PublicKey(encoded: encoded))
        }
    }

    /// Parses a blob to its last byte.
    public init(encoded: [UInt8]) throws(SSHWireError) { try self.init(encoded: encoded.span) }

    /// The bytes as SSH sends them.
    public var encoded: [UInt8] {
        switch self {
        case .key(let key): key.encoded
        case .certificate(let certificate): certificate.encoded
        }
    }

    /// The type's name ("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com").
    public var typeName: String {
        switch self {
        case .key(let key): key.keyType.rawValue
        case .certificate(let certificate): certificate.typeName
        }
    }

    /// The key itself or the one that the certificate is about: the key that makes signatures.
    public var subject: PublicKey {
        switch self {
        case .key(let key): key
        case .certificate(let certificate): certificate.fields.key
        }
    }

    /// The plain key, for places where a certificate is a mistake or an attack.
    ///
    /// - Throws: `.nestedCertificate`.
    public func plainKey(_ field: StaticString) throws(SSHWireError) -> PublicKey {
        switch self {
        case .key(let key): return key
        case .certificate:
            throw SSHWireError(.nestedCertificate, "\(field): a plain key expected, this is a certificate")
        }
    }
}

extension Collection<UInt8> {
    /// True for names that say "certificate", of whatever version: they are never tried as plain keys.
    var isCertificateName: Bool {
        indices.contains { self[$0] == UInt8(ascii: "-") && self[$0...].starts(with: "-cert-v".utf8) }
    }
}

extension LineScanner {
    /// Reads a type's name and the base64 of a blob of that very type, and moves over the blanks behind.
    mutating func readKey() throws(SSHWireError) -> KeyOrCertificate {
        let name = readWord()
        if ExactText(part: name) == "ssh-dss" { _ = try KeyType(wireName: "ssh-dss") }
        guard ExactText(part: name).isKeyOrCertificateName else {
            throw SSHWireError(
                .unsupportedType, "key type: \(describe(name)) is not a key type that is supported")
        }
        let base64 = readWord()
        guard !base64.isEmpty else {
            throw SSHWireError(.truncated, "key: nothing follows the type \(ExactText(part: name))")
        }
        let blob = try Base64.decode("key", String(decoding: base64, as: UTF8.self))
        var reader = WireReader(blob.span)
        let inner = try reader.readText("key type", upTo: Limits.nameBytes)
        guard inner.string.utf8.elementsEqual(name) else {
            throw SSHWireError(
                .typeMismatch,
                "key type: the line says \(ExactText(part: name)), the key says \(describe(inner.bytes[...]))"
            )
        }
        return try KeyOrCertificate(encoded: blob)
    }

    /// Reads the rest of the line as a comment.
    mutating func readComment() -> ExactText { ExactText(part: readRest()) }

    /// True when the word at the cursor names a key or certificate type, or stands before what can only be a blob: all
    /// of them begin with the three zero bytes of a short name's length.
    var isAtKeyType: Bool {
        var copy = self
        return ExactText(part: copy.readWord()).isKeyOrCertificateName
            || copy.readWord().starts(with: "AAAA".utf8)
    }
}

extension ExactText {
    fileprivate var isKeyOrCertificateName: Bool {
        KeyType(rawValue: string) != nil || KeyType(certificateName: string) != nil
    }
}

/// Refuses a comment that would not come back as it is, or would be more than one line.
func checkComment(_ comment: ExactText) throws(SSHWireError) {
    let bytes = comment.bytes
    try refuseControls(bytes, "comment")
    guard bytes.first?.isBlank != true, bytes.last?.isBlank != true else {
        throw SSHWireError(.invalidValue, "comment: begins or ends with a blank")
    }
    guard bytes.count <= Limits.commentBytes else {
        throw SSHWireError(
            .tooLong, "comment: \(bytes.count) bytes, at most \(Limits.commentBytes) are allowed")
    }
}
