// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Whom a certificate vouches for.
public enum CertificateKind: UInt32, Sendable, CaseIterable {
    /// A person or program that logs in.
    case user = 1
    /// A host that is logged in to.
    case host = 2

    /// "user" or "host".
    public var name: String { self == .user ? "user" : "host" }
}

/// Everything that a CA signs in a certificate (draft-ietf-sshm-cert-01, section 2.1).
public struct CertificateFields: Sendable, Hashable {
    /// Random bytes that make the signed bytes unpredictable; 16 to 64 are usual.
    public var nonce: [UInt8]
    /// The key that is vouched for.
    public var key: PublicKey
    /// The CA's number for it; 0 can't be revoked by serial.
    public var serial: UInt64
    /// User or host.
    public var kind: CertificateKind
    /// Free text that sshd logs.
    public var keyID: ExactText
    /// The names that it is good for; none is good for nobody.
    public var principals: [ExactText]
    /// The first second in which it is valid.
    public var validAfter: UnixTime
    /// The first second in which it isn't any more; ``UnixTime/forever`` for no end.
    public var validBefore: UnixTime
    /// Options that whoever does not know them must refuse the certificate for; in byte order.
    public var criticalOptions: [CertificateOption]
    /// Options that may be ignored; in byte order.
    public var extensions: [CertificateOption]
    /// Unused as yet; kept as it came.
    public var reserved: [UInt8]
    /// The CA's key.
    public var signatureKey: PublicKey

    /// Puts options into their order; checks nothing (an issuer's rules are the issuer's, a judge's the judge's).
    public init(
        nonce: [UInt8], key: PublicKey, serial: UInt64, kind: CertificateKind, keyID: ExactText,
        principals: [ExactText], validAfter: UnixTime, validBefore: UnixTime,
        criticalOptions: [CertificateOption] = [], extensions: [CertificateOption] = [],
        reserved: [UInt8] = [],
        signatureKey: PublicKey
    ) {
        self.nonce = nonce
        self.key = key
        self.serial = serial
        self.kind = kind
        self.keyID = keyID
        self.principals = principals
        self.validAfter = validAfter
        self.validBefore = validBefore
        // Most certificates have one option or none, and sorting takes a copy.
        self.criticalOptions =
            criticalOptions.count < 2 ? criticalOptions : criticalOptions.sorted { $0.name < $1.name }
        self.extensions = extensions.count < 2 ? extensions : extensions.sorted { $0.name < $1.name }
        self.reserved = reserved
        self.signatureKey = signatureKey
    }

    /// The bytes that the CA signs: the certificate up to its signature.
    public var toBeSigned: [UInt8] {
        // About what most need: a log keeps these bytes in memory until they are on disk.
        var writer = WireWriter(
            reserving: key.encoded.count + signatureKey.encoded.count + nonce.count + 256)
        writer.writeString(key.keyType.certificateName)
        writer.writeString(nonce)
        key.material.writeFields(to: &writer)
        writer.write(serial)
        writer.write(kind.rawValue)
        writer.writeString(keyID)
        writer.writeNested { [principals] writer in
            for principal in principals { writer.writeString(principal) }
        }
        writer.write(validAfter.seconds)
        writer.write(validBefore.seconds)
        writer.writeOptions(criticalOptions)
        writer.writeOptions(extensions)
        writer.writeString(reserved)
        writer.writeString(signatureKey.encoded)
        return writer.bytes
    }

    /// Parses what a CA signs, to its last byte.
    public init(toBeSigned: Span<UInt8>) throws(SSHWireError) {
        var reader = WireReader(toBeSigned)
        try self.init(from: &reader)
        try reader.finish("to be signed")
    }

    /// Reads the fields up to and with the signature key.
    init(from reader: inout WireReader) throws(SSHWireError) {
        let name = try reader.readText("certificate type", upTo: Limits.nameBytes)
        guard let keyType = KeyType(certificateName: name.string) else {
            throw SSHWireError(
                .unsupportedType,
                KeyType(rawValue: name.string) == nil
                    ? "certificate type \"\(name.string.escapedForTerminal)\" is not supported"
                    : "certificate type \(name.string): a plain key, a certificate expected")
        }
        nonce = try reader.readBytes("nonce", upTo: Limits.nonceBytes)
        key = try PublicKey(try PublicKey.Material(keyType, fieldsFrom: &reader))
        serial = try reader.readUInt64("serial")
        let number = try reader.readUInt32("certificate kind")
        guard let kind = CertificateKind(rawValue: number) else {
            throw SSHWireError(.invalidValue, "certificate kind: \(number), 1 (user) or 2 (host) expected")
        }
        self.kind = kind
        keyID = try reader.readText("key ID", upTo: Limits.keyIDBytes)
        principals = try Self.readPrincipals(from: &reader)
        validAfter = UnixTime(seconds: try reader.readUInt64("valid after"))
        validBefore = UnixTime(seconds: try reader.readUInt64("valid before"))
        criticalOptions = try reader.readOptions("critical options")
        extensions = try reader.readOptions("extensions")
        reserved = try reader.readBytes("reserved", upTo: Limits.optionsBytes)
        // A certificate here is refused by its name, before anything inside it is read: nesting would otherwise cost
        // a stack frame a level, and a nested CA is how certificates were forged elsewhere.
        signatureKey = try PublicKey(
            encoded: try reader.readString("signature key", upTo: Limits.keyBlobBytes))
    }

    private static func readPrincipals(from reader: inout WireReader) throws(SSHWireError) -> [ExactText] {
        let maximum = Limits.principals * (Limits.principalBytes + 4)
        return try reader.readNested("principals", upTo: maximum) { inner throws(SSHWireError) in
            var principals: [ExactText] = []
            while !inner.isAtEnd {
                guard principals.count < Limits.principals else {
                    throw SSHWireError(.tooLong, "principals: over \(Limits.principals)")
                }
                let principal = try inner.readText("principal", upTo: Limits.principalBytes)
                guard !principal.isEmpty else {
                    throw SSHWireError(
                        .invalidValue, "principals: an empty one at position \(principals.count + 1)")
                }
                principals.append(principal)
            }
            return principals
        }
    }
}
