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

/// What is noticed when a database is opened to be written, and at what cost.
@Suite("Opening a database for writing")
struct StartCheckTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        let what: String
        let sql: String
        let code: CertAuthorityError.Code
        var testDescription: String { what }
    }

    static let damages = [
        Damage(
            what: "a checkpoint that nobody signed", sql: "UPDATE ledger SET checkpoint = x'00'",
            code: .logInconsistent),
        Damage(what: "another size", sql: "UPDATE ledger SET size = 299", code: .logInconsistent),
        Damage(
            what: "a last entry that is gone", sql: "DELETE FROM entries WHERE position = 299",
            code: .logInconsistent),
        Damage(
            what: "an entry more", sql: "INSERT INTO entries VALUES (300, zeroblob(32), x'00')",
            code: .logInconsistent),
        Damage(
            what: "another last entry", sql: "UPDATE entries SET entry = x'00' WHERE position = 299",
            code: .logInconsistent),
        Damage(
            what: "another hash at the edge",
            sql: "UPDATE entries SET hash = zeroblob(32) WHERE position = 280",
            code: .logInconsistent),
        Damage(
            what: "another tile", sql: "UPDATE tiles SET hashes = zeroblob(8192)", code: .logInconsistent),
        Damage(
            what: "a session without its key",
            sql: """
                INSERT INTO sessions VALUES ('1', 'a', 'p', 's', NULL, '[]', '{}', 1, x'00', NULL, '', 1, 2);
                PRAGMA writable_schema = 1;
                UPDATE sqlite_schema SET sql = replace(sql, 'email TEXT', 'email TEXT NOT NULL')
                    WHERE name = 'sessions';
                """, code: .storeDamaged),
    ]

    private func filled(_ folder: TemporaryFolder) async throws -> SQLiteLedger {
        let ledger = try Sample.database(in: folder)
        _ = try await ledger.append(try (0..<300).map { try Sample.draft("user-\($0)") }, at: sampleNow)
        return ledger
    }

    @Test(arguments: damages)
    func damageThatTheNextEntryWouldBuildOnIsNamedAndNothingIsWritten(damage: Damage) async throws {
        let folder = try TemporaryFolder()
        let ledger = try await filled(folder)
        // Its own connection: in a defensive one, writable_schema does nothing.
        let queue = try DatabaseQueue(path: ledger.path)
        try await queue.writeWithoutTransaction { db in try db.execute(sql: damage.sql) }
        try queue.close()
        let before = try await completeBytes(ledger, folder)
        let error = #expect(throws: CertAuthorityError.self) {
            try SQLiteLedger(opening: ledger.path, signer: try Sample.noteSigner)
        }
        #expect(error?.code == damage.code, "\(String(describing: error))")
        #expect(error?.hint?.contains("daypass log verify") == true)
        #expect(try folder.read("ledger.sqlite") == before)
        // Reading goes on: what can be saved must be.
        #expect(try SQLiteLedger(opening: ledger.path, signer: nil).entry(at: 0) != nil)
    }

    @Test func aDatabaseOfAnotherLogsKeyIsRefused() async throws {
        let folder = try TemporaryFolder()
        let ledger = try await filled(folder)
        let other = SampleKey(seed: 9)
        let signer = try NoteSigner(name: try KeyName(Sample.origin), publicKey: other.publicBytes) {
            other.signature(over: $0)
        }
        #expect(
            try await refusalCode { _ = try SQLiteLedger(opening: ledger.path, signer: signer) }
                == .logInconsistent)
    }

    /// What only reading everything finds: the limit of the check, and what `daypass log verify` is for.
    @Test func anOldEntrysBytesAreForLogVerify() async throws {
        let folder = try TemporaryFolder()
        let ledger = try await filled(folder)
        try await ledger.pool.write { db in
            try db.execute(sql: "UPDATE entries SET entry = x'00' WHERE position = 100")
        }
        let opened = try SQLiteLedger(opening: ledger.path, signer: try Sample.noteSigner)
        #expect(
            try await refusalCode { _ = try opened.verify(logKey: try Sample.noteVerifier) }
                == .logInconsistent
        )
    }

    /// `DAYPASS_START_ENTRIES=1000000` measures it; by default few entries show that the tree's edge is right at odd
    /// sizes.
    @Test func itCostsLittleWhateverTheLogsSize() async throws {
        let wanted = ProcessInfo.processInfo.environment["DAYPASS_START_ENTRIES"].flatMap { Int($0) } ?? 3_000
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        let drafts = try (0..<1_000).map { try Sample.draft("user-\($0)") }
        for _ in 0..<(wanted / 1_000) { _ = try await ledger.append(drafts, at: sampleNow) }
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        let directory = SQLiteDirectory(ledger)
        for number in 0..<(wanted / 100) { try await directory.add(try Sample.session("\(number)")) }
        try ledger.pool.close()
        let took = try ContinuousClock().measure {
            _ = try SQLiteLedger(opening: ledger.path, signer: try Sample.noteSigner)
        }
        print("opening \(wanted) entries for writing: \(took)")
        #expect(took < .seconds(2))
    }
}
