// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
public import SSHWire

/// Used tokens in the ledger's own file: one that is good for an hour is not good again after a restart.
public struct SQLiteSpentTokens: SpentTokens {
    private let database: SQLiteAccess

    /// - Parameter ledger: opened for writing.
    public init(_ ledger: SQLiteLedger) { database = ledger.access }

    public func spend(
        _ token: String, until expires: UnixTime, now: UnixTime
    ) async throws(CertAuthorityError) -> Bool {
        let (token, end) = (Data(token.utf8), Int64(clamping: expires.seconds))
        let current = Int64(clamping: now.seconds)
        return try await database.write { db in
            // One that has ended is refused for that, whether it was used or not.
            try db.execute(sql: "DELETE FROM spent_tokens WHERE expires < ?", arguments: [current])
            try db.execute(
                sql: "INSERT INTO spent_tokens (token, expires) VALUES (?, ?) ON CONFLICT (token) DO NOTHING",
                arguments: [token, end])
            return db.changesCount == 1
        }
    }
}
