// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire

/// The control plane's people, workloads, hosts and sessions, in the ledger's own file: one file is one state to back up.
public struct SQLiteDirectory: Directory {
    private let database: SQLiteAccess

    /// - Parameter ledger: opened for writing.
    public init(_ ledger: SQLiteLedger) { database = ledger.access }

    public func enrolledKeys() async throws(CertAuthorityError) -> [EnrolledKey] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM enrolled_keys").map { try $0.enrolledKey() }
        }
    }

    public func add(_ key: EnrolledKey) async throws(CertAuthorityError) {
        let groups = try storedJSON(key.groups)
        try await database.write { db in
            do {
                try db.execute(
                    sql: """
                        INSERT INTO enrolled_keys (fingerprint, key, identity, email, groups, added)
                        VALUES (?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        key.key.fingerprint, Data(key.key.encoded), key.identity.text.string, key.email,
                        groups, key.added.stored,
                    ])
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                throw CertAuthorityError.keyIsEnrolled(key.key.fingerprint)
            }
        }
    }

    public func removeKey(fingerprint: String) async throws(CertAuthorityError) {
        try await remove([fingerprint], sql: "DELETE FROM enrolled_keys WHERE fingerprint = ?")
    }

    public func apiKeys() async throws(CertAuthorityError) -> [APIKey] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM api_keys").map { try $0.apiKey() }
        }
    }

    public func add(_ key: APIKey) async throws(CertAuthorityError) {
        let (groups, addresses) = (
            try storedJSON(key.groups), try storedJSON(key.sourceAddresses.map(\.description))
        )
        try await database.write { db in
            do {
                try db.execute(
                    sql: """
                        INSERT INTO api_keys (id, name, secret_digest, groups, source_addresses, created, expires)
                        VALUES (?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        key.id, key.name, Data(key.secretDigest), groups, addresses, key.created.stored,
                        key.expires?.stored,
                    ])
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                throw CertAuthorityError.apiKeyIsThere(key.name)
            }
        }
    }

    public func removeAPIKey(id: String) async throws(CertAuthorityError) {
        try await remove([id], sql: "DELETE FROM api_keys WHERE id = ?")
    }

    public func hosts() async throws(CertAuthorityError) -> [ManagedHost] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM hosts").map { try $0.host() }
        }
    }

    public func set(_ host: ManagedHost) async throws(CertAuthorityError) {
        let (names, labels) = (try storedJSON(host.names), try storedJSON(host.labels))
        let all = try storedJSON(host.names + [host.id])
        try await database.write { db in
            // In the same transaction: of two hosts that are set at once with one name, the second is refused here.
            let taken = try Row.fetchOne(
                db,
                sql: """
                    SELECT id FROM hosts WHERE id <> ?1 AND (
                        id IN (SELECT value FROM json_each(?2)) OR EXISTS (
                            SELECT 1 FROM json_each(hosts.names) AS its
                            WHERE its.value IN (SELECT value FROM json_each(?2))))
                    """, arguments: [host.id, all])
            if let taken { throw CertAuthorityError.hostNameIsTaken(host.id, by: try taken.text("id")) }
            try db.execute(
                sql: "INSERT OR REPLACE INTO hosts (id, names, labels) VALUES (?, ?, ?)",
                arguments: [host.id, names, labels])
        }
    }

    public func removeHost(id: String) async throws(CertAuthorityError) {
        try await remove([id], sql: "DELETE FROM hosts WHERE id = ?")
    }

    public func sessions() async throws(CertAuthorityError) -> [LoginSession] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM sessions").map { try $0.session() }
        }
    }

    public func add(_ session: LoginSession) async throws(CertAuthorityError) {
        try session.checkStorable()
        let person = session.person
        let (groups, claims) = (try storedJSON(person.groups), try storedJSON(StoredClaim(person.claims)))
        try await database.write { db in
            do {
                try db.execute(
                    sql: """
                        INSERT INTO sessions (id, identity, provider, subject, email, groups, claims, authenticated,
                            key, credential, source, created, expires)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        session.id, person.identity.text.string, person.provider, person.subject,
                        person.email, groups, claims, person.authenticatedAt.stored,
                        Data(session.key.encoded), session.credential, session.sourceAddress,
                        session.created.stored, session.expires.stored,
                    ])
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                throw CertAuthorityError.sessionIsThere
            }
        }
    }

    public func policyInForce() async throws(CertAuthorityError) -> [UInt8]? {
        try await database.read { db in
            try Row.fetchOne(db, sql: "SELECT digest FROM policy_in_force").map {
                Array(try $0.decode(Data.self, atIndex: 0))
            }
        }
    }

    public func setPolicyInForce(_ digest: [UInt8]) async throws(CertAuthorityError) {
        let digest = Data(digest)
        try await database.write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO policy_in_force (id, digest) VALUES (1, ?)", arguments: [digest])
        }
    }

    public func removeSessions(_ ids: [String]) async throws(CertAuthorityError) {
        try await remove(ids, sql: "DELETE FROM sessions WHERE id = ?")
    }

    private func remove(_ names: [String], sql: String) async throws(CertAuthorityError) {
        // SQLite would read a name up to its NUL, and take another one away.
        let names = names.filter { !$0.utf8.contains(0) }
        guard !names.isEmpty else { return }
        try await database.write { db in
            let statement = try db.cachedStatement(sql: sql)
            for name in names { try statement.execute(arguments: [name]) }
        }
    }
}

/// A list or mapping as the columns for it have it.
func storedJSON(_ value: some Encodable) throws(CertAuthorityError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
        throw CertAuthorityError(.invalidRequest, "it can't be stored: \("\(error)".escapedForTerminal)")
    }
}

extension UnixTime {
    /// As the signed number of the same bits.
    fileprivate var stored: Int64 { Int64(bitPattern: seconds) }
}
