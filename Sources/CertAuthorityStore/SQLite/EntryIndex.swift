// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import SSHWire

/// By what entries are found: written with them, so that it is never ahead of the log or behind it.
enum EntryIndex {
    static func add(_ entry: LogEntry, at position: Int64, _ db: Database) throws {
        for subject in entry.event.subjects {
            try db.cachedStatement(sql: "INSERT INTO entry_subjects (subject, entry) VALUES (?, ?)")
                .execute(arguments: [Data(subject.key), position])
        }
        if let event = AlertEvent(entry.event) {
            try db.cachedStatement(sql: "INSERT INTO alerts (entry, event) VALUES (?, ?)")
                .execute(arguments: [position, event.rawValue])
        }
        if case .alert(let record) = entry.event, record.subject.isLasting {
            try note(record, at: entry.milliseconds, db)
        }
    }

    private static func note(_ record: AlertRecord, at milliseconds: UInt64, _ db: Database) throws {
        guard record.isPresent else {
            return try db.cachedStatement(sql: "DELETE FROM host_conditions WHERE host = ? AND subject = ?")
                .execute(arguments: [record.host.string, record.subject.rawValue])
        }
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO host_conditions (host, subject, recorded, since) VALUES (?, ?, ?, ?)"
        ).execute(
            arguments: [
                record.host.string, record.subject.rawValue, Int64(bitPattern: milliseconds),
                Int64(bitPattern: record.since),
            ])
    }

    /// Indexes all that a database of an earlier version has, once.
    static func build(_ db: Database) throws {
        try db.forEachEntry(from: 0) { index, bytes in
            // Most are issuances, which are found otherwise.
            switch LogEntry.kind(of: bytes) {
            case .hostEvent, .decision, .request, .approval, .login, .alert:
                try add(try LogEntry(encoded: bytes), at: Int64(bitPattern: index), db)
            case .issuance, .refusal, .revocation, .authority, .recovery, .change, .fleetTrust, nil: break
            }
            return true
        }
    }
}
