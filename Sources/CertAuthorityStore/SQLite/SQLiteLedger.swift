// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire
public import TransparencyLog

/// A ledger in one SQLite file, for one machine.
///
/// Entries, serials, tree and signed checkpoint change in one transaction, synced to disk (`synchronous=FULL`) before
/// ``append(_:at:)`` returns. Calls that come while a transaction is being written share the next one. Several
/// processes may use one file; each transaction starts from what is on disk.
public actor SQLiteLedger: Ledger {
    /// Not private, so that tests see the writer's settings and bound its file.
    nonisolated let pool: DatabasePool
    /// The database's file.
    public nonisolated let path: String
    private let writer: TreeWriter
    private var waiting: [Waiter] = []
    private var isWriting = false

    /// How long another process's transaction is waited for, in seconds.
    static let busyTimeout: TimeInterval = 10

    private struct Waiter {
        let drafts: [LedgerDraft]
        let milliseconds: UInt64
        let continuation: CheckedContinuation<Turn, Never>
    }

    /// What a waiting caller gets: its own result, or the task to write for all that wait.
    private enum Turn {
        case done(Result<[LedgerReceipt], CertAuthorityError>)
        case lead
    }

    /// Opens a database.
    ///
    /// - Parameter signer: signs checkpoints; without one the ledger can only be read.
    /// - Throws: `.storeMissing` when there is none, `.storeDamaged` when the file is something else or of a newer
    ///   version.
    public init(opening path: String, signer: NoteSigner?) throws(CertAuthorityError) {
        try self.init(opening: path, signer: signer, busyTimeout: Self.busyTimeout)
    }

    /// - Parameter busyTimeout: how long another connection's transaction is waited for, in seconds.
    init(
        opening path: String, signer: NoteSigner?, busyTimeout: TimeInterval
    ) throws(CertAuthorityError) {
        guard FileIO.exists(path) else {
            throw CertAuthorityError(
                .storeMissing, "there is no database at \(path.escapedForTerminal)",
                hint: "make a CA with: daypass ca init; or put the database of this CA back")
        }
        self.path = path
        do {
            try Self.checkKind(path, busyTimeout: busyTimeout)
            pool = try Self.open(path, readOnly: signer == nil, busyTimeout: busyTimeout)
            // An older version's file gets what was added since; whoever only reads does without.
            if signer != nil { try Schema.migrator.migrate(pool) }
        } catch {
            throw ledgerError(error, path)
        }
        writer = TreeWriter(signer: signer)
    }

    /// Refuses what is no ledger of this version, before anything is opened for writing: to switch a file to
    /// write-ahead logging changes it, and it may be somebody else's.
    private static func checkKind(_ path: String, busyTimeout: TimeInterval) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(busyTimeout)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.read { db in
            guard try Int32.fetchOne(db, sql: "PRAGMA application_id") == Schema.applicationID else {
                throw CertAuthorityError(
                    .storeDamaged, "\(path.escapedForTerminal) is not a daypass database")
            }
            guard try Schema.migrator.appliedIdentifiers(db).contains(Schema.ledger),
                try !Schema.migrator.hasBeenSuperseded(db)
            else {
                throw CertAuthorityError(
                    .storeDamaged, "\(path.escapedForTerminal) was made by another version of daypass",
                    hint: "use the newer version")
            }
        }
        try queue.close()
    }

    /// Makes a database with its first entries; ``init(opening:signer:)`` opens it.
    ///
    /// - Throws: when something is at `path` already, or the serials' key has another length than it must.
    public static func create(
        at path: String, origin: String, serials: SerialSequence.Order, signer: NoteSigner
    ) throws(CertAuthorityError) {
        try serials.check()
        let note: SignedNote
        do {
            // First what can fail without a file.
            note = try SignedNote(
                signing: try Checkpoint(origin: origin, head: Frontier().head), by: [signer])
        } catch {
            throw ledgerError(error, path)
        }
        // SQLite gives its other files the mode of this one.
        let nothing: [UInt8] = []
        try FileIO.write(nothing.span, to: path, mode: 0o600, replacing: false)
        do {
            try fill(path, origin: origin, serials: serials, note: note)
        } catch {
            // Half a database would be neither opened nor made again.
            for file in [path, path + "-wal", path + "-shm"] {
                try? FileManager.default.removeItem(atPath: file)
            }
            throw ledgerError(error, path)
        }
    }

    private static func fill(
        _ path: String, origin: String, serials: SerialSequence.Order, note: SignedNote
    ) throws {
        let pool = try open(path, readOnly: false, busyTimeout: busyTimeout)
        try pool.write { db in
            try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
        }
        try Schema.migrator.migrate(pool)
        var key: Data?
        if case .random(let bytes) = serials { key = Data(bytes) }
        try pool.write { db in
            try db.execute(
                sql: """
                    INSERT INTO ledger (id, origin, serial_key, serial_position, size, checkpoint)
                    VALUES (1, ?, ?, 0, 0, ?)
                    """, arguments: [origin, key, Data(note.bytes)])
        }
        try pool.close()
    }

    private static func open(
        _ path: String, readOnly: Bool, busyTimeout: TimeInterval
    ) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .timeout(busyTimeout)
        configuration.label = "ledger"
        let pool = try DatabasePool(path: path, configuration: configuration)
        guard !readOnly else { return pool }
        // GRDB sets NORMAL when it opens a WAL pool, which does not sync a commit: set FULL after it, and look.
        try pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
                throw CertAuthorityError(.storeDamaged, "the database does not sync its commits")
            }
        }
        return pool
    }

    public func append(
        _ drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError) -> [LedgerReceipt] {
        if isWriting {
            let turn = await withCheckedContinuation { continuation in
                waiting.append(Waiter(drafts: drafts, milliseconds: milliseconds, continuation: continuation))
            }
            if case .done(let result) = turn { return try result.get() }
        }
        isWriting = true
        let followers = waiting
        waiting = []
        let batch =
            [LedgerBatch(drafts: drafts, milliseconds: milliseconds)]
            + followers.map { LedgerBatch(drafts: $0.drafts, milliseconds: $0.milliseconds) }
        let results = await write(batch)
        for (follower, result) in zip(followers, results.dropFirst()) {
            follower.continuation.resume(returning: .done(result))
        }
        // Whoever came meanwhile goes next; the first of them writes for the others.
        if waiting.isEmpty {
            isWriting = false
        } else {
            waiting.removeFirst().continuation.resume(returning: .lead)
        }
        return try results[0].get()
    }

    /// Not `pool.write`, which ends with the task that calls it: a leader that is cancelled would take with it all
    /// whose entries it writes, and leave them in doubt.
    private func write(_ batch: [LedgerBatch]) async -> [Result<[LedgerReceipt], CertAuthorityError>] {
        await withCheckedContinuation { continuation in
            pool.asyncWriteWithoutTransaction { [writer, path] db in
                var results: [Result<[LedgerReceipt], CertAuthorityError>] = []
                do {
                    try db.inTransaction(.immediate) {
                        results = try writer.write(batch, db)
                        return .commit
                    }
                } catch {
                    results = batch.map { _ in .failure(ledgerError(error, path)) }
                }
                continuation.resume(returning: results)
            }
        }
    }

    /// Runs `body` on one unchanging state of the database.
    nonisolated func read<Value: Sendable>(
        _ body: @Sendable (Database) throws -> Value
    ) throws(CertAuthorityError) -> Value {
        do {
            return try pool.read(body)
        } catch {
            throw ledgerError(error, path)
        }
    }
}
