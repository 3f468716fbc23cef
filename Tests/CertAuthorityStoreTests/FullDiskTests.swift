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

@Suite("A disk that is full", .serialized)
struct FullDiskTests {
    /// Everything that writes says why it can't; everything that reads goes on.
    private func expectFull(_ ledger: SQLiteLedger, size: UInt64) async throws {
        let directory = SQLiteDirectory(ledger)
        let long = try Sample.person(claims: .text(String(repeating: "x", count: 100_000)))
        let bindings = SQLiteIdentityBindings(ledger) { UnixTime(seconds: 1) }
        let many = try (0..<200).map { try Sample.draft("user-\($0)") }
        let codes = [
            try await refusalCode { _ = try await ledger.append(many, at: sampleNow) },
            try await refusalCode { try await directory.add(try Sample.session("long", person: long)) },
            try await refusalCode {
                let subject = String(repeating: "x", count: 100_000)
                try await bindings.bind(try Identity("bob"), provider: "p", subject: subject)
            },
        ]
        #expect(codes == [.storeFull, .storeFull, .storeFull])
        // Who was here before is let in; the log and what is revoked are read.
        try await bindings.bind(try Identity("alice"), provider: "p", subject: "s")
        #expect(try await directory.sessions().map(\.id) == ["first"])
        #expect(try await ledger.publishedSize() == size)
        #expect(try await ledger.publishedTile("tile/0/000.p/\(size)") != nil)
        #expect(try ledger.revocationRecords().count == 1)
        try expectSound(ledger, count: Int(size))
        #expect(try ledger.verify(logKey: try Sample.noteVerifier).size == size)
    }

    private func fill(_ ledger: SQLiteLedger) async throws -> [UInt64] {
        let receipts = try await ledger.append([try Sample.draft(), try Sample.revocation(5)], at: sampleNow)
        try await SQLiteDirectory(ledger).add(try Sample.session("first"))
        try await SQLiteIdentityBindings(ledger) { UnixTime(seconds: 1) }.bind(
            try Identity("alice"), provider: "p", subject: "s")
        return serials(receipts)
    }

    private func expectGoingOn(_ ledger: SQLiteLedger, after first: [UInt64]) async throws {
        let many = try (0..<200).map { try Sample.draft("user-\($0)") }
        let receipts = try await ledger.append(many, at: sampleNow)
        // Nobody got a serial of what could not be recorded: they go on without a gap.
        #expect(serials(receipts) == (1...200).map { first[0] + $0 })
        try await SQLiteDirectory(ledger).add(try Sample.session("second"))
        try await SQLiteIdentityBindings(ledger) { UnixTime(seconds: 1) }.bind(
            try Identity("bob"), provider: "p", subject: "s")
        try expectSound(ledger, count: 202)
    }

    @Test func attack44_nothingIsIssuedAndReadingGoesOnUntilThereIsRoomAgain() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        let first = try await fill(ledger)
        try await ledger.pool.writeWithoutTransaction { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(pages + 4)")
        }
        for _ in 0..<3 { try await expectFull(ledger, size: 2) }
        try await ledger.pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA max_page_count = 1000000")
        }
        try await expectGoingOn(ledger, after: first)
    }

    /// A file system of its own: the write-ahead log, not the database's pages, is what has no room.
    @Test(.enabled(if: Running.asRoot, "only root mounts"))
    func attack44_aFileSystemWithoutRoomDoesTheSame() async throws {
        let folder = try TemporaryFolder()
        let disk = try folder.makeFolder("disk")
        let mounted = try Tool.run("mount", ["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", disk])
        guard mounted.succeeded else { return print("no tmpfs here: \(mounted)") }
        defer { _ = try? Tool.run("umount", ["-l", disk]) }
        let path = disk + "/ledger.sqlite"
        try SQLiteLedger.create(
            at: path, origin: Sample.origin, serials: .sequential, signer: try Sample.noteSigner)
        let ledger = try SQLiteLedger(opening: path, signer: try Sample.noteSigner)
        let first = try await fill(ledger)
        // All but a little room goes to somebody else.
        var ballast = 0
        while (try? folder.write([UInt8](repeating: 1, count: 16 << 10), to: "disk/ballast-\(ballast)"))
            != nil
        {
            ballast += 1
        }
        #expect(ballast > 10)
        for _ in 0..<3 { try await expectFull(ledger, size: 2) }
        // Another process that starts now reads too.
        #expect(try SQLiteLedger(opening: path, signer: nil).size() == 2)
        for number in 0..<ballast {
            try FileManager.default.removeItem(atPath: disk + "/ballast-\(number)")
        }
        try await expectGoingOn(ledger, after: first)
        try ledger.pool.close()
    }
}
