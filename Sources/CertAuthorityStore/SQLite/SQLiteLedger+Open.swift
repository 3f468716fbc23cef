// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import SSHWire
import TransparencyLog

/// What is looked at, and brought up to date, before a database is used.
extension SQLiteLedger {
    /// Refuses what is no ledger of this version, before anything is opened for writing: to switch a file to
    /// write-ahead logging changes it, and it may be somebody else's.
    static func checkKind(_ path: String, busyTimeout: TimeInterval, isDistrusted: Bool) throws {
        let configuration = Self.configuration(
            readOnly: true, busyTimeout: busyTimeout, isDistrusted: isDistrusted)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.read { db in
            guard try Int32.fetchOne(db, sql: "PRAGMA application_id") == Schema.applicationID else {
                throw CertAuthorityError(
                    .storeDamaged, "\(path.escapedForTerminal) is not a daypass database")
            }
            let applied = try Schema.migrator.appliedIdentifiers(db)
            let unknown = applied.subtracting(Schema.migrator.migrations).sorted()
            guard unknown.isEmpty else {
                throw CertAuthorityError(
                    .storeDamaged,
                    "\(path.escapedForTerminal) was made by a newer version of daypass, which added "
                        + "\"\(unknown.joined(separator: "\", \"").escapedForTerminal)\"",
                    hint: "use that version, or restore the backup that was made before the upgrade")
            }
            guard applied.contains(Schema.ledger) else {
                throw CertAuthorityError(
                    .storeDamaged, "\(path.escapedForTerminal) has no log in it: it was never completed")
            }
        }
        try queue.close()
    }

    /// Brings a file of an older version up to this one; each migration is a transaction of its own.
    static func migrate(_ pool: DatabasePool) throws {
        var attempts = Schema.migrator.migrations.count
        while try !pool.read(Schema.migrator.hasCompletedMigrations) {
            do {
                try Schema.migrator.migrate(pool)
            } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR && attempts > 0 {
                // Another process, started at the same moment, may have made the same table first: look again.
                attempts -= 1
            }
        }
    }
}

extension Database {
    /// Looks at what is small and what the next entry will build on: the tables that are no part of the log's bulk, the
    /// checkpoint's signature, and that the stored tree's right edge leads to the checkpoint's root.
    ///
    /// It reads a few hundred hashes whatever the log's size. That each entry has the hash that is stored for it, and
    /// each tile those below it, is for ``SQLiteLedger/verify(logKey:published:progress:)``, which reads everything.
    func checkAtStart(_ signer: NoteSigner) throws {
        for table in Schema.smallTables {
            let found = try String.fetchAll(self, sql: "PRAGMA quick_check(\(table))")
            guard found == ["ok"] else {
                throw CertAuthorityError(
                    .storeDamaged,
                    "table \(table): \(found.first?.escapedForTerminal ?? "it can't be checked")",
                    hint: Self.damageHint)
            }
        }
        let row = try ledger()
        let origin = try row.decode(String.self, forColumn: "origin")
        guard origin == signer.name.string else {
            throw CertAuthorityError(
                .logInconsistent,
                "the database's log is \(origin.escapedForTerminal), config.yaml says \(signer.name)")
        }
        let note = Array(try row.decode(Data.self, forColumn: "checkpoint"))
        let key = try NoteVerifier(name: signer.name, publicKey: signer.publicKey, verify: isValidEd25519)
        let head: TreeHead
        do {
            head = try VerifiedCheckpoint(try SignedNote(note.span), origin: origin, logKeys: [key]).head
        } catch {
            throw damage("the database's checkpoint: \(error.reason)")
        }
        let size = UInt64(bitPattern: try row.decode(Int64.self, forColumn: "size"))
        let last = try Row.fetchOne(
            self, sql: "SELECT position, hash, entry FROM entries ORDER BY position DESC LIMIT 1")
        let count = try last.map { UInt64(bitPattern: try $0.decode(Int64.self, atIndex: 0)) &+ 1 } ?? 0
        guard head.size == size, count == size else {
            throw damage(
                "the checkpoint is of \(head.size) entries, the database counts \(size), and the last that is there "
                    + "is number \(count)")
        }
        if let last {
            let entry = Array(try last.decode(Data.self, atIndex: 2))
            guard MerkleHash.leaf(entry.span).bytes == Array(try last.decode(Data.self, atIndex: 1)) else {
                throw damage("the last entry's bytes are not what was recorded")
            }
        }
        guard try DatabaseTree(db: self).root(size: size) == head.root else {
            throw damage("the stored tree has another root than the checkpoint of \(size) entries")
        }
    }

    private static let damageHint =
        "nothing was changed: see how far it goes with daypass log verify, and restore a backup"

    private func damage(_ reason: String) -> CertAuthorityError {
        CertAuthorityError(.logInconsistent, reason, hint: Self.damageHint)
    }
}
