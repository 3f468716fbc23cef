// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A certificate up to its signature: its fields, and the very bytes that a CA signs.
///
/// A class: it is handed from the record to the signer to the certificate, and a reference costs one count where the
/// fields would cost a dozen.
public final class UnsignedCertificate: Sendable {
    /// What the certificate says.
    public let fields: CertificateFields
    /// What the CA signs.
    public let toBeSigned: [UInt8]

    /// Encodes fields that a parser would accept.
    ///
    /// - Throws: what parsing would: a limit that is exceeded, options that are out of order or repeated.
    public convenience init(_ fields: CertificateFields) throws(SSHWireError) {
        try fields.checkForm()
        // Before the fields are handed on: they are then moved, not copied.
        let toBeSigned = fields.toBeSigned
        self.init(uncheckedFields: fields, toBeSigned: toBeSigned)
    }

    /// Parses what a CA signs, to its last byte.
    public convenience init(toBeSigned: [UInt8]) throws(SSHWireError) {
        self.init(
            uncheckedFields: try CertificateFields(toBeSigned: toBeSigned.span), toBeSigned: toBeSigned)
    }

    /// Joins fields and bytes that are supposed to say the same.
    public init(uncheckedFields fields: CertificateFields, toBeSigned: [UInt8]) {
        self.fields = fields
        self.toBeSigned = toBeSigned
    }
}

extension UnsignedCertificate: Hashable {
    public static func == (one: UnsignedCertificate, other: UnsignedCertificate) -> Bool {
        one.toBeSigned == other.toBeSigned
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(toBeSigned) }
}
