// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import SSHWire
import TestSupport
import Testing

/// What every keeper of identities' owners promises.
@Suite("Every keeper of identity bindings", .serialized)
struct IdentityBindingsTests {
    enum Kind: String, CaseIterable, Sendable { case memory, sqlite }

    struct Subject: Sendable {
        let bindings: any IdentityBindings
        let folder: TemporaryFolder?

        init(_ kind: Kind) throws {
            switch kind {
            case .memory: (bindings, folder) = (InMemoryIdentityBindings(), nil)
            case .sqlite:
                let folder = try TemporaryFolder()
                bindings = try IdentityBindingsTests.sqlite(try Sample.database(in: folder))
                self.folder = folder
            }
        }

        func code(_ identity: String, _ provider: String, _ subject: String) async throws
            -> CertAuthorityError.Code?
        {
            try await refusalCode {
                try await bindings.bind(try Identity(identity), provider: provider, subject: subject)
            }
        }
    }

    private static func sqlite(_ ledger: SQLiteLedger) throws -> SQLiteIdentityBindings {
        SQLiteIdentityBindings(ledger) { UnixTime(seconds: sampleNow / 1_000) }
    }

    @Test(arguments: Kind.allCases)
    func whoComesFirstOwnsAnIdentity(kind: Kind) async throws {
        let subject = try Subject(kind)
        #expect(try await subject.code("alice@example.com", "example", "1") == nil)
        #expect(try await subject.code("alice@example.com", "example", "1") == nil)
        #expect(try await subject.code("alice@example.com", "example", "2") == .identityTaken)
        #expect(try await subject.code("alice@example.com", "other", "1") == .identityTaken)
        #expect(try await subject.code("bob@example.com", "example", "1") == nil)
    }

    @Test(arguments: Kind.allCases)
    func namesAreComparedByteByByte(kind: Kind) async throws {
        let subject = try Subject(kind)
        for (index, text) in (Sample.hostileTexts + ["a", "a\0", "a\0b", "", "A", "a ", "1", "01"])
            .enumerated()
        {
            #expect(try await subject.code("person-\(index)", text, text) == nil)
            #expect(try await subject.code("person-\(index)", text, text) == nil)
            #expect(try await subject.code("person-\(index)", text, text + "\0") == .identityTaken)
            #expect(try await subject.code("person-\(index)", text + "\0", text) == .identityTaken)
        }
        #expect(try await subject.code("\u{e9}", "p", "\u{e9}") == nil)
        #expect(try await subject.code("\u{e9}", "p", "e\u{301}") == .identityTaken)
        #expect(try await subject.code("e\u{301}", "p", "e\u{301}") == nil)
    }

    @Test(arguments: Kind.allCases)
    func ofManyWhoComeAtOnceOneOwnsIt(kind: Kind) async throws {
        let subject = try Subject(kind)
        let owners = try await withThrowingTaskGroup(of: Int?.self) { group in
            for number in 0..<100 {
                group.addTask {
                    try await subject.code("alice", "example", "\(number)") == nil ? number : nil
                }
            }
            return try await group.reduce(into: [Int]()) { if let owner = $1 { $0.append(owner) } }
        }
        let owner = try #require(owners.first)
        #expect(owners.count == 1)
        #expect(try await subject.code("alice", "example", "\(owner)") == nil)
    }

    @Test(arguments: Kind.allCases)
    func allAreListedAsTheyWereBoundAndOneThatIsFreedIsNobodys(kind: Kind) async throws {
        let subject = try Subject(kind)
        #expect(try await subject.bindings.bindings().isEmpty)
        let owners = Dictionary(
            uniqueKeysWithValues: (Sample.hostileTexts + ["a\0b", ""]).enumerated().map {
                ("person-\($0.offset)", $0.element)
            })
        for (identity, text) in owners {
            try await subject.bindings.bind(try Identity(identity), provider: text, subject: text + "\0")
        }
        let listed = try await subject.bindings.bindings()
        #expect(listed.count == owners.count)
        for binding in listed {
            let text = try #require(owners[binding.identity.description])
            #expect(Array(binding.provider.utf8) == Array(text.utf8))
            #expect(Array(binding.subject.utf8) == Array((text + "\0").utf8))
        }
        let first = try Identity("person-0")
        let freed = try await subject.bindings.free(first)
        #expect(freed?.identity == first)
        #expect(freed?.firstSeen == listed.first { $0.identity == first }?.firstSeen)
        #expect(try await subject.bindings.free(first) == nil)
        #expect(try await subject.bindings.bindings().count == owners.count - 1)
        try await subject.bindings.bind(first, provider: "other", subject: "other")
    }

    @Test func theyOutliveTheProcessUntilTheIdentityIsFreed() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        let alice = try Identity("alice")
        try await Self.sqlite(ledger).bind(alice, provider: "p", subject: "1")
        let other = try Self.sqlite(try SQLiteLedger(opening: ledger.path, signer: try Sample.noteSigner))
        #expect(
            try await refusalCode { try await other.bind(alice, provider: "p", subject: "2") }
                == .identityTaken)
        #expect(try await other.free(alice)?.subject == "1")
        #expect(try await other.free(alice) == nil)
        try await other.bind(alice, provider: "p", subject: "2")
        #expect(
            try await refusalCode {
                try await Self.sqlite(ledger).bind(alice, provider: "p", subject: "1")
            } == .identityTaken)
    }
}
