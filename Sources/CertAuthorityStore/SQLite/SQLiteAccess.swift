// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import GRDB

/// Calls on a database that run to their end, whatever becomes of the task that made them.
///
/// GRDB's own asynchronous calls stop with their task. A client that hangs up while its session is being ended would
/// take the change with it: the log says that it ended, and after the next start it is open again.
struct SQLiteAccess: Sendable {
    let pool: DatabasePool
    let path: String

    /// Runs `body` on one unchanging state.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(CertAuthorityError) -> Value {
        let result = await withCheckedContinuation { continuation in
            pool.asyncRead { [path] database in
                continuation.resume(returning: Self.result(path) { try body(try database.get()) })
            }
        }
        return try result.get()
    }

    /// Runs `body` in a transaction of its own, durable when this returns.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(CertAuthorityError) -> Value {
        let result = await withCheckedContinuation { continuation in
            pool.asyncWriteWithoutTransaction { [path] db in
                continuation.resume(returning: Self.result(path) { try db.inOneTransaction(body) })
            }
        }
        return try result.get()
    }

    private static func result<Value>(
        _ path: String, _ body: () throws -> Value
    ) -> Result<Value, CertAuthorityError> {
        do {
            return .success(try body())
        } catch {
            return .failure(ledgerError(error, path))
        }
    }
}

extension Database {
    /// The value of `body`, whose changes are committed; none of them when it throws.
    func inOneTransaction<Value>(_ body: (Database) throws -> Value) throws -> Value {
        var value: Value?
        // Immediate: one that reads first and then writes would fail as busy where it could have waited.
        try inTransaction(.immediate) {
            value = try body(self)
            return .commit
        }
        guard let value else { throw DatabaseError(message: "the transaction gave no value") }
        return value
    }
}
