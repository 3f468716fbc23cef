// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A certificate as it came: parsed, its signature not verified, trusted by nobody.
///
/// It keeps the very bytes that it was parsed from. ``verifySignature()`` reads those and never an encoding of the
/// fields, so parser and writer need not agree for verification to be right. ``CertificateJudge`` decides whether
/// it is good for something.
public struct Certificate: Sendable {
    private let unsigned: UnsignedCertificate
    /// The CA's signature.
    public let signature: Signature
    /// The whole certificate as SSH sends it.
    public let encoded: [UInt8]

    /// What the CA signed, taken apart.
    public var fields: CertificateFields { unsigned.fields }

    /// The bytes that the signature is over.
    public var signedBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { encoded.span.extracting(0..<unsigned.toBeSigned.count) }
    }

    /// Parses a certificate to its last byte (draft-ietf-sshm-cert-01, section 2.1).
    public init(encoded: Span<UInt8>) throws(SSHWireError) {
        guard encoded.count <= Limits.keyBlobBytes else {
            throw SSHWireError(
                .tooLong, "certificate: \(encoded.count) bytes, at most \(Limits.keyBlobBytes) are allowed")
        }
        var reader = WireReader(encoded)
        let fields = try CertificateFields(from: &reader)
        let signed = [UInt8](encoded.extracting(0..<reader.offset))
        signature = try Signature(
            encoded: try reader.readString("signature", upTo: Limits.signatureBytes))
        try reader.finish("certificate")
        guard signature.algorithm.keyType == fields.signatureKey.keyType else {
            throw SSHWireError(
                .typeMismatch,
                "signature: made by \(signature.algorithm.rawValue), but the signature key is "
                    + fields.signatureKey.keyType.rawValue)
        }
        unsigned = UnsignedCertificate(uncheckedFields: fields, toBeSigned: signed)
        self.encoded = [UInt8](encoded)
    }

    /// Parses a certificate to its last byte.
    public init(encoded: [UInt8]) throws(SSHWireError) { try self.init(encoded: encoded.span) }

    /// Joins what was signed and its signature, and parses the result.
    ///
    /// - Parameter toBeSigned: what ``CertificateFields/toBeSigned`` gave.
    public init(toBeSigned: [UInt8], signature: Signature) throws(SSHWireError) {
        var writer = WireWriter(reserving: toBeSigned.count + signature.blob.count + 64)
        writer.writeRaw(toBeSigned)
        writer.writeNested { signature.write(to: &$0) }
        try self.init(encoded: writer.bytes)
    }

    /// Joins what was to be signed and its signature to a certificate, which must say field by field what was expected.
    ///
    /// Reads the result as a parser would, but compares instead of taking copies: an issuer does this for each
    /// certificate before it leaves.
    ///
    /// - Throws: `.typeMismatch`, naming the first field that differs.
    public init(expecting unsigned: UnsignedCertificate, signature: Signature) throws(SSHWireError) {
        let toBeSigned = unsigned.toBeSigned
        var writer = WireWriter(reserving: toBeSigned.count + signature.blob.count + 64)
        writer.writeRaw(toBeSigned)
        writer.writeNested { signature.write(to: &$0) }
        guard writer.bytes.count <= Limits.keyBlobBytes else {
            throw SSHWireError(
                .tooLong,
                "certificate: \(writer.bytes.count) bytes, at most \(Limits.keyBlobBytes) are allowed")
        }
        var reader = WireReader(writer.bytes.span)
        if let difference = try unsigned.firstDifference(readFrom: &reader) {
            throw SSHWireError(.typeMismatch, "its \(difference) is not what was expected")
        }
        guard reader.offset == toBeSigned.count else {
            throw SSHWireError(
                .trailingBytes, "\(toBeSigned.count) bytes were signed, \(reader.offset) expected")
        }
        guard signature.algorithm.keyType == unsigned.fields.signatureKey.keyType else {
            throw SSHWireError(.typeMismatch, "its signature algorithm is not its signature key's")
        }
        self.unsigned = unsigned
        self.signature = signature
        encoded = writer.bytes
    }

    /// Checks that the signature key signed these bytes. Says nothing about whether that key may.
    public func verifySignature() throws(SSHWireError) {
        try fields.signatureKey.verify(signature, over: signedBytes, presence: .notRequired)
    }

    /// The type's name, "…-cert-v01@openssh.com".
    public var typeName: String { fields.key.keyType.certificateName }

    /// SHA-256 of the whole certificate.
    public var sha256: [UInt8] { Digest.sha256(encoded) }
}

extension Certificate: Hashable {
    public static func == (one: Certificate, other: Certificate) -> Bool { one.encoded == other.encoded }

    public func hash(into hasher: inout Hasher) { hasher.combine(encoded) }
}
