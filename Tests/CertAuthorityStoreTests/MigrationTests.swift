// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import SSHWire
import TestSupport
import Testing
import TransparencyLog

@testable import CertAuthorityStore

@Suite("A database of another version")
struct MigrationTests {
    /// Every migration after which files may be around: all but the newest.
    static let versions = Array(Schema.migrator.migrations.dropLast())
    private static let entryCount = 300

    /// A file as an earlier version left it: its tables, and in them the log that this version made.
    private func fixture(_ version: String, in folder: TemporaryFolder) async throws -> String {
        let other = try TemporaryFolder()
        defer { withExtendedLifetime(other) {} }
        let made = try Sample.database(in: other, order: Sample.orders[1])
        let drafts = try (0..<Self.entryCount).map { number in
            try number % 7 == 0 ? Sample.revocation(UInt64(number + 1)) : Sample.draft("user-\(number % 5)")
        }
        let receipts = try await made.append(drafts, at: sampleNow)
        let path = folder.path("ledger.sqlite")
        let pool = try SQLiteLedger.open(path, readOnly: false, busyTimeout: 1)
        try await pool.write { db in
            try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
        }
        try Schema.migrator.migrate(pool, upTo: version)
        try await pool.writeWithoutTransaction { db in
            try db.execute(sql: "ATTACH ? AS made", arguments: [made.path])
            for table in ["ledger", "entries", "tiles", "revocations"] {
                try db.execute(sql: "INSERT INTO \(table) SELECT * FROM made.\(table)")
            }
            try db.execute(sql: "DETACH made")
            for receipt in receipts {
                guard case .issuance(let record) = receipt.entry.event else { continue }
                try db.execute(
                    sql: "INSERT INTO certificates (serial, entry, key_id) VALUES (?, ?, ?)",
                    arguments: [
                        Int64(bitPattern: record.fields.serial), Int64(bitPattern: receipt.index),
                        record.fields.keyID.string,
                    ])
            }
            guard version != Schema.ledger else { return }
            try db.execute(sql: "INSERT INTO hosts VALUES ('web1', '[\"www\"]', '{\"team\":\"a\"}')")
        }
        // A running process leaves it as a write-ahead log; a file that is kept has all in itself.
        _ = try await pool.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
        try pool.close()
        return path
    }

    /// Where each certificate is, by whose it is.
    private func certificates(_ ledger: SQLiteLedger) throws -> [String: [UnsignedCertificate]] {
        var certificates: [String: [UnsignedCertificate]] = [:]
        for (index, bytes) in try entries(ledger).enumerated() {
            guard case .issuance(let record) = try LogEntry(encoded: bytes.span).event else { continue }
            #expect(try ledger.entryIndex(serial: record.fields.serial) == UInt64(index))
            #expect(try ledger.issuance(keyID: record.fields.keyID)?.index == UInt64(index))
            let identity = try #require(KeyIDParts(record.fields.keyID)?.identity)
            certificates[identity, default: []].append(record)
        }
        return certificates
    }

    @Test(arguments: versions)
    func eachCertificateIsFoundByItsNamesAndBySomebodys(version: String) async throws {
        let folder = try TemporaryFolder()
        let path = try await fixture(version, in: folder)
        let before = try certificates(try SQLiteLedger(opening: path, signer: nil))
        let ledger = try SQLiteLedger(opening: path, signer: try Sample.noteSigner)
        #expect(try certificates(ledger) == before)
        #expect(before.keys.sorted() == (0..<5).map { "user-\($0)" })
        for (identity, expected) in before {
            let found = try await SQLiteFleetStore(ledger).issuances(
                of: try Identity(identity), endingAfter: UnixTime(seconds: 0))
            #expect(found == expected)
        }
    }

    @Test(arguments: versions)
    func itIsBroughtUpToDateAndTheLogKeepsEveryByte(version: String) async throws {
        let folder = try TemporaryFolder()
        let path = try await fixture(version, in: folder)
        let before = try SQLiteLedger(opening: path, signer: nil)
        let (oldEntries, oldNote) = (try entries(before), try before.checkpoint().bytes)
        let ledger = try SQLiteLedger(opening: path, signer: try Sample.noteSigner)
        #expect(try entries(ledger) == oldEntries)
        #expect(try ledger.checkpoint().bytes == oldNote)
        try expectSound(ledger, count: Self.entryCount)
        #expect(
            try await ledger.pool.read { db in try Schema.migrator.appliedMigrations(db) }
                == Schema.migrator.migrations)
        let hosts = try await SQLiteDirectory(ledger).hosts()
        #expect(hosts.map(\.names) == (version == Schema.ledger ? [] : [["www"]]))
        // It goes on: log, directory and bindings, and another process opens it.
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        try await SQLiteDirectory(ledger).add(try Sample.session())
        #expect(try await SQLiteDirectory(ledger).apiKeys().isEmpty)
        try await SQLiteDirectory(ledger).add(try Sample.apiKey())
        try await SQLiteIdentityBindings(ledger) { UnixTime(seconds: 1) }.bind(
            try Identity("alice"), provider: "p", subject: "s")
        let again = try SQLiteLedger(opening: path, signer: try Sample.noteSigner)
        try expectSound(again, count: Self.entryCount + 1)
        #expect(try await SQLiteDirectory(again).sessions().count == 1)
        #expect(try await SQLiteDirectory(again).apiKeys() == [try Sample.apiKey()])
    }

    @Test(arguments: versions)
    func whoeverOnlyReadsChangesNothingOfIt(version: String) async throws {
        let folder = try TemporaryFolder()
        let path = try await fixture(version, in: folder)
        let before = try folder.read("ledger.sqlite")
        let ledger = try SQLiteLedger(opening: path, signer: nil)
        let head = try ledger.verify(logKey: try Sample.noteVerifier)
        #expect(head.size == UInt64(Self.entryCount))
        #expect(try ledger.revocationRecords().count == 43)
        #expect(try await ledger.publishedSize() == UInt64(Self.entryCount))
        #expect(try ledger.issuance(keyID: "nobody#1") == nil)
        try ledger.pool.close()
        #expect(try folder.read("ledger.sqlite") == before)
    }

    @Test func aNewerOneIsRefusedByNameAndLeftAsItIs() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        try await ledger.pool.write { db in
            try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('99: something new')")
        }
        let before = try await completeBytes(ledger, folder)
        for signer in [try Sample.noteSigner, nil] {
            let error = #expect(throws: CertAuthorityError.self) {
                try SQLiteLedger(opening: ledger.path, signer: signer)
            }
            #expect(error?.code == .storeDamaged)
            #expect(
                error?.reason.contains("newer version of daypass, which added \"99: something new\"") == true)
        }
        #expect(try folder.read("ledger.sqlite") == before)
    }

    @Test(arguments: [Schema.directory, Schema.identityBindings, Schema.apiKeys])
    func aMigrationThatFailsLeavesAFileThatIsUsedAndMigratedLater(failing: String) async throws {
        let folder = try TemporaryFolder()
        let path = try await fixture(Schema.ledger, in: folder)
        let names = [
            Schema.directory: "sessions", Schema.identityBindings: "identity_bindings",
            Schema.apiKeys: "api_keys",
        ]
        let name = try #require(names[failing])
        // Something in the way of the migration's last table.
        let queue = try DatabaseQueue(path: path)
        try await queue.write { db in try db.execute(sql: "CREATE TABLE \(name) (x)") }
        #expect(
            try await refusalCode { _ = try SQLiteLedger(opening: path, signer: try Sample.noteSigner) }
                != nil)
        let reader = try SQLiteLedger(opening: path, signer: nil)
        try expectSound(reader, count: Self.entryCount)
        let isHalfDone = try await queue.read { db in
            try db.tableExists("enrolled_keys") && failing == Schema.directory
        }
        #expect(!isHalfDone)
        try await queue.write { db in try db.execute(sql: "DROP TABLE \(name)") }
        try queue.close()
        let ledger = try SQLiteLedger(opening: path, signer: try Sample.noteSigner)
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        try expectSound(ledger, count: Self.entryCount + 1)
    }

    @Test func aProcessThatDiesWhileMigratingLeavesAFileThatIsMigratedLater() async throws {
        let folder = try TemporaryFolder()
        let path = try await fixture(Schema.ledger, in: folder)
        // What a killed process leaves: a write-ahead log that ends before the commit.
        let configuration = {
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            return configuration
        }()
        let dying = try DatabaseQueue(path: path, configuration: configuration)
        try await dying.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA cache_size = 1")
            try db.execute(sql: "PRAGMA cache_spill = 1")
            try db.execute(sql: "BEGIN IMMEDIATE")
            try db.execute(sql: "CREATE TABLE enrolled_keys (x)")
            try db.execute(sql: "CREATE TABLE filling (x)")
            for _ in 0..<200 { try db.execute(sql: "INSERT INTO filling VALUES (randomblob(4000))") }
        }
        for name in ["", "-wal"] {
            try folder.write(try folder.read("ledger.sqlite" + name), to: "left.sqlite" + name)
        }
        #expect(try folder.read("left.sqlite-wal").count > 100_000)
        let ledger = try SQLiteLedger(opening: folder.path("left.sqlite"), signer: try Sample.noteSigner)
        try expectSound(ledger, count: Self.entryCount)
        #expect(try await ledger.pool.read { db in try !db.tableExists("filling") })
        try await SQLiteDirectory(ledger).add(try Sample.enrolledKey())
        try await dying.writeWithoutTransaction { db in try db.execute(sql: "ROLLBACK") }
    }

    @Test func processesThatMigrateAtOnceAllGetThere() async throws {
        let folder = try TemporaryFolder()
        let path = try await fixture(Schema.ledger, in: folder)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let ledger = try SQLiteLedger(opening: path, signer: try Sample.noteSigner)
                    _ = try await ledger.append([try Sample.draft()], at: sampleNow)
                }
            }
            try await group.waitForAll()
        }
        try expectSound(try SQLiteLedger(opening: path, signer: nil), count: Self.entryCount + 8)
    }
}
