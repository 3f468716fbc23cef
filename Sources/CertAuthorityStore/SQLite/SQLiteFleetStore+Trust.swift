// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
public import SSHWire

extension SQLiteFleetStore {
    public func trust() async throws(CertAuthorityError) -> FleetTrustRecord? {
        let found = try await database.read { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT entries.position, entries.entry FROM fleet_trust
                    JOIN entries ON entries.position = fleet_trust.entry
                    ORDER BY fleet_trust.entry DESC LIMIT 1
                    """
            ).map { row in
                (
                    index: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "position")),
                    entry: Array(try row.decode(Data.self, forColumn: "entry"))
                )
            }
        }
        guard let found else { return nil }
        guard case .fleetTrust(let record) = try LogEntry(encoded: found.entry.span).event else {
            throw CertAuthorityError(
                .logInconsistent, "entry \(found.index) should be a statement of the fleet's root and isn't")
        }
        return record
    }

    public func hostCertificates(of identity: Identity) async throws(CertAuthorityError)
        -> [UnsignedCertificate]
    {
        let indexes = try await database.read { db in
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT entry FROM identity_certificates WHERE identity = ? ORDER BY entry DESC LIMIT ?
                    """,
                arguments: [identity.text.string, Self.maximumHostCertificates])
        }
        // Somebody may have the same name as a host: their certificates are not hosts'.
        var certificates: [UnsignedCertificate] = []
        for index in indexes {
            let certificate = try ledger.issuance(at: UInt64(bitPattern: index))
            if certificate.fields.kind == .host { certificates.append(certificate) }
        }
        return certificates
    }
}
