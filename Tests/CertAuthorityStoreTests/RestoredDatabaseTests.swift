// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import TestSupport
import Testing

@testable import CertAuthorityStore

@Suite("An older copy of the database that is put back")
struct RestoredDatabaseTests {
    private func issue(_ count: Int, _ ledger: SQLiteLedger, at milliseconds: UInt64) async throws -> [UInt64]
    {
        let drafts = try (0..<count).map { _ in try Sample.draft() }
        return serials(try await ledger.append(drafts, at: milliseconds))
    }

    /// Opens the copy in the database's stead.
    private func restore(_ copy: [UInt8], as name: String, _ folder: TemporaryFolder) throws -> SQLiteLedger {
        try SQLiteLedger(opening: try folder.write(copy, to: name), signer: try Sample.noteSigner)
    }

    @Test(arguments: Sample.orders)
    func attack61_noSerialIsUsedAgainASecondLater(order: SerialSequence.Order) async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder, order: order)
        let before = try await issue(100, ledger, at: sampleNow)
        let copy = try await completeBytes(ledger, folder)
        let lost = try await issue(2_000, ledger, at: sampleNow + 500)
        let after = try await issue(2_000, try restore(copy, as: "1", folder), at: sampleNow + 1_000)
        let again = try await issue(2_000, try restore(copy, as: "2", folder), at: sampleNow + 2_000)
        #expect(Set(before + lost + after + again).count == 6_100)
    }

    @Test(arguments: Sample.orders)
    func attack61_aDatabaseFromTheVeryStartGoesOnFromNow(order: SerialSequence.Order) async throws {
        let folder = try TemporaryFolder()
        let empty = try await completeBytes(try Sample.database(in: folder, order: order), folder)
        var seen: [UInt64] = []
        for day in UInt64(0)..<10 {
            let ledger = try restore(empty, as: "\(day)", folder)
            seen += try await issue(100, ledger, at: sampleNow + day * 86_400_000)
        }
        #expect(Set(seen).count == 1_000)
    }

    /// Where the promise ends, as docs/decisions/0001-serials-never-repeat.md says: in the lost entries' own
    /// millisecond.
    @Test func withinTheSameMillisecondARestoredDatabaseRepeatsItself() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        let copy = try await completeBytes(ledger, folder)
        let lost = try await issue(1, ledger, at: sampleNow)
        #expect(try await issue(1, try restore(copy, as: "copy", folder), at: sampleNow) == lost)
        #expect(try await issue(1, try restore(copy, as: "later", folder), at: sampleNow + 1) != lost)
    }
}
