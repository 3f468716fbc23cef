// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import GRDB
import GRDBSQLite

/// Rows of a position and blobs behind it, lent by SQLite without a copy.
///
/// GRDB's rows cost as much as hashing an entry does, and a log is verified by going through all of them.
struct EntryRows: ~Copyable {
    private let statement: Statement
    private let blobs: Int32

    /// - Parameters:
    ///   - sql: selects an integer, then only blobs.
    ///   - blobs: how many.
    init(_ db: Database, sql: String, arguments: StatementArguments = [], blobs: Int32) throws {
        try self.init(try db.makeStatement(sql: sql), arguments: arguments, blobs: blobs)
    }

    /// - Parameter statement: nobody else's while this is there.
    init(_ statement: Statement, arguments: StatementArguments, blobs: Int32) throws {
        try statement.setArguments(arguments)
        self.statement = statement
        self.blobs = blobs
    }

    deinit { unsafe sqlite3_reset(statement.sqliteStatement) }

    /// Goes to the next row.
    ///
    /// - Returns: its position; nil after the last one.
    /// - Throws: `.storeDamaged` for a row whose columns are of other types, and what SQLite says.
    func next() throws -> UInt64? {
        let status = unsafe sqlite3_step(statement.sqliteStatement)
        guard status == SQLITE_ROW else {
            guard status == SQLITE_DONE else {
                throw DatabaseError(resultCode: ResultCode(rawValue: status), sql: statement.sql)
            }
            return nil
        }
        let position = unsafe UInt64(bitPattern: sqlite3_column_int64(statement.sqliteStatement, 0))
        for column in 1...blobs {
            guard unsafe sqlite3_column_type(statement.sqliteStatement, column) == SQLITE_BLOB else {
                throw CertAuthorityError(.storeDamaged, "entry \(position) has no bytes")
            }
        }
        return position
    }

    /// The bytes of a column of the current row, valid until the next one is asked for.
    ///
    /// - Parameter column: 1 for the first one behind the position.
    @_lifetime(borrow self)
    borrowing func blob(_ column: Int32) -> Span<UInt8> {
        // SQLite keeps the bytes until the statement is stepped or reset; the caller is done with them by then.
        let count = unsafe Int(sqlite3_column_bytes(statement.sqliteStatement, column))
        let start = unsafe sqlite3_column_blob(statement.sqliteStatement, column)
        let buffer = unsafe UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count)
        let span = unsafe Span<UInt8>(_unsafeBytes: buffer)
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}
