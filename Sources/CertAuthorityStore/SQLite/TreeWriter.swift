// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import SSHWire
import TransparencyLog

/// One caller's drafts.
struct LedgerBatch: Sendable {
    let drafts: [LedgerDraft]
    let milliseconds: UInt64
    /// What else changes in the step that records them. Where the database refuses it, nothing of the step happens.
    var alongside: (@Sendable (Database) throws -> Void)?
}

/// Writes entries and what follows from them inside a transaction.
///
/// Sendable: it is only used on the pool's writer queue, which runs one closure at a time.
final class TreeWriter: @unchecked Sendable {
    private let signer: NoteSigner?
    /// The tree after the last transaction, and the checkpoint that told so: valid while the database still says it.
    private var cached: (builder: TreeBuilder, checkpoint: Data)?

    init(signer: NoteSigner?) { self.signer = signer }

    /// Appends every batch that can be encoded; the others fail by themselves. Throwing fails all of them, and the
    /// caller rolls back.
    func write(
        _ batches: [LedgerBatch], _ db: Database
    ) throws -> [Result<[LedgerReceipt], CertAuthorityError>] {
        guard let signer else {
            throw CertAuthorityError(.storeReadOnly, "the log key is not loaded, nothing can be recorded")
        }
        let row = try db.ledger()
        let serialKey = try row.decode(Data?.self, forColumn: "serial_key")
        var serials = SerialSequence(
            serialKey.map { .random(key: Array($0)) } ?? .sequential,
            position: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "serial_position")))
        var builder = try treeBuilder(
            size: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "size")),
            checkpoint: try row.decode(Data.self, forColumn: "checkpoint"), db)
        cached = nil

        var results: [Result<[LedgerReceipt], CertAuthorityError>] = []
        for batch in batches {
            do {
                let (entries, advanced) = try encode(batch, serials)
                serials = advanced
                let receipts = try insert(entries, into: &builder, db)
                try batch.alongside?(db)
                results.append(.success(receipts))
            } catch let error as CertAuthorityError {
                results.append(.failure(error))
            }
        }
        for tile in builder.takeCompletedTiles() {
            try db.cachedStatement(sql: "INSERT INTO tiles (level, position, hashes) VALUES (?, ?, ?)")
                .execute(
                    arguments: [tile.tile.level, Int64(bitPattern: tile.tile.index), Data(tile.bytes)])
        }
        let origin = try row.decode(String.self, forColumn: "origin")
        let checkpoint = try Checkpoint(origin: origin, head: builder.frontier.head)
        let note = Data(try SignedNote(signing: checkpoint, by: [signer]).bytes)
        try db.cachedStatement(sql: "UPDATE ledger SET serial_position = ?, size = ?, checkpoint = ?")
            .execute(
                arguments: [
                    Int64(bitPattern: serials.position), Int64(bitPattern: builder.frontier.size), note,
                ])
        // If the commit fails, the database's checkpoint is not this one, and the cache is not used.
        cached = (builder, note)
        return results
    }

    private func treeBuilder(size: UInt64, checkpoint: Data, _ db: Database) throws -> TreeBuilder {
        if let cached, cached.checkpoint == checkpoint { return cached.builder }
        return try TreeBuilder(size: size, from: DatabaseTree(db: db))
    }

    private func encode(
        _ batch: LedgerBatch, _ serials: SerialSequence
    ) throws(CertAuthorityError) -> (entries: [(entry: LogEntry, bytes: [UInt8])], serials: SerialSequence) {
        var serials = serials
        var entries: [(entry: LogEntry, bytes: [UInt8])] = []
        entries.reserveCapacity(batch.drafts.count)
        for draft in batch.drafts {
            let entry = try draft.entry(at: batch.milliseconds, serials: &serials)
            entries.append((entry, try entry.encoded()))
        }
        return (entries, serials)
    }

    private func insert(
        _ entries: [(entry: LogEntry, bytes: [UInt8])], into builder: inout TreeBuilder, _ db: Database
    ) throws -> [LedgerReceipt] {
        let insertEntry = try db.cachedStatement(
            sql: "INSERT INTO entries (position, hash, entry) VALUES (?, ?, ?)")
        var receipts: [LedgerReceipt] = []
        receipts.reserveCapacity(entries.count)
        for (entry, bytes) in entries {
            let position = Int64(bitPattern: builder.frontier.size)
            let hash = MerkleHash.leaf(bytes.span)
            try builder.append(hash)
            try insertEntry.execute(arguments: [position, Data(hash.bytes), Data(bytes)])
            switch entry.event {
            case .issuance(let record):
                try db.cachedStatement(sql: "INSERT INTO certificates (serial, entry) VALUES (?, ?)")
                    .execute(arguments: [Int64(bitPattern: record.fields.serial), position])
                try db.cachedStatement(
                    sql: "INSERT INTO identity_certificates (identity, entry) VALUES (?, ?)"
                ).execute(arguments: [KeyIDParts(record.fields.keyID)?.identity ?? "", position])
            case .revocation:
                try db.cachedStatement(sql: "INSERT INTO revocations (entry) VALUES (?)").execute(arguments: [
                    position
                ])
            case .hostEvent(let record): try insert(record, at: position, db)
            case .fleetTrust:
                try db.cachedStatement(sql: "INSERT INTO fleet_trust (entry) VALUES (?)").execute(arguments: [
                    position
                ])
            case .refusal, .authority, .recovery, .decision, .login, .change, .request, .approval, .alert:
                break
            }
            try EntryIndex.add(entry, at: position, db)
            receipts.append(LedgerReceipt(index: UInt64(bitPattern: position), entry: entry))
        }
        return receipts
    }

    /// What a host reported, to be found again, and how far its reports have come.
    private func insert(_ record: HostEventRecord, at position: Int64, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO host_events (entry, host, who, account, session, is_alert) VALUES (?, ?, ?, ?, ?, ?)
                """
        ).execute(
            arguments: [
                position, record.host.string, record.who, record.account.string, record.session.string,
                record.isAlert,
            ])
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO record_places (host, sequence, hash) VALUES (?, ?, ?)"
        ).execute(
            arguments: [record.host.string, Int64(bitPattern: record.sequence), Data(record.recordHash)])
    }
}
