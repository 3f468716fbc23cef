// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import SSHWire

/// What the entries of a ledger mean.
extension SQLiteLedger {
    /// The issuance that entry number `index` records.
    ///
    /// - Throws: `.logInconsistent` when the entry is not there or records something else.
    public func issuance(at index: UInt64) throws(CertAuthorityError) -> UnsignedCertificate {
        guard let bytes = try entry(at: index),
            case .issuance(let record) = try LogEntry(encoded: bytes.span).event
        else {
            throw CertAuthorityError(
                .logInconsistent, "entry \(index) should record a certificate and does not",
                hint: "check the log with: daypass log verify")
        }
        return record
    }

    /// The issuance of a key ID, and its place in the log; nil when there is none.
    public func issuance(
        keyID: ExactText
    ) throws(CertAuthorityError) -> (certificate: UnsignedCertificate, index: UInt64)? {
        guard let serial = KeyIDParts(keyID)?.serial, let index = try entryIndex(serial: serial) else {
            return nil
        }
        let certificate = try issuance(at: index)
        return certificate.fields.keyID == keyID ? (certificate, index) : nil
    }

    /// Everything that was revoked, in order.
    public func revocationRecords() throws(CertAuthorityError) -> [RevocationRecord] {
        try revocations().compactMap { _, entry in
            if case .revocation(let record) = entry.event { record } else { nil }
        }
    }

    /// The keys that are revoked themselves, for and by which nothing is issued any more.
    public func revokedKeys() throws(CertAuthorityError) -> Set<PublicKey> {
        Set(
            try revocationRecords().compactMap { record in
                if case .key(let key) = record.target { key } else { nil }
            })
    }
}
