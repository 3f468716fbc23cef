// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TransparencyLog

@Suite struct LogVerifierTests {
    private func head(_ entries: [[UInt8]], _ size: Int) throws -> TreeHead {
        try tree(of: Array(entries[..<size])).frontier.head
    }

    private func verify(_ entries: [[UInt8]], _ expected: [TreeHead]) throws -> TreeHead {
        var verifier = LogVerifier(expecting: expected)
        for entry in entries { try verifier.append(entry.span) }
        return try verifier.finish()
    }

    @Test func aLogMeetsEveryCheckpointOfItsPast() throws {
        let entries = sampleEntries(40)
        let expected = try [40, 0, 7, 8, 7, 1, 39].map { try head(entries, $0) }
        #expect(try verify(entries, expected) == head(entries, 40))
        #expect(try verify([], [try head(entries, 0)]).root == MerkleHash.emptyRoot)
        #expect(try verify(entries, []) == head(entries, 40))
    }

    @Test func aRolledBackLogIsNamed() throws {
        let entries = sampleEntries(40)
        let published = try [10, 30].map { try head(entries, $0) }
        #expect(throws: Never.self) { try verify(Array(entries[..<30]), published) }
        let error = failure { _ = try verify(Array(entries[..<29]), published) }
        #expect(error?.code == .rolledBack)
        #expect(error?.reason.contains("29 entries") == true)
        #expect(error?.reason.contains("checkpoint of 30") == true)
        #expect(code { _ = try verify([], published) } == .rolledBack)
    }

    @Test(arguments: [0, 9, 10, 19])
    func aChangedEntryIsBoundedByTheCheckpointsAroundIt(victim: Int) throws {
        let entries = sampleEntries(40)
        let published = try [10, 20, 40].map { try head(entries, $0) }
        var changed = entries
        changed[victim].append(0)
        let error = failure { _ = try verify(changed, published) }
        #expect(error?.code == .rootMismatch)
        #expect(error?.reason.contains(victim < 10 ? "0...9 " : "10...19 ") == true)
    }

    @Test func aForkIsFoundBetweenTwoCheckpointsOfOneSize() throws {
        let entries = sampleEntries(8)
        var other = entries
        other[7] = [0]
        #expect(
            code { _ = try verify(entries, [try head(entries, 8), try head(other, 8)]) } == .rootMismatch)
    }

    @Test func aFalseRootOfTheEmptyTreeIsFound() throws {
        let wrong = try TreeHead(size: 0, root: leaf([]))
        #expect(code { _ = try verify([], [wrong]) } == .rootMismatch)
        #expect(code { _ = try verify(sampleEntries(3), [wrong]) } == .rootMismatch)
    }

    @Test func anEntryThatDoesNotHashToWhatIsStoredIsNamed() throws {
        let entries = sampleEntries(20)
        var verifier = LogVerifier()
        for (number, entry) in entries[..<13].enumerated() {
            try verifier.append(entry.span, storedLeafHash: leaf(entries[number]))
        }
        let changed = entries[13]
        let error = failure { try verifier.append(changed.span, storedLeafHash: leaf(entries[14])) }
        #expect(error?.code == .entryMismatch)
        #expect(
            error?.reason
                == "entry 13: its hash is \(leaf(entries[13])) and the tree says \(leaf(entries[14]))")
    }

    @Test func anEntryThatFitsNoTileIsRefused() {
        var verifier = LogVerifier()
        let entry = [UInt8](repeating: 0, count: 65_536)
        #expect(code { try verifier.append(entry.span) } == .tooLong)
        #expect(verifier.size == 0)
    }
}
