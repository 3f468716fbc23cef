// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import TestSupport
import Testing

@Suite("An older copy of the database that is put back")
struct RestoredDatabaseTests {
    private func issue(_ count: Int, _ path: String, at milliseconds: UInt64) async throws -> [UInt64] {
        let ledger = try SQLiteLedger(opening: path, signer: try Sample.noteSigner)
        let drafts = try (0..<count).map { _ in try Sample.draft() }
        return serials(try await ledger.append(drafts, at: milliseconds))
    }

    /// The database alone: the last one that closed it left nothing beside it.
    private func restore(_ copy: [UInt8], _ folder: TemporaryFolder) throws {
        #expect(!folder.contains("ledger.sqlite-wal"))
        try folder.write(copy, to: "ledger.sqlite")
    }

    @Test(arguments: Sample.orders)
    func attack61_noSerialIsUsedAgainASecondLater(order: SerialSequence.Order) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("ledger.sqlite")
        try SQLiteLedger.create(
            at: path, origin: Sample.origin, serials: order, signer: try Sample.noteSigner)
        let before = try await issue(100, path, at: sampleNow)
        let copy = try folder.read("ledger.sqlite")
        let lost = try await issue(2_000, path, at: sampleNow + 500)
        try restore(copy, folder)
        let after = try await issue(2_000, path, at: sampleNow + 1_000)
        try restore(copy, folder)
        let again = try await issue(2_000, path, at: sampleNow + 2_000)
        #expect(Set(before + lost + after + again).count == 6_100)
    }

    @Test(arguments: Sample.orders)
    func attack61_aDatabaseFromTheVeryStartGoesOnFromNow(order: SerialSequence.Order) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("ledger.sqlite")
        try SQLiteLedger.create(
            at: path, origin: Sample.origin, serials: order, signer: try Sample.noteSigner)
        let empty = try folder.read("ledger.sqlite")
        var seen: [UInt64] = []
        for day in UInt64(0)..<10 {
            seen += try await issue(100, path, at: sampleNow + day * 86_400_000)
            try restore(empty, folder)
        }
        #expect(Set(seen).count == 1_000)
    }

    /// Where the promise ends, as docs/decisions/0001-serials-never-repeat.md says: in the lost entries' own second.
    @Test func withinTheSameSecondARestoredDatabaseRepeatsItself() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("ledger.sqlite")
        try SQLiteLedger.create(
            at: path, origin: Sample.origin, serials: .sequential, signer: try Sample.noteSigner)
        let copy = try folder.read("ledger.sqlite")
        let lost = try await issue(1, path, at: sampleNow)
        try restore(copy, folder)
        #expect(try await issue(1, path, at: sampleNow + 999) == lost)
    }
}
