// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import SSHWire
import TransparencyLog

extension SQLiteLedger {
    /// Copies the database as it is at one moment, by SQLite's backup, while others write; synced, mode 0600.
    ///
    /// Writers are not held up, but what they write stays in the write-ahead log until the copy is done.
    ///
    /// - Returns: the size and checkpoint of the copy, whose tree leads to it.
    func copy(
        to target: String, verifiedBy key: NoteVerifier
    ) throws(CertAuthorityError) -> (size: UInt64, checkpoint: [UInt8]) {
        let nothing: [UInt8] = []
        try FileIO.write(nothing.span, to: target, mode: 0o600, replacing: false)
        do {
            var configuration = Configuration()
            configuration.qos = .default
            let queue = try DatabaseQueue(path: target, configuration: configuration)
            try pool.backup(to: queue)
            let state = try queue.read { db in
                let row = try db.ledger()
                let checkpoint = Array(try row.decode(Data.self, forColumn: "checkpoint"))
                let head = try VerifiedCheckpoint(
                    try SignedNote(checkpoint.span),
                    origin: try row.decode(String.self, forColumn: "origin"), logKeys: [key]
                ).head
                guard try DatabaseTree(db: db).root(size: head.size) == head.root else {
                    throw CertAuthorityError(
                        .logInconsistent, "the database's tree has another root than its checkpoint",
                        hint: "see how far it goes with: daypass log verify")
                }
                return (size: head.size, checkpoint: checkpoint)
            }
            // Into the one file, whatever SQLite put beside it.
            try queue.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
            try queue.close()
            for file in [target + "-wal", target + "-shm"] { FileIO.remove(file) }
            return state
        } catch {
            throw ledgerError(error, target)
        }
    }
}
