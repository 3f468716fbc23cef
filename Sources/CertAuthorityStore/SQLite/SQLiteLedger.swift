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
    /// The same file for what is kept beside the log.
    nonisolated var access: SQLiteAccess { SQLiteAccess(pool: pool, path: path) }
    private let writer: TreeWriter
    private var waiting: [Waiter] = []
    private var isWriting = false

    /// How long another process's transaction is waited for, in seconds.
    static let busyTimeout: TimeInterval = 10

    private struct Waiter {
        let batch: LedgerBatch
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
    ///   version; to write, also `.logInconsistent` when its checkpoint is not that of its tree.
    public init(opening path: String, signer: NoteSigner?) throws(CertAuthorityError) {
        try self.init(opening: path, signer: signer, busyTimeout: Self.busyTimeout)
    }

    /// Opens a database for reading that may have been written to harm whoever reads it.
    ///
    /// - Throws: as ``init(opening:signer:)``.
    public init(reading path: String) throws(CertAuthorityError) {
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

    func append(_ own: LedgerBatch) async throws(CertAuthorityError) -> [LedgerReceipt] {
        if isWriting {
            let turn = await withCheckedContinuation { continuation in
                waiting.append(Waiter(batch: own, continuation: continuation))
            }
            if case .done(let result) = turn { return try result.get() }
        }
        isWriting = true
        let followers = waiting
        waiting = []
        let results = await write([own] + followers.map(\.batch))
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
