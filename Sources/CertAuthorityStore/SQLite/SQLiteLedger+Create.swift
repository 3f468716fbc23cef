// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
public import TransparencyLog

extension SQLiteLedger {
    /// Makes a database with its first entries; ``init(opening:signer:)`` opens it.
    ///
    /// - Throws: when something is at `path` already, or the serials' key has another length than it must.
    public static func create(
        at path: String, origin: String, serials: SerialSequence.Order, signer: NoteSigner
    ) throws(CertAuthorityError) {
        try serials.check()
        let note: SignedNote
        do {
            // First what can fail without a file.
            note = try SignedNote(
                signing: try Checkpoint(origin: origin, head: Frontier().head), by: [signer])
        } catch {
            throw ledgerError(error, path)
        }
        // SQLite gives its other files the mode of this one.
        let nothing: [UInt8] = []
        try FileIO.write(nothing.span, to: path, mode: 0o600, replacing: false)
        do {
            try fill(path, origin: origin, serials: serials, note: note)
        } catch {
            // Half a database would be neither opened nor made again.
            for file in [path, path + "-wal", path + "-shm"] {
                try? FileManager.default.removeItem(atPath: file)
            }
            throw ledgerError(error, path)
        }
    }

    private static func fill(
        _ path: String, origin: String, serials: SerialSequence.Order, note: SignedNote
    ) throws {
        let pool = try open(path, readOnly: false, busyTimeout: busyTimeout)
        try pool.write { db in
            try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
        }
        try Schema.migrator.migrate(pool)
        var key: Data?
        if case .random(let bytes) = serials { key = Data(bytes) }
        try pool.write { db in
            try db.execute(
                sql: """
                    INSERT INTO ledger (id, origin, serial_key, serial_position, size, checkpoint)
                    VALUES (1, ?, ?, 0, 0, ?)
                    """, arguments: [origin, key, Data(note.bytes)])
        }
        try pool.close()
    }

    static func open(
        _ path: String, readOnly: Bool, busyTimeout: TimeInterval, isDistrusted: Bool = false
    ) throws -> DatabasePool {
        let configuration = configuration(
            readOnly: readOnly, busyTimeout: busyTimeout, isDistrusted: isDistrusted)
        let pool = try DatabasePool(path: path, configuration: configuration)
        guard !readOnly else { return pool }
        // GRDB sets NORMAL when it opens a WAL pool, which does not sync a commit: set FULL after it, and look.
        try pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
                throw CertAuthorityError(.storeDamaged, "the database does not sync its commits")
            }
        }
        return pool
    }

    /// How a connection is opened.
    ///
    /// - Parameter isDistrusted: as sqlite.org/security.html advises for files of others: functions that do something are
    ///   not called by a schema, and each cell of a page is checked before it is used.
    static func configuration(
        readOnly: Bool, busyTimeout: TimeInterval, isDistrusted: Bool
    ) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .timeout(busyTimeout)
        configuration.label = "ledger"
        // Not GRDB's .userInitiated: on Linux its threads ask for a priority above others', which root alone gets, and
        // everybody else's system log says so each time.
        configuration.qos = .default
        if isDistrusted {
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
            }
        }
        return configuration
    }
}
