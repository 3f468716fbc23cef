// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire

/// The control plane's people, hosts and sessions, in the ledger's own file: one file is one state to back up.
public struct SQLiteDirectory: Directory {
    private let pool: DatabasePool
    private let path: String

    /// - Parameter ledger: opened for writing.
    public init(_ ledger: SQLiteLedger) {
        pool = ledger.pool
        path = ledger.path
    }

    public func enrolledKeys() async throws(CertAuthorityError) -> [EnrolledKey] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM enrolled_keys").map { row in
                try EnrolledKey(
                    key: try row.key("key"), identity: try Identity(try row.text("identity")),
                    email: try row.optionalText("email"), groups: try row.json("groups", as: [String].self),
                    added: try row.time("added"))
            }
        }
    }

    public func add(_ key: EnrolledKey) async throws(CertAuthorityError) {
        let groups = try json(key.groups)
        try await write { db in
            do {
                try db.execute(
                    sql: """
                        INSERT INTO enrolled_keys (fingerprint, key, identity, email, groups, added)
                        VALUES (?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        key.key.fingerprint, Data(key.key.encoded), key.identity.text.string, key.email,
                        groups,
                        Int64(bitPattern: key.added.seconds),
                    ])
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                throw CertAuthorityError(.conflict, "key \(key.key.fingerprint) is enrolled already")
            }
        }
    }

    public func removeKey(fingerprint: String) async throws(CertAuthorityError) {
        try await write { db in
            try db.execute(sql: "DELETE FROM enrolled_keys WHERE fingerprint = ?", arguments: [fingerprint])
        }
    }

    public func hosts() async throws(CertAuthorityError) -> [ManagedHost] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM hosts").map { row in
                try ManagedHost(
                    id: try row.text("id"), names: try row.json("names", as: [String].self),
                    labels: try row.json("labels", as: [String: String].self))
            }
        }
    }

    public func set(_ host: ManagedHost) async throws(CertAuthorityError) {
        let (names, labels) = (try json(host.names), try json(host.labels))
        try await write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO hosts (id, names, labels) VALUES (?, ?, ?)",
                arguments: [host.id, names, labels])
        }
    }

    public func removeHost(id: String) async throws(CertAuthorityError) {
        try await write { db in try db.execute(sql: "DELETE FROM hosts WHERE id = ?", arguments: [id]) }
    }

    public func sessions() async throws(CertAuthorityError) -> [LoginSession] {
        try await read { db in try Row.fetchAll(db, sql: "SELECT * FROM sessions").map { try $0.session() } }
    }

    public func add(_ session: LoginSession) async throws(CertAuthorityError) {
        let person = session.person
        let (groups, claims) = (try json(person.groups), try json(StoredClaim(person.claims)))
        try await write { db in
            try db.execute(
                sql: """
                    INSERT INTO sessions (id, identity, provider, subject, email, groups, claims, authenticated, key,
                        credential, source, created, expires)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    session.id, person.identity.text.string, person.provider, person.subject, person.email,
                    groups,
                    claims, Int64(bitPattern: person.authenticatedAt.seconds), Data(session.key.encoded),
                    session.credential, session.sourceAddress, Int64(bitPattern: session.created.seconds),
                    Int64(bitPattern: session.expires.seconds),
                ])
        }
    }

    public func removeSessions(_ ids: [String]) async throws(CertAuthorityError) {
        guard !ids.isEmpty else { return }
        try await write { db in
            for id in ids { try db.execute(sql: "DELETE FROM sessions WHERE id = ?", arguments: [id]) }
        }
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(CertAuthorityError) -> Value {
        do {
            return try await pool.read(body)
        } catch {
            throw ledgerError(error, path)
        }
    }

    private func write(_ body: @escaping @Sendable (Database) throws -> Void) async throws(CertAuthorityError)
    {
        do {
            try await pool.write(body)
        } catch {
            throw ledgerError(error, path)
        }
    }

    private func json(_ value: some Encodable) throws(CertAuthorityError) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            throw CertAuthorityError(.invalidRequest, "it can't be stored: \("\(error)".escapedForTerminal)")
        }
    }
}

extension Row {
    fileprivate func text(_ column: String) throws -> String { try decode(String.self, forColumn: column) }

    fileprivate func optionalText(_ column: String) throws -> String? {
        try decode(String?.self, forColumn: column)
    }

    fileprivate func time(_ column: String) throws -> UnixTime {
        UnixTime(seconds: UInt64(bitPattern: try decode(Int64.self, forColumn: column)))
    }

    fileprivate func key(_ column: String) throws -> PublicKey {
        try PublicKey(encoded: Array(try decode(Data.self, forColumn: column)))
    }

    fileprivate func json<Value: Decodable>(_ column: String, as type: Value.Type) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(try text(column).utf8))
        } catch {
            throw CertAuthorityError(.storeDamaged, "column \(column): \("\(error)".escapedForTerminal)")
        }
    }

    fileprivate func session() throws -> LoginSession {
        LoginSession(
            id: try text("id"),
            person: Person(
                identity: try Identity(try text("identity")), provider: try text("provider"),
                subject: try text("subject"), email: try optionalText("email"),
                groups: try json("groups", as: [String].self),
                claims: try json("claims", as: StoredClaim.self).claim,
                authenticatedAt: try time("authenticated")),
            key: try key("key"), credential: try optionalText("credential"),
            sourceAddress: try text("source"), created: try time("created"), expires: try time("expires"))
    }
}
