// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
public import SSHWire

/// The hosts that have joined and what they reported, in the ledger's own file.
public struct SQLiteFleetStore: FleetStore {
    let ledger: SQLiteLedger
    let database: SQLiteAccess

    /// - Parameter ledger: opened for writing.
    public init(_ ledger: SQLiteLedger) {
        self.ledger = ledger
        database = ledger.access
    }

    public func joinTokens() async throws(CertAuthorityError) -> [JoinToken] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM join_tokens").map { try $0.joinToken() }
        }
    }

    public func add(_ token: JoinToken) async throws(CertAuthorityError) {
        let labels = try storedJSON(token.labels)
        try await database.write { db in
            do {
                try db.execute(
                    sql: """
                        INSERT INTO join_tokens (id, secret_digest, host_pattern, labels, expires, creator)
                        VALUES (?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        token.id, Data(token.secretDigest), token.hostPattern, labels,
                        Int64(bitPattern: token.expires.seconds), token.creator.text.string,
                    ])
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                throw CertAuthorityError.joinTokenIsThere(token.id)
            }
        }
    }

    public func removeJoinTokens(_ ids: [String]) async throws(CertAuthorityError) {
        let ids = ids.filter { !$0.utf8.contains(0) }
        guard !ids.isEmpty else { return }
        try await database.write { db in
            let statement = try db.cachedStatement(sql: "DELETE FROM join_tokens WHERE id = ?")
            for id in ids { try statement.execute(arguments: [id]) }
        }
    }

    public func enrolledHosts() async throws(CertAuthorityError) -> [EnrolledHost] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM enrolled_hosts").map { try $0.enrolledHost() }
        }
    }

    public func enrol(_ host: EnrolledHost, spending token: String?) async throws(CertAuthorityError) {
        let hostKeys = try storedJSON(host.hostKeys.map(\.text))
        try await database.write { db in
            if let token {
                try db.execute(sql: "DELETE FROM join_tokens WHERE id = ?", arguments: [token])
                guard db.changesCount == 1 else { throw CertAuthorityError.joinTokenIsGone }
            }
            do {
                try db.execute(sql: "DELETE FROM enrolled_hosts WHERE id = ?", arguments: [host.id])
                try db.execute(
                    sql: """
                        INSERT INTO enrolled_hosts (id, client_id, key, host_keys, joined, own_agent)
                        VALUES (?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        host.id, host.clientID, Data(host.key.encoded), hostKeys,
                        Int64(bitPattern: host.joined.seconds), host.isOwnAgent,
                    ])
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                throw CertAuthorityError.clientIDIsTaken(host.clientID)
            }
        }
    }

    public func removeEnrolledHost(id: String) async throws(CertAuthorityError) {
        guard !id.utf8.contains(0) else { return }
        try await database.write { db in
            try db.execute(sql: "DELETE FROM enrolled_hosts WHERE id = ?", arguments: [id])
        }
    }

    public func recordPlaces() async throws(CertAuthorityError) -> [String: RecordPlace] {
        try await database.read { db in
            var places: [String: RecordPlace] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT * FROM record_places") {
                places[try row.text("host")] = RecordPlace(
                    sequence: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "sequence")),
                    hash: Array(try row.decode(Data.self, forColumn: "hash")))
            }
            return places
        }
    }

    public func issuance(serial: UInt64) async throws(CertAuthorityError) -> (
        certificate: UnsignedCertificate, index: UInt64
    )? {
        guard let index = try await database.read({ db in try db.entryIndex(serial: serial) }) else {
            return nil
        }
        return (try ledger.issuance(at: index), index)
    }

    public func issuances(keyID: String) async throws(CertAuthorityError) -> [UnsignedCertificate] {
        guard let found = try ledger.issuance(keyID: ExactText(keyID)) else { return [] }
        return [found.certificate]
    }

    public func issuances(
        of identity: Identity, endingAfter time: UnixTime
    ) async throws(CertAuthorityError) -> [UnsignedCertificate] {
        let indexes = try await database.read { db in
            try Int64.fetchAll(
                db, sql: "SELECT entry FROM identity_certificates WHERE identity = ? ORDER BY entry",
                arguments: [identity.text.string])
        }
        var certificates: [UnsignedCertificate] = []
        for index in indexes {
            let certificate = try ledger.issuance(at: UInt64(bitPattern: index))
            guard certificate.fields.kind == .user, certificate.fields.validBefore > time else { continue }
            certificates.append(certificate)
        }
        return certificates
    }

    public func revoked() async throws(CertAuthorityError) -> [RevocationRecord] {
        try ledger.revocationRecords()
    }

    public func hostEvents(
        _ filter: HostEventFilter, before: UInt64?, limit: Int
    ) async throws(CertAuthorityError) -> [(index: UInt64, milliseconds: UInt64, event: HostEventRecord)] {
        var conditions = ["host_events.entry < ?"]
        var arguments: [any DatabaseValueConvertible] = [Int64(clamping: before ?? UInt64(Int64.max))]
        func need(_ condition: String, _ values: [any DatabaseValueConvertible] = []) {
            conditions.append(condition)
            arguments += values
        }
        if let host = filter.host { need("host = ?", [host]) }
        if let who = filter.who { need("(who = ? OR account = ?)", [who, who]) }
        if let session = filter.session { need("session = ?", [session]) }
        if filter.alertsOnly { need("is_alert") }
        arguments.append(limit)
        let sql = """
            SELECT entries.position, entries.entry FROM host_events
            JOIN entries ON entries.position = host_events.entry
            WHERE \(conditions.joined(separator: " AND "))
            ORDER BY host_events.entry DESC LIMIT ?
            """
        let values = StatementArguments(arguments.map(\.databaseValue))
        let found = try await database.read { db in
            try Row.fetchAll(db, sql: sql, arguments: values).map { row in
                (
                    index: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "position")),
                    entry: Array(try row.decode(Data.self, forColumn: "entry"))
                )
            }
        }
        var events: [(index: UInt64, milliseconds: UInt64, event: HostEventRecord)] = []
        for (index, bytes) in found {
            let entry = try LogEntry(encoded: bytes.span)
            guard case .hostEvent(let record) = entry.event else {
                throw CertAuthorityError(
                    .logInconsistent, "entry \(index) should be a host's report and isn't")
            }
            if let since = filter.since, entry.milliseconds < since { break }
            events.append((index, entry.milliseconds, record))
        }
        return events
    }
}
