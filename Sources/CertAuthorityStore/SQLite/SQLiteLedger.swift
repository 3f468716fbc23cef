// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire
import Synchronization
public import TransparencyLog

/// A ledger in one SQLite file, for one machine.
///
/// Entries, serials, tree and signed checkpoint change in one transaction, synced to disk (`synchronous=FULL`) before
/// ``append(_:at:)`` returns. Calls that come while a transaction is being written share the next one. Several
/// processes may use one file; each transaction starts from what is on disk.
public final class SQLiteLedger: Ledger {
    /// Not private, so that tests see the writer's settings and bound its file.
    let pool: DatabasePool
    /// The database's file.
    public let path: String
    /// The same file for what is kept beside the log.
    var access: SQLiteAccess { SQLiteAccess(pool: pool, path: path) }
    private let writer: TreeWriter
    private let queue = Mutex(Queue())

    private struct Queue {
        var waiting: [Waiter] = []
        /// Somebody's transaction is being written, or about to be.
        var isWriting = false
    }

    private struct Waiter: Sendable {
        let batch: LedgerBatch
        let continuation: CheckedContinuation<Result<[LedgerReceipt], CertAuthorityError>, Never>
    }

    /// How many batches a step need not wait for more of.
    private static let fullStep = 256

    /// How long another process's transaction is waited for, in seconds.
    static let busyTimeout: TimeInterval = 10

    /// Opens a database.
    ///
    /// - Parameter signer: signs checkpoints; without one the ledger can only be read.
    /// - Throws: `.storeMissing` when there is none, `.storeDamaged` when the file is something else or of a newer
    ///   version; to write, also `.logInconsistent` when its checkpoint is not that of its tree.
    public convenience init(opening path: String, signer: NoteSigner?) throws(CertAuthorityError) {
        try self.init(opening: path, signer: signer, busyTimeout: Self.busyTimeout)
    }

    /// Opens a database for reading that may have been written to harm whoever reads it.
    ///
    /// - Throws: as ``init(opening:signer:)``.
    public convenience init(reading path: String) throws(CertAuthorityError) {
        try self.init(opening: path, signer: nil, busyTimeout: Self.busyTimeout, isDistrusted: true)
    }

    /// - Parameters:
    ///   - busyTimeout: how long another connection's transaction is waited for, in seconds.
    ///   - isDistrusted: whether SQLite guards against what the file's schema and pages may have been made to be.
    init(
        opening path: String, signer: NoteSigner?, busyTimeout: TimeInterval, isDistrusted: Bool = false
    ) throws(CertAuthorityError) {
        guard FileIO.exists(path) else {
            throw CertAuthorityError(
                .storeMissing, "there is no database at \(path.escapedForTerminal)",
                hint: "make a CA with: daypass ca init; or put the database of this CA back")
        }
        self.path = path
        do {
            try Self.checkKind(path, busyTimeout: busyTimeout, isDistrusted: isDistrusted)
            pool = try Self.open(
                path, readOnly: signer == nil, busyTimeout: busyTimeout, isDistrusted: isDistrusted)
            if let signer {
                // An older version's file gets what was added since; whoever only reads does without.
                try Self.migrate(pool)
                try pool.read { db in try db.checkAtStart(signer) }
            }
        } catch {
            throw ledgerError(error, path)
        }
        writer = TreeWriter(signer: signer)
    }

    public func append(
        _ drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError) -> [LedgerReceipt] {
        try await append(LedgerBatch(drafts: drafts, milliseconds: milliseconds))
    }

    func append(_ batch: LedgerBatch) async throws(CertAuthorityError) -> [LedgerReceipt] {
        let result = await withCheckedContinuation { continuation in
            let isFirst = queue.withLock { queue in
                queue.waiting.append(Waiter(batch: batch, continuation: continuation))
                defer { queue.isWriting = true }
                return !queue.isWriting
            }
            if isFirst { writeNext() }
        }
        return try result.get()
    }

    /// Writes what waits, in one transaction on the pool's writer queue, and what came meanwhile in the next: by way of
    /// the queue again, where others' transactions have their turn between.
    ///
    /// Not `pool.write`, which ends with the task that calls it: a caller that is cancelled would take with it all whose
    /// entries are written with its own, and leave them in doubt.
    private func writeNext() {
        pool.asyncWriteWithoutTransaction { [self] db in
            // Where processors are short, those who are about to bring entries come first, as long as that brings any:
            // their step is this one.
            var count = 0
            repeat {
                count = queue.withLock { $0.waiting.count }
                sched_yield()
            } while count < Self.fullStep && queue.withLock { $0.waiting.count } > count
            let waiters = queue.withLock { queue in
                defer { queue.waiting = [] }
                return queue.waiting
            }
            let results = write(waiters.map(\.batch), db)
            for (waiter, result) in zip(waiters, results) { waiter.continuation.resume(returning: result) }
            let isMore = queue.withLock { queue in
                queue.isWriting = !queue.waiting.isEmpty
                return queue.isWriting
            }
            if isMore { writeNext() }
        }
    }

    private func write(
        _ batches: [LedgerBatch], _ db: Database
    ) -> [Result<[LedgerReceipt], CertAuthorityError>] {
        do {
            return try db.inOneTransaction { try writer.write(batches, $0) }
        } catch {
            let error = ledgerError(error, path)
            return batches.map { _ in .failure(error) }
        }
    }

    /// Runs `body` on one unchanging state of the database.
    func read<Value: Sendable>(
        _ body: @Sendable (Database) throws -> Value
    ) throws(CertAuthorityError) -> Value {
        do {
            return try pool.read(body)
        } catch {
            throw ledgerError(error, path)
        }
    }
}
