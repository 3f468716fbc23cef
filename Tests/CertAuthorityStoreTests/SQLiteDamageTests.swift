// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import GRDB
import SSHWire
import TestSupport
import Testing
import TransparencyLog

@testable import CertAuthorityStore

@Suite("A database whose bytes are not what was written")
struct SQLiteDamageTests {
    @Test func aTruncatedDatabaseIsNeverTakenForAShorterLog() async throws {
        let folder = try TemporaryFolder()
        let whole = try await databaseBytes(folder, count: 300)
        let original = try #require(try soundContent(folder.path("ledger.sqlite")))
        #expect(original.count == 300)
        let pages = Array(stride(from: 4_096, to: whole.count, by: 4_096))
        for length in [0, 1, 99, 100, 512, 4_095, whole.count - 1] + pages {
            let path = try folder.write(Array(whole.prefix(length)), to: "\(length).sqlite")
            #expect(try soundContent(path) == nil, "\(length) of \(whole.count) bytes")
        }
    }

    @Test func aChangedByteAnywhereIsNoticedOrChangesNothingAndNeverCrashes() async throws {
        let folder = try TemporaryFolder()
        let whole = try await databaseBytes(folder, count: 20)
        let original = try #require(try soundContent(folder.path("ledger.sqlite")))
        // Every 29th byte: of all pages their headers, cell pointers, record headers and contents.
        for index in stride(from: 100, to: whole.count, by: 29) where whole[index] != 0 || index % 3 == 0 {
            var changed = whole
            changed[index] ^= index % 2 == 0 ? 0x01 : 0xff
            let path = try folder.write(changed, to: "\(index).sqlite")
            if let content = try soundContent(path) { #expect(content == original, "byte \(index)") }
        }
    }

    /// Takes a table's rules away, as a damaged page knows none, and then changes it.
    private func change(_ table: String, _ change: String, _ ledger: SQLiteLedger) async throws {
        try await ledger.pool.write { db in
            try db.execute(sql: "CREATE TABLE copy AS SELECT * FROM \(table)")
            try db.execute(sql: "DROP TABLE \(table)")
            try db.execute(sql: "ALTER TABLE copy RENAME TO \(table)")
            try db.execute(sql: "UPDATE \(table) SET \(change)")
        }
    }

    @Test(arguments: [
        "size = NULL", "size = 'many'", "size = -1", "size = 0", "checkpoint = NULL", "checkpoint = 5",
        "serial_position = NULL", "serial_position = x'00'", "origin = NULL", "origin = x'ff'",
        "serial_key = 'text'", "serial_key = 7", "serial_key = x'00'",
    ])
    func aLedgerRowOfAnotherFormIsAnErrorAndNoCrash(columns: String) async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        try await change("ledger", columns, ledger)
        let code = try await refusalCode {
            // With the log key it is noticed at once, or when something is recorded.
            let writer = try SQLiteLedger(opening: ledger.path, signer: try Sample.noteSigner)
            _ = try await writer.append([try Sample.draft()], at: sampleNow)
        }
        #expect(code == .storeDamaged || code == .logInconsistent, "\(String(describing: code))")
        let reader = try SQLiteLedger(opening: ledger.path, signer: nil)
        _ = try await refusalCode {
            _ = try reader.origin
            _ = try reader.checkpoint()
            _ = try reader.size()
        }
        #expect(try entries(reader).count == 1)
    }

    struct Loss: Sendable, CustomTestStringConvertible {
        let table: String
        let column: String
        let read: @Sendable (SQLiteLedger) throws -> Void
        var testDescription: String { "\(table).\(column)" }
    }

    static let losses = [
        Loss(table: "entries", column: "entry") { _ = try entries($0) },
        Loss(table: "entries", column: "entry") { _ = try $0.entry(at: 0) },
        Loss(table: "entries", column: "hash") { _ = try $0.root(size: 301) },
        Loss(table: "entries", column: "entry") { _ = try $0.revocations() },
        Loss(table: "tiles", column: "hashes") { _ = try $0.root(size: 300) },
        Loss(table: "certificates", column: "entry") { _ = try $0.issuance(keyID: "alice#1") },
        Loss(table: "certificates", column: "entry") { _ = try $0.entryIndex(serial: 1) },
    ]

    @Test(arguments: losses)
    func aRowWithoutItsValueIsAnErrorAndNoCrash(loss: Loss) async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        _ = try await ledger.append(try (0..<300).map { _ in try Sample.draft() }, at: sampleNow)
        _ = try await ledger.append([try Sample.revocation(1)], at: sampleNow)
        try await change("certificates", "serial = 1", ledger)
        #expect(try await refusalCode { try loss.read(ledger) } == nil)
        try await change(loss.table, "\(loss.column) = NULL", ledger)
        let reopened = try SQLiteLedger(opening: ledger.path, signer: nil)
        let code = try await refusalCode { try loss.read(reopened) }
        #expect(code == .storeDamaged || code == .logInconsistent, "\(String(describing: code))")
    }
}

/// The bytes of a database with `count` entries, complete without a write-ahead log.
func databaseBytes(_ folder: TemporaryFolder, count: Int) async throws -> [UInt8] {
    let ledger = try Sample.database(in: folder)
    for number in 0..<count {
        let draft = try number % 4 == 3 ? Sample.revocation(7) : Sample.draft("user-\(number)")
        _ = try await ledger.append([draft], at: sampleNow)
    }
    return try await completeBytes(ledger, folder)
}

/// The bytes of the database file after all of its write-ahead log was moved into it.
func completeBytes(_ ledger: SQLiteLedger, _ folder: TemporaryFolder) async throws -> [UInt8] {
    try await ledger.pool.writeWithoutTransaction { db in
        try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
    }
    #expect(try folder.read("ledger.sqlite-wal").isEmpty)
    return try folder.read("ledger.sqlite")
}

/// What the file at `path` says, if it can be read to its end and its checkpoint is that of its entries.
///
/// - Throws: only an error that says that it is damaged.
func soundContent(_ path: String) throws -> [[UInt8]]? {
    do {
        let ledger = try SQLiteLedger(opening: path, signer: nil)
        let content = try entries(ledger)
        let checkpoint = try VerifiedCheckpoint(
            try ledger.checkpoint(), origin: Sample.origin, logKeys: [try Sample.noteVerifier])
        _ = try ledger.revocations()
        _ = try ledger.root(size: try ledger.size())
        return checkpoint.head == (try treeHead(content)) ? content : nil
    } catch let error as CertAuthorityError where [.storeDamaged, .logInconsistent].contains(error.code) {
        return nil
    } catch is TransparencyLogError {
        return nil
    }
}
