// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire
public import TransparencyLog

extension SQLiteLedger {
    /// Recomputes the whole log from its entries and compares it with the stored tiles, with the stored checkpoint and
    /// with every published one.
    ///
    /// - Parameters:
    ///   - logKey: the log's key.
    ///   - published: heads that the log must not contradict.
    ///   - progress: called now and then with the number of entries verified and of all.
    /// - Returns: the verified head of the log.
    /// - Throws: `.logInconsistent` or `.rolledBack`, naming the first thing that is wrong.
    public func verify(
        logKey: NoteVerifier, published: [TreeHead] = [],
        progress: (_ verified: UInt64, _ all: UInt64) -> Void = { _, _ in }
    ) throws(CertAuthorityError) -> TreeHead {
        try withoutActuallyEscaping(progress) { progress throws(CertAuthorityError) in
            // The pool's read runs the closure on another thread while this one waits: nothing runs at once.
            nonisolated(unsafe) let progress = progress
            return try read { db in
                try unsafe db.verifyLog(logKey: logKey, published: published, progress: progress)
            }
        }
    }
}

extension Database {
    /// How many entries go between two looks at the stored tiles, in 16 of which they lie.
    private static let stride: UInt64 = 4_096

    fileprivate func verifyLog(
        logKey: NoteVerifier, published: [TreeHead], progress: (UInt64, UInt64) -> Void
    ) throws -> TreeHead {
        guard let row = try Row.fetchOne(self, sql: "SELECT origin, checkpoint FROM ledger") else {
            throw CertAuthorityError(.storeDamaged, "the database has no ledger")
        }
        let stated = try statedHead(row, logKey)
        var verifier = LogVerifier(expecting: published + [stated])
        var fault: TransparencyLogError?
        // The tables that are looked things up in must have a row for each entry that they are about.
        var (issuances, revocations) = (0, 0)
        let rows = try EntryRows(
            self, sql: "SELECT position, hash, entry FROM entries ORDER BY position", blobs: 2)
        while fault == nil, let index = try rows.next() {
            guard verifier.size < stated.size else {
                throw CertAuthorityError(
                    .logInconsistent, "entry \(index): the checkpoint knows \(stated.size) entries only")
            }
            guard index == verifier.size else {
                throw CertAuthorityError(
                    .logInconsistent, "entry \(verifier.size) is gone, the next one is \(index)")
            }
            do {
                let entry = rows.blob(2)
                try verifier.append(entry, storedLeafHash: try Hash(rows.blob(1)))
                switch LogEntry.kind(of: entry) {
                case .issuance: issuances += 1
                case .revocation: revocations += 1
                default: break
                }
            } catch {
                fault = error
            }
            guard verifier.size % Self.stride == 0 else { continue }
            progress(verifier.size, stated.size)
            try compareTiles(verifier.takeCompletedTiles())
        }
        do {
            // The tiles first: they name the entry, where the root only says that there is one.
            try compareTiles(verifier.takeCompletedTiles())
            if let fault { throw fault }
            let head = try verifier.finish()
            try compareCount("certificates", issuances)
            // A file of an earlier version that is only read has no such table.
            if try tableExists("identity_certificates") {
                try compareCount("identity_certificates", issuances)
            }
            try compareCount("revocations", revocations)
            return head
        } catch let error as TransparencyLogError {
            throw CertAuthorityError(error.code == .rolledBack ? .rolledBack : .logInconsistent, error.reason)
        }
    }

    private func compareCount(_ table: String, _ entries: Int) throws {
        let rows = try Int.fetchOne(self, sql: "SELECT count(*) FROM \(table)") ?? 0
        guard rows == entries else {
            throw CertAuthorityError(
                .logInconsistent, "table \(table): \(rows) rows, but \(entries) entries are about such")
        }
    }

    private func statedHead(_ row: Row, _ logKey: NoteVerifier) throws -> TreeHead {
        let checkpoint = Array(try row.decode(Data.self, forColumn: "checkpoint"))
        let origin = try row.decode(String.self, forColumn: "origin")
        do {
            return try VerifiedCheckpoint(try SignedNote(checkpoint.span), origin: origin, logKeys: [logKey])
                .head
        } catch {
            throw CertAuthorityError(.logInconsistent, "the database's checkpoint: \(error.reason)")
        }
    }

    private func compareTiles(_ tiles: [HashTile]) throws {
        for computed in tiles {
            guard let stored = try DatabaseTree(db: self).storedTile(computed.tile) else {
                throw CertAuthorityError(.logInconsistent, "\(computed.tile): the database has no such tile")
            }
            try stored.compare(withComputed: computed)
        }
    }
}
