// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire
public import TransparencyLog

/// What is asked of a ledger without changing it. Each call sees one state of the database.
extension SQLiteLedger {
    /// The log's name.
    public var origin: String {
        get throws(CertAuthorityError) {
            try read { db in try db.ledger().decode(String.self, forColumn: "origin") }
        }
    }

    /// The signed checkpoint of everything in the database; not verified.
    public func checkpoint() throws(CertAuthorityError) -> SignedNote {
        try read { db in
            let bytes = try db.ledger().decode(Data.self, forColumn: "checkpoint")
            return try SignedNote(Array(bytes).span)
        }
    }

    /// How many entries there are.
    public func size() throws(CertAuthorityError) -> UInt64 {
        try read { db in
            UInt64(bitPattern: try db.ledger().decode(Int64.self, forColumn: "size"))
        }
    }

    /// The exact bytes of entry number `index`, nil when there is none.
    public func entry(at index: UInt64) throws(CertAuthorityError) -> [UInt8]? {
        try read { db in
            try Row.fetchOne(
                db, sql: "SELECT entry FROM entries WHERE position = ?", arguments: [Int64(bitPattern: index)]
            ).map { Array(try $0.decode(Data.self, atIndex: 0)) }
        }
    }

    /// Hands the entries from number `start` on to `body`, in order, until it says false.
    public func forEachEntry(
        from start: UInt64 = 0, _ body: (UInt64, Span<UInt8>) throws -> Bool
    ) throws(CertAuthorityError) {
        try withoutActuallyEscaping(body) { body throws(CertAuthorityError) in
            // The pool's read runs the closure on another thread while this one waits: nothing runs at once.
            nonisolated(unsafe) let body = body
            try read { db in
                try db.forEachEntry(from: start) { try unsafe body($0, $1) }
            }
        }
    }

    /// The exact bytes of a run of entries, which must be there.
    public func entries(_ range: Range<UInt64>) throws(CertAuthorityError) -> [[UInt8]] {
        var entries: [[UInt8]] = []
        try forEachEntry(from: range.lowerBound) { index, entry in
            guard index < range.upperBound else { return false }
            entries.append([UInt8](entry))
            return true
        }
        guard entries.count == range.count else {
            throw CertAuthorityError(
                .logInconsistent,
                "entries \(range.lowerBound)...\(range.upperBound - 1): \(entries.count) are there")
        }
        return entries
    }

    /// Where the certificate with `serial` was recorded, nil when it never was.
    public func entryIndex(serial: UInt64) throws(CertAuthorityError) -> UInt64? {
        try read { db in try db.entryIndex(serial: serial) }
    }

    /// Every revocation, in order.
    public func revocations() throws(CertAuthorityError) -> [(index: UInt64, entry: LogEntry)] {
        try read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT entries.position, entries.hash, entries.entry FROM revocations
                    JOIN entries ON entries.position = revocations.entry ORDER BY entries.position
                    """)
            return try rows.map { row in
                let entry = Array(try row.decode(Data.self, forColumn: "entry"))
                let position = UInt64(bitPattern: try row.decode(Int64.self, forColumn: "position"))
                // A list that hosts refuse keys by is made of this: what was changed makes none.
                guard MerkleHash.leaf(entry.span).bytes == Array(try row.decode(Data.self, forColumn: "hash"))
                else {
                    throw CertAuthorityError(
                        .logInconsistent, "entry \(position): its bytes are not what was recorded",
                        hint: "check the log with: daypass log verify")
                }
                return (position, try LogEntry(encoded: entry.span))
            }
        }
    }

    /// Runs `body` on the log's tree.
    public func withTree<Value: Sendable>(
        _ body: @Sendable (any HashSource) throws -> Value
    ) throws(CertAuthorityError) -> Value {
        try read { db in try body(DatabaseTree(db: db)) }
    }

    /// The root that the log had when it had `size` entries.
    public func root(size: UInt64) throws(CertAuthorityError) -> Hash {
        try read { db in try DatabaseTree(db: db).root(size: size) }
    }
}

extension Database {
    /// Where the certificate with `serial` was recorded, nil when it never was.
    func entryIndex(serial: UInt64) throws -> UInt64? {
        try Row.fetchOne(
            self, sql: "SELECT entry FROM certificates WHERE serial = ?",
            arguments: [Int64(bitPattern: serial)]
        ).map { UInt64(bitPattern: try $0.decode(Int64.self, atIndex: 0)) }
    }

    /// The one row of what changes with each append.
    ///
    /// Take its values with `decode`: a subscript traps on what a damaged page may hold.
    func ledger() throws -> Row {
        guard let row = try Row.fetchOne(try cachedStatement(sql: "SELECT * FROM ledger")) else {
            throw CertAuthorityError(.storeDamaged, "the database has no ledger")
        }
        return row
    }

    /// Steps through the entries without copying them.
    func forEachEntry(from start: UInt64, _ body: (UInt64, Span<UInt8>) throws -> Bool) throws {
        let rows = try EntryRows(
            self, sql: "SELECT position, entry FROM entries WHERE position >= ? ORDER BY position",
            arguments: [Int64(bitPattern: start)], blobs: 1)
        while let position = try rows.next() {
            guard try body(position, rows.blob(1)) else { return }
        }
    }
}
