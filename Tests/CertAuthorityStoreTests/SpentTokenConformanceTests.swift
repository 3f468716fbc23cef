// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import SSHWire
import TestSupport
import Testing

/// What every keeper of used tokens promises.
@Suite("Every keeper of used tokens") struct SpentTokenConformanceTests {
    enum Kind: String, CaseIterable, Sendable { case memory, sqlite }

    private func subject(_ kind: Kind, _ folder: TemporaryFolder) throws -> any SpentTokens {
        switch kind {
        case .memory: InMemorySpentTokens()
        case .sqlite: SQLiteSpentTokens(try Sample.database(in: folder))
        }
    }

    private func time(_ seconds: UInt64) -> UnixTime { UnixTime(seconds: seconds) }

    @Test(arguments: Kind.allCases)
    func aTokenIsTakenOnceUntilItEnds(kind: Kind) async throws {
        let folder = try TemporaryFolder()
        let spent = try subject(kind, folder)
        for token in ["a", "a\0b", "a\0c", "\u{e9}", "e\u{301}", ""] {
            #expect(
                try await spent.spend(token, until: time(100), now: time(10)), "\(token.debugDescription)")
            #expect(try await !spent.spend(token, until: time(100), now: time(100)))
        }
        #expect(
            try await spent.spend("a", until: time(300), now: time(101)), "it has ended and counts no more")
        #expect(try await !spent.spend("a", until: time(300), now: time(102)))
    }

    @Test(arguments: Kind.allCases)
    func ofManyUsesAtOnceOneIsTheFirst(kind: Kind) async throws {
        let folder = try TemporaryFolder()
        let spent = try subject(kind, folder)
        let first = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await spent.spend("t", until: UnixTime(seconds: 100), now: UnixTime(seconds: 10))
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(first == 1)
    }

    @Test func attack42_aTokenThatWasUsedIsNotGoodAgainAfterARestart() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        #expect(try await SQLiteSpentTokens(ledger).spend("t", until: time(100), now: time(10)))
        let again = try SQLiteLedger(opening: ledger.path, signer: try Sample.noteSigner)
        #expect(try await !SQLiteSpentTokens(again).spend("t", until: time(100), now: time(10)))
    }
}
