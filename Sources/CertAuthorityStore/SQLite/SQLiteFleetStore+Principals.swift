// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import GRDB

extension SQLiteFleetStore {
    public func principals() async throws(CertAuthorityError) -> [HostPrincipals] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM host_principals").map { try $0.hostPrincipals() }
        }
    }

    public func set(_ principals: HostPrincipals) async throws(CertAuthorityError) {
        let names = try storedJSON(principals.principals)
        try await database.write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO host_principals (host, login, principals) VALUES (?, ?, ?)",
                arguments: [principals.host, principals.login, names])
        }
    }

    public func removePrincipals(host: String, login: String?) async throws(CertAuthorityError) {
        guard !host.utf8.contains(0), login?.utf8.contains(0) != true else { return }
        try await database.write { db in
            try db.execute(
                sql: "DELETE FROM host_principals WHERE host = ? AND (? IS NULL OR login = ?)",
                arguments: [host, login, login])
        }
    }
}
