// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire

/// Entries by what they are about, in the ledger's own file.
public struct SQLiteEntryHistory: EntryHistory {
    private let ledger: SQLiteLedger
    private let database: SQLiteAccess

    public init(_ ledger: SQLiteLedger) {
        self.ledger = ledger
        database = ledger.access
    }

    public func entry(at index: UInt64) async throws(CertAuthorityError) -> LogEntry? {
        guard let position = Int64(exactly: index) else { return nil }
        return try await database.read { db in
            guard
                let data = try Data.fetchOne(
                    db, sql: "SELECT entry FROM entries WHERE position = ?", arguments: [position])
            else { return nil }
            let bytes = Array(data)
            return try LogEntry(encoded: bytes.span)
        }
    }

    public func entries(
        about subject: EntrySubject, limit: Int
    ) async throws(CertAuthorityError) -> [PlacedEntry] {
        try await database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT entries.position, entries.entry FROM entry_subjects
                    JOIN entries ON entries.position = entry_subjects.entry
                    WHERE subject = ? ORDER BY entry_subjects.entry LIMIT ?
                    """, arguments: [Data(subject.key), limit]
            ).map { try $0.placedEntry() }
        }
    }

    public func issuance(serial: UInt64) async throws(CertAuthorityError) -> UInt64? {
        try await database.read { db in try db.entryIndex(serial: serial) }
    }

    public func issuance(keyID: String) async throws(CertAuthorityError) -> UInt64? {
        try ledger.issuance(keyID: ExactText(keyID))?.index
    }

    public func revocations() async throws(CertAuthorityError) -> [PlacedEntry] {
        try ledger.revocations().map { PlacedEntry(index: $0.index, entry: $0.entry) }
    }
}

extension Row {
    /// Of `position` and `entry`.
    func placedEntry() throws -> PlacedEntry {
        let bytes = Array(try decode(Data.self, forColumn: "entry"))
        return PlacedEntry(
            index: UInt64(bitPattern: try decode(Int64.self, forColumn: "position")),
            entry: try LogEntry(encoded: bytes.span))
    }
}
