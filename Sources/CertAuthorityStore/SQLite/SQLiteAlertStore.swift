// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire

/// Alerts and how far their webhooks have got, in the ledger's own file.
public struct SQLiteAlertStore: AlertStore {
    private let ledger: SQLiteLedger
    private let database: SQLiteAccess

    /// - Parameter ledger: opened for writing.
    public init(_ ledger: SQLiteLedger) {
        self.ledger = ledger
        database = ledger.access
    }

    public func alerts(from place: UInt64, limit: Int) async throws(CertAuthorityError) -> [Alert] {
        try await alerts("alerts.entry >= ? ORDER BY alerts.entry", Int64(clamping: place), limit)
    }

    public func alerts(before place: UInt64?, limit: Int) async throws(CertAuthorityError) -> [Alert] {
        try await alerts(
            "alerts.entry < ? ORDER BY alerts.entry DESC", Int64(clamping: place ?? .max), limit)
    }

    private func alerts(
        _ condition: String, _ place: Int64, _ limit: Int
    ) async throws(CertAuthorityError) -> [Alert] {
        try await database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT entries.position, entries.entry FROM alerts
                    JOIN entries ON entries.position = alerts.entry WHERE \(condition) LIMIT ?
                    """, arguments: [place, limit]
            ).map { row in
                let placed = try row.placedEntry()
                guard let alert = Alert(placed.index, placed.entry) else {
                    throw CertAuthorityError(
                        .logInconsistent, "entry \(placed.index) should be an alert and isn't",
                        hint: "check the log with: daypass log verify")
                }
                return alert
            }
        }
    }

    public func alertCount(
        from place: UInt64, of events: Set<AlertEvent>
    ) async throws(CertAuthorityError) -> Int {
        // No more than all kinds of events, each a word of ours.
        let words = events.map { "'\($0.rawValue)'" }.sorted().joined(separator: ", ")
        return try await database.read { db in
            try Int.fetchOne(
                db, sql: "SELECT COUNT(*) FROM alerts WHERE entry >= ? AND event IN (\(words))",
                arguments: [Int64(clamping: place)]) ?? 0
        }
    }

    public func openConditions() async throws(CertAuthorityError) -> [OpenCondition] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM host_conditions").map { row in
                let number = try row.decode(UInt8.self, forColumn: "subject")
                guard let subject = AlertRecord.Subject(rawValue: number) else {
                    throw CertAuthorityError(.storeDamaged, "subject \(number) of an alert is not known")
                }
                return OpenCondition(
                    host: try row.decode(String.self, forColumn: "host"), subject: subject,
                    recorded: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "recorded")),
                    since: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "since")))
            }
        }
    }

    public func logSize() async throws(CertAuthorityError) -> UInt64 { try await ledger.publishedSize() }

    public func deliveryPlace(of webhook: String) async throws(CertAuthorityError) -> UInt64? {
        try await database.read { db in
            try Int64.fetchOne(
                db, sql: "SELECT entry FROM delivery_places WHERE webhook = ?", arguments: [webhook]
            ).map { UInt64(bitPattern: $0) }
        }
    }

    public func setDeliveryPlace(_ place: UInt64, of webhook: String) async throws(CertAuthorityError) {
        try await database.write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO delivery_places (webhook, entry) VALUES (?, ?)",
                arguments: [webhook, Int64(clamping: place)])
        }
    }
}
