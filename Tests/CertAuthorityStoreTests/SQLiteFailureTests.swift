// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import GRDB
import SSHWire
import TestSupport
import Testing
import TransparencyLog

@testable import CertAuthorityStore

@Suite("A database that cannot be used")
struct SQLiteFailureTests {
    private func openingCode(_ path: String) async throws -> CertAuthorityError.Code? {
        try await refusalCode { _ = try SQLiteLedger(opening: path, signer: try Sample.noteSigner) }
    }

    @Test func aMissingDatabaseIsNamedAndNotMade() async throws {
        let folder = try TemporaryFolder()
        #expect(try await openingCode(folder.path("ledger.sqlite")) == .storeMissing)
        #expect(!folder.contains("ledger.sqlite"))
        #expect(try await openingCode(folder.path("nowhere/ledger.sqlite")) == .storeMissing)
    }

    @Test(arguments: ["text", "SQLite format 3\0", String(repeating: "x", count: 10_000)])
    func aFileThatIsNoDatabaseIsRefusedAndLeftAsItIs(content: String) async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(content, to: "ledger.sqlite")
        #expect(try await openingCode(path) == .storeDamaged)
        #expect(try folder.readText("ledger.sqlite") == content)
    }

    @Test func aDatabaseOfANewerVersionIsRefused() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        try await ledger.pool.write { db in
            try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('99: something new')")
        }
        #expect(try await openingCode(ledger.path) == .storeDamaged)
        try await ledger.pool.write { db in
            try db.execute(sql: "DELETE FROM grdb_migrations WHERE identifier LIKE '99:%'")
        }
        #expect(try await openingCode(ledger.path) == nil)
    }

    @Test func aDatabaseThatSomebodyElseWritesIsLockedAndThenNot() async throws {
        let folder = try TemporaryFolder()
        let made = try Sample.database(in: folder)
        _ = try await made.append([try Sample.draft()], at: sampleNow)
        let ledger = try SQLiteLedger(opening: made.path, signer: try Sample.noteSigner, busyTimeout: 0.02)
        let holder = try TransactionHolder(made.path)
        try await holder.begin()
        let refused = try await refusalCode {
            _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        }
        #expect(refused == .storeLocked)
        // Reading goes on meanwhile.
        try expectSound(ledger, count: 1)
        try await holder.end()
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        try expectSound(ledger, count: 2)
    }

    @Test func aFullDiskLeavesNothingHalfWritten() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        let pages = try await ledger.pool.writeWithoutTransaction { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(pages + 4)")
            return pages
        }
        #expect(pages > 1)
        let many = try (0..<200).map { try Sample.draft("user-\($0)") }
        #expect(try await refusalCode { _ = try await ledger.append(many, at: sampleNow) } == .storeFull)
        try expectSound(ledger, count: 1)
        // What fits still goes in, and with room so does the rest.
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        try await ledger.pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA max_page_count = 1000000")
        }
        let receipts = try await ledger.append(many, at: sampleNow)
        #expect(receipts.first?.index == 2)
        try expectSound(ledger, count: 202)
    }

    @Test(.enabled(if: !Running.asRoot, "root may write in any folder"))
    func aFolderThatCannotBeWrittenIsNamed() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(try await databaseBytes(folder, count: 1), to: "copy.sqlite")
        try folder.setMode(0o400, of: "copy.sqlite")
        try folder.setMode(0o500, of: ".")
        #expect(try await openingCode(path) == .storeReadOnly)
        try folder.setMode(0o700, of: ".")
        try folder.setMode(0o600, of: "copy.sqlite")
        #expect(try await openingCode(path) == nil)
    }

    @Test func aLogKeyThatCannotSignLeavesTheDatabaseAsItWas() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        let broken = try NoteSigner(
            name: try KeyName(Sample.origin), publicKey: Sample.logKey.publicBytes
        ) { _ in throw CertAuthorityError(.key, "the log key is gone") }
        let failing = try SQLiteLedger(opening: ledger.path, signer: broken)
        #expect(
            try await refusalCode { _ = try await failing.append([try Sample.draft()], at: sampleNow) }
                == .key)
        try expectSound(ledger, count: 1)
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        try expectSound(ledger, count: 2)
    }

    @Test func aDatabaseIsNotMadeOverAnother() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        let code = try await refusalCode {
            try SQLiteLedger.create(
                at: ledger.path, origin: "other", serials: .sequential, signer: try Sample.noteSigner)
        }
        #expect(code == .file)
        try expectSound(ledger, count: 1)
    }

    @Test(arguments: [0, 15, 17])
    func aDatabaseIsNotMadeWithASerialKeyOfAnotherLength(count: Int) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("ledger.sqlite")
        let code = try await refusalCode {
            try SQLiteLedger.create(
                at: path, origin: Sample.origin, serials: .random(key: [UInt8](repeating: 1, count: count)),
                signer: try Sample.noteSigner)
        }
        #expect(code == .storeDamaged)
        #expect(!folder.contains("ledger.sqlite"))
    }

    @Test(arguments: ["", "two\nlines", String(repeating: "x", count: 256)])
    func aDatabaseThatCannotBeMadeLeavesNoFile(origin: String) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("ledger.sqlite")
        let code = try await refusalCode {
            try SQLiteLedger.create(
                at: path, origin: origin, serials: .sequential, signer: try Sample.noteSigner)
        }
        #expect(code != nil)
        for name in ["", "-wal", "-shm"] { #expect(!folder.contains("ledger.sqlite" + name)) }
        try SQLiteLedger.create(
            at: path, origin: Sample.origin, serials: .sequential, signer: try Sample.noteSigner)
        try expectSound(try SQLiteLedger(opening: path, signer: nil), count: 0)
    }

    @Test func anotherProgramsDatabaseIsRefusedAndLeftAsItIs() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("ledger.sqlite")
        let queue = try DatabaseQueue(path: path)
        try await queue.write { db in try db.execute(sql: "CREATE TABLE photographs (name TEXT)") }
        try queue.close()
        let before = try folder.read("ledger.sqlite")
        #expect(try await openingCode(path) == .storeDamaged)
        #expect(try folder.read("ledger.sqlite") == before)
        #expect(!folder.contains("ledger.sqlite-wal"))
    }

    @Test func anEmptyFileIsRefusedAndLeftAsItIs() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("", to: "ledger.sqlite")
        #expect(try await openingCode(path) == .storeDamaged)
        #expect(try folder.read("ledger.sqlite").isEmpty)
    }

    @Test func aCallerWhoIsCancelledFailsNobodyElse() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        let draft = try Sample.draft()
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                group.addTask {
                    if number % 2 == 0 { unsafe withUnsafeCurrentTask { unsafe $0?.cancel() } }
                    return (try? await ledger.append([draft], at: sampleNow)) != nil
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        // Whoever asked is told what became of it, and what is told is so.
        #expect(outcomes == [Bool](repeating: true, count: 200))
        try expectSound(ledger, count: 200)
    }
}

/// Another program in the middle of its transaction.
struct TransactionHolder {
    private let queue: DatabaseQueue

    init(_ path: String) throws {
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        queue = try DatabaseQueue(path: path, configuration: configuration)
    }

    func begin() async throws {
        try await queue.writeWithoutTransaction { db in try db.execute(sql: "BEGIN IMMEDIATE") }
    }

    func end() async throws {
        try await queue.writeWithoutTransaction { db in try db.execute(sql: "ROLLBACK") }
    }
}
