// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
public import SSHWire

/// Who each identity belongs to, in the ledger's own file.
public struct SQLiteIdentityBindings: IdentityBindings {
    private let database: SQLiteAccess
    private let clock: @Sendable () -> UnixTime

    /// - Parameter ledger: opened for writing.
    public init(_ ledger: SQLiteLedger, clock: @escaping @Sendable () -> UnixTime) {
        database = ledger.access
        self.clock = clock
    }

    public func bind(
        _ identity: Identity, provider: String, subject: String
    ) async throws(CertAuthorityError) {
        // As bytes: SQLite would read a text up to its NUL, and take two subjects for one.
        let name = identity.text.string
        let owner = [Data(provider.utf8), Data(subject.utf8)]
        // Most people have been here before: then nothing is written, and a full disk keeps nobody out.
        let known = try await database.read { db in try Self.owner(of: name, db) }
        let first: [Data]?
        if let known {
            first = known
        } else {
            let seen = Int64(bitPattern: clock().seconds)
            first = try await database.write { db in
                try db.execute(
                    sql: """
                        INSERT INTO identity_bindings (identity, provider, subject, first_seen)
                        VALUES (?, ?, ?, ?) ON CONFLICT (identity) DO NOTHING
                        """, arguments: [name, owner[0], owner[1], seen])
                return try Self.owner(of: name, db)
            }
        }
        guard first == owner else { throw .identityTaken(identity, provider: provider) }
    }

    public func bindings() async throws(CertAuthorityError) -> [IdentityBinding] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM identity_bindings").map { try $0.identityBinding() }
        }
    }

    public func free(_ identity: Identity) async throws(CertAuthorityError) -> IdentityBinding? {
        let name = identity.text.string
        return try await database.write { db in
            let row = try Row.fetchOne(
                db, sql: "DELETE FROM identity_bindings WHERE identity = ? RETURNING *", arguments: [name])
            return try row?.identityBinding()
        }
    }

    private static func owner(of name: String, _ db: Database) throws -> [Data]? {
        try Row.fetchOne(
            db, sql: "SELECT provider, subject FROM identity_bindings WHERE identity = ?", arguments: [name]
        ).map { [try $0.decode(Data.self, atIndex: 0), try $0.decode(Data.self, atIndex: 1)] }
    }
}
