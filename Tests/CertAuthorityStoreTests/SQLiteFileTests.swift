// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import GRDB
import SSHWire
import TestSupport
import Testing
import TransparencyLog

@testable import CertAuthorityStore

@Suite("The database file")
struct SQLiteFileTests {
    @Test func commitsAreSyncedThroughAWriteAheadLog() async throws {
        let folder = try TemporaryFolder()
        let made = try Sample.database(in: folder)
        _ = try await made.append([try Sample.draft()], at: sampleNow)
        let reopened = try SQLiteLedger(opening: made.path, signer: try Sample.noteSigner)
        for ledger in [made, reopened] {
            let (synchronous, mode) = try await ledger.pool.writeWithoutTransaction { db in
                (
                    try Int.fetchOne(db, sql: "PRAGMA synchronous"),
                    try String.fetchOne(db, sql: "PRAGMA journal_mode")
                )
            }
            // 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
            #expect(synchronous == 2)
            #expect(mode == "wal")
        }
    }

    @Test func nobodyElseCanReadItsFiles() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        _ = try await ledger.append([try Sample.draft()], at: sampleNow)
        for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
            #expect(try folder.mode(of: name) == 0o600, "\(name)")
        }
    }

    @Test func whatWasClosedGoesOnWhereItWas() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("ledger.sqlite")
        try SQLiteLedger.create(
            at: path, origin: Sample.origin, serials: .sequential, signer: try Sample.noteSigner)
        var all: [LedgerReceipt] = []
        for round in 0..<30 {
            let ledger = try SQLiteLedger(opening: path, signer: try Sample.noteSigner)
            let drafts = try (0..<(round + 1)).map { try Sample.draft("user-\($0)") }
            all += try await ledger.append(drafts, at: sampleNow)
        }
        let ledger = try SQLiteLedger(opening: path, signer: nil)
        #expect(all.map(\.index) == Array(0..<465))
        #expect(Set(serials(all)).count == 465)
        try expectSound(ledger, count: 465)
        for receipt in all {
            guard case .issuance(let record) = receipt.entry.event else { continue }
            #expect(try ledger.entryIndex(serial: record.fields.serial) == receipt.index)
            #expect(try ledger.issuance(keyID: record.fields.keyID)?.index == receipt.index)
            #expect(try ledger.entry(at: receipt.index) == receipt.entry.encoded())
        }
        #expect(try ledger.entry(at: 465) == nil)
        #expect(try ledger.entryIndex(serial: 1) == nil)
        #expect(try ledger.issuance(keyID: "nobody#1") == nil)
        #expect(try ledger.origin == Sample.origin)
    }

    @Test func revocationsAreFoundInTheirOrder() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        _ = try await ledger.append([try Sample.draft(), try Sample.revocation(9)], at: sampleNow)
        _ = try await ledger.append([try Sample.revocation(.max), try Sample.draft()], at: sampleNow)
        let revocations = try ledger.revocations()
        #expect(revocations.map(\.index) == [1, 2])
        let named = revocations.compactMap { revocation -> UInt64? in
            guard case .revocation(let record) = revocation.entry.event,
                case .serial(let serial, _) = record.target
            else { return nil }
            return serial
        }
        #expect(named == [9, .max])
    }

    @Test func twoConnectionsTakeTurns() async throws {
        let folder = try TemporaryFolder()
        let one = try Sample.database(in: folder)
        let other = try SQLiteLedger(opening: one.path, signer: try Sample.noteSigner)
        var receipts: [LedgerReceipt] = []
        for round in 0..<60 {
            let ledger = round % 3 == 0 ? one : other
            receipts += try await ledger.append(
                try (0...(round % 7)).map { _ in try Sample.draft() }, at: sampleNow)
        }
        #expect(receipts.map(\.index) == Array(0..<UInt64(receipts.count)))
        #expect(Set(serials(receipts)).count == receipts.count)
        try expectSound(one, count: receipts.count)
        try expectSound(other, count: receipts.count)
    }

    @Test func twoConnectionsMayWriteAtOnce() async throws {
        let folder = try TemporaryFolder()
        let one = try Sample.database(in: folder)
        let other = try SQLiteLedger(opening: one.path, signer: try Sample.noteSigner)
        let receipts = try await withThrowingTaskGroup(of: [LedgerReceipt].self) { group in
            for task in 0..<16 {
                let ledger = task % 2 == 0 ? one : other
                group.addTask {
                    var mine: [LedgerReceipt] = []
                    for _ in 0..<20 {
                        mine += try await ledger.append([try Sample.draft("task-\(task)")], at: sampleNow)
                    }
                    return mine
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(receipts.map(\.index).sorted() == Array(0..<320))
        #expect(Set(serials(receipts)).count == 320)
        try expectSound(one, count: 320)
    }

    @Test func withoutTheLogKeyItIsReadAndNotWritten() async throws {
        let folder = try TemporaryFolder()
        let writer = try Sample.database(in: folder)
        _ = try await writer.append([try Sample.draft()], at: sampleNow)
        let reader = try SQLiteLedger(opening: writer.path, signer: nil)
        let code = try await refusalCode { _ = try await reader.append([try Sample.draft()], at: sampleNow) }
        #expect(code == .storeReadOnly)
        try expectSound(reader, count: 1)
    }
}

/// The log in `ledger` has `count` entries, and its signed checkpoint is that of an independent tree over them.
func expectSound(
    _ ledger: SQLiteLedger, count: Int, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let content = try entries(ledger)
    #expect(content.count == count, sourceLocation: sourceLocation)
    #expect(try ledger.size() == UInt64(count), sourceLocation: sourceLocation)
    let checkpoint = try VerifiedCheckpoint(
        try ledger.checkpoint(), origin: Sample.origin, logKeys: [try Sample.noteVerifier])
    #expect(checkpoint.head == (try treeHead(content)), sourceLocation: sourceLocation)
    #expect(try ledger.root(size: UInt64(count)) == checkpoint.head.root, sourceLocation: sourceLocation)
}
