// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import SSHWire
import TestSupport
import Testing

/// What every directory promises; a new one is added to ``kinds``.
@Suite("Every directory", .serialized)
struct DirectoryConformanceTests {
    enum Kind: String, CaseIterable, Sendable { case memory, sqlite }

    /// A directory, a ledger that works beside it, and a way to look at what is kept as the next process would.
    struct Subject: Sendable {
        let directory: any Directory
        let ledger: any Ledger
        let reopened: @Sendable () throws -> any Directory
        let folder: TemporaryFolder?

        init(_ kind: Kind) throws {
            switch kind {
            case .memory:
                let memory = InMemoryDirectory()
                directory = memory
                ledger = InMemoryLedger()
                reopened = { memory }
                folder = nil
            case .sqlite:
                let folder = try TemporaryFolder()
                let sqlite = try Sample.database(in: folder)
                directory = SQLiteDirectory(sqlite)
                ledger = sqlite
                reopened = {
                    SQLiteDirectory(
                        try SQLiteLedger(opening: sqlite.path, signer: try Sample.noteSigner))
                }
                self.folder = folder
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func anEmptyDirectoryHasNothingAndTakingAwayWhatIsNotThereDoesNoHarm(kind: Kind) async throws {
        let subject = try Subject(kind)
        try await subject.directory.removeKey(fingerprint: "SHA256:none")
        try await subject.directory.removeHost(id: "none")
        try await subject.directory.removeAPIKey(id: "none")
        try await subject.directory.removeAPIKey(id: "none\0")
        try await subject.directory.removeSessions([])
        try await subject.directory.removeSessions(["none", "none"])
        #expect(try await subject.directory.enrolledKeys().isEmpty)
        #expect(try await subject.directory.hosts().isEmpty)
        #expect(try await subject.directory.apiKeys().isEmpty)
        #expect(try await subject.directory.sessions().isEmpty)
    }

    @Test(arguments: Kind.allCases)
    func thePolicyInForceIsTheOneThatWasSetLast(kind: Kind) async throws {
        let subject = try Subject(kind)
        #expect(try await subject.directory.policyInForce() == nil)
        try await subject.directory.setPolicyInForce([1, 2, 3])
        try await subject.directory.setPolicyInForce([0, 255])
        #expect(try await subject.reopened().policyInForce() == [0, 255])
    }

    @Test(arguments: Kind.allCases)
    func keysComeBackAsTheyWereUntilTheyAreTakenAway(kind: Kind) async throws {
        let subject = try Subject(kind)
        let keys = [
            try Sample.enrolledKey(seed: 60),
            try Sample.enrolledKey(seed: 61, "alice@example.com", email: "a@example.com"),
            try Sample.enrolledKey(
                seed: 62, "b'; --", groups: ["admins", "\"quoted\"", "e\u{301}", "\u{e9}", "[]"]),
        ]
        for key in keys { try await subject.directory.add(key) }
        #expect(try await Set(subject.reopened().enrolledKeys()) == Set(keys))
        try await subject.directory.removeKey(fingerprint: keys[1].key.fingerprint)
        #expect(try await Set(subject.reopened().enrolledKeys()) == [keys[0], keys[2]])
        try await subject.directory.add(keys[1])
        #expect(try await Set(subject.reopened().enrolledKeys()) == Set(keys))
    }

    @Test(arguments: Kind.allCases)
    func aSecondIdentityForAKeyIsRefusedAndTheFirstStays(kind: Kind) async throws {
        let subject = try Subject(kind)
        let first = try Sample.enrolledKey(seed: 60, "alice")
        try await subject.directory.add(first)
        for identity in ["mallory", "alice"] {
            let code = try await refusalCode {
                try await subject.directory.add(try Sample.enrolledKey(seed: 60, identity))
            }
            #expect(code == .conflict)
        }
        #expect(try await subject.reopened().enrolledKeys() == [first])
        // One identity may have several.
        try await subject.directory.add(try Sample.enrolledKey(seed: 61, "alice"))
        #expect(try await subject.directory.enrolledKeys().count == 2)
    }

    @Test(arguments: Kind.allCases)
    func ofManyWhoEnrolOneKeyAtOnceOneGetsIt(kind: Kind) async throws {
        let subject = try Subject(kind)
        let outcomes = await withTaskGroup(of: CertAuthorityError.Code?.self) { group in
            for number in 0..<40 {
                group.addTask {
                    (try? await refusalCode {
                        try await subject.directory.add(try Sample.enrolledKey(seed: 60, "person-\(number)"))
                    }) ?? nil
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter { $0 == nil }.count == 1)
        #expect(outcomes.filter { $0 == .conflict }.count == 39)
        #expect(try await subject.reopened().enrolledKeys().count == 1)
    }

    @Test(arguments: Kind.allCases)
    func apiKeysComeBackAsTheyWereUntilTheyAreTakenAway(kind: Kind) async throws {
        let subject = try Subject(kind)
        let keys = [
            try Sample.apiKey(),
            try Sample.apiKey(
                "backup.nightly_2", id: "00000000000000ff",
                groups: ["e\u{301}", "\u{e9}", "\"a\", [b]", "'; --"],
                from: ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"], expires: 1_795_280_400),
            try Sample.apiKey("never", id: "ffffffffffffffff", expires: .max),
            try Sample.apiKey("long-ago", id: "fffffffffffffff0", expires: 0),
        ]
        for key in keys { try await subject.directory.add(key) }
        #expect(try await Set(subject.reopened().apiKeys()) == Set(keys))
        let kept = try #require(try await subject.reopened().apiKeys().first { $0.id == keys[1].id })
        #expect(kept.groups.map { Array($0.utf8) } == keys[1].groups.map { Array($0.utf8) })
        try await subject.directory.removeAPIKey(id: keys[1].id)
        try await subject.directory.removeAPIKey(id: keys[0].id + "\0")
        #expect(try await Set(subject.reopened().apiKeys()) == [keys[0], keys[2], keys[3]])
        try await subject.directory.add(keys[1])
        #expect(try await Set(subject.reopened().apiKeys()) == Set(keys))
    }

    @Test(arguments: Kind.allCases)
    func ofTwoAPIKeysOfOneNameOrIDTheSecondIsRefused(kind: Kind) async throws {
        let subject = try Subject(kind)
        let first = try Sample.apiKey()
        try await subject.directory.add(first)
        for other in [
            try Sample.apiKey("deploy", id: "aaaaaaaaaaaaaaaa"), try Sample.apiKey("other"), first,
        ] {
            #expect(try await refusalCode { try await subject.directory.add(other) } == .conflict)
        }
        #expect(try await subject.reopened().apiKeys() == [first])
        let outcomes = await withTaskGroup(of: CertAuthorityError.Code?.self) { group in
            for number in 10..<50 {
                group.addTask {
                    (try? await refusalCode {
                        try await subject.directory.add(
                            try Sample.apiKey("shared", id: "00000000000000\(number)"))
                    }) ?? nil
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter { $0 == nil }.count == 1)
        #expect(try await subject.reopened().apiKeys().count == 2)
    }

    @Test(arguments: Kind.allCases)
    func aHostIsPutInThePlaceOfTheOneWithItsID(kind: Kind) async throws {
        let subject = try Subject(kind)
        let old = try ManagedHost(
            id: "web1", names: ["web1.example.com", "192.0.2.1"], labels: ["team": "a"])
        let new = try ManagedHost(id: "web1", names: ["www.example.com"], labels: ["team": "b", "tier": "1"])
        let other = try ManagedHost(id: "db1")
        for host in [old, other, new] { try await subject.directory.set(host) }
        #expect(try await Set(subject.reopened().hosts()) == [new, other])
        // What the old one was called is free again.
        let heir = try ManagedHost(id: "web2", names: ["web1.example.com"])
        try await subject.directory.set(heir)
        try await subject.directory.removeHost(id: "web1")
        #expect(try await Set(subject.reopened().hosts()) == [other, heir])
    }

    @Test(arguments: Kind.allCases)
    func oneNameLeadsToOneHost(kind: Kind) async throws {
        let subject = try Subject(kind)
        let first = try ManagedHost(id: "web1", names: ["www.example.com", "web3"])
        try await subject.directory.set(first)
        for host in [
            try ManagedHost(id: "web2", names: ["www.example.com"]),
            try ManagedHost(id: "web2", names: ["a", "web1"]), try ManagedHost(id: "web3"),
        ] {
            #expect(try await refusalCode { try await subject.directory.set(host) } == .conflict, "\(host)")
        }
        #expect(try await subject.reopened().hosts() == [first])
        try await subject.directory.set(try ManagedHost(id: "web2", names: ["ww.example.com"]))
    }

    @Test(arguments: Kind.allCases)
    func claimsOfEveryShapeComeBackAsTheyWere(kind: Kind) async throws {
        let subject = try Subject(kind)
        var all: Set<LoginSession> = []
        for (number, claim) in Sample.claims.enumerated() {
            let session = try Sample.session("\(number)", person: try Sample.person(claims: claim))
            try await subject.directory.add(session)
            all.insert(session)
        }
        #expect(try await Set(subject.reopened().sessions()) == all)
    }

    @Test(arguments: Kind.allCases)
    func hostileTextComesBackByteByByte(kind: Kind) async throws {
        let subject = try Subject(kind)
        for (number, text) in Sample.hostileTexts.enumerated() {
            let person = try Sample.person(
                subject: text, email: text, groups: [text, "a"],
                claims: .mapping([text: .text(text), "nul": .list([.text("a\0b")])]))
            let session = try Sample.session("\(number)", person: person, credential: text, source: text)
            try await subject.directory.add(session)
            let kept = try #require(try await subject.reopened().sessions().first { $0.id == session.id })
            #expect(kept == session)
            // "==" takes two spellings of one letter for the same; a subject is its bytes.
            #expect(Array(kept.person.subject.utf8) == Array(text.utf8))
            #expect(Array((kept.person.groups.first ?? "").utf8) == Array(text.utf8))
            #expect(
                kept.person.claims[[text]]?.texts.first.map { Array($0.utf8) } == Array(text.utf8))
        }
    }

    @Test(arguments: Kind.allCases)
    func timesAtTheirEdgesComeBack(kind: Kind) async throws {
        let subject = try Subject(kind)
        let times: [UInt64] = [0, 1, UInt64(Int64.max), UInt64(Int64.max) + 1, .max]
        for time in times {
            try await subject.directory.add(try Sample.session("\(time)", expires: time))
        }
        let kept = try await subject.reopened().sessions()
        #expect(Set(kept.map(\.expires.seconds)) == Set(times))
    }

    @Test(arguments: Kind.allCases)
    func whatNotEveryStoreCanKeepIsRefusedAndNotCutShort(kind: Kind) async throws {
        let subject = try Subject(kind)
        let nul = "alice\0mallory"
        let refused = [
            try Sample.session(nul), try Sample.session(person: try Sample.person(subject: nul)),
            try Sample.session(person: try Sample.person(email: nul)), try Sample.session(credential: nul),
            try Sample.session(source: nul),
            try Sample.session(
                person: try Sample.person(claims: Sample.nested(LoginSession.maximumClaimDepth + 1))),
        ]
        for session in refused {
            #expect(try await refusalCode { try await subject.directory.add(session) } == .invalidRequest)
        }
        #expect(try await subject.reopened().sessions().isEmpty)
        // A name with NUL takes nothing away whose name it begins with.
        let key = try Sample.enrolledKey()
        try await subject.directory.add(key)
        try await subject.directory.add(try Sample.session("alice"))
        try await subject.directory.removeKey(fingerprint: key.key.fingerprint + "\0")
        try await subject.directory.removeSessions([nul])
        #expect(try await subject.reopened().enrolledKeys() == [key])
        #expect(try await subject.reopened().sessions().count == 1)
    }

    @Test(arguments: Kind.allCases)
    func aSessionOfAnIDThatIsThereIsRefused(kind: Kind) async throws {
        let subject = try Subject(kind)
        let first = try Sample.session("1")
        try await subject.directory.add(first)
        let second = try Sample.session("1", person: try Sample.person("mallory"))
        #expect(try await refusalCode { try await subject.directory.add(second) } == .conflict)
        #expect(try await subject.reopened().sessions() == [first])
    }

    @Test(arguments: Kind.allCases)
    func tenThousandSessionsAreKeptAndEndedAtOnce(kind: Kind) async throws {
        let subject = try Subject(kind)
        let person = try Sample.person(
            groups: ["admins", "staff"], claims: .mapping(["department": .text("it"), "level": .number(3)]))
        let key = try SampleKey(seed: 50).publicKey
        let sessions = (0..<10_000).map { number in
            LoginSession(
                id: "\(number)", person: person, key: key, credential: nil, sourceAddress: "",
                created: UnixTime(seconds: 1), expires: UnixTime(seconds: UInt64(number)))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<50 {
                group.addTask {
                    for session in sessions[(part * 200)..<(part * 200 + 200)] {
                        try await subject.directory.add(session)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await Set(subject.reopened().sessions()) == Set(sessions))
        try await subject.directory.removeSessions(sessions.dropFirst().map(\.id))
        #expect(try await subject.reopened().sessions() == [sessions[0]])
    }

    @Test(arguments: Kind.allCases)
    func changesAndEntriesThatComeAtOnceDisturbEachOtherNot(kind: Kind) async throws {
        let subject = try Subject(kind)
        let receipts = try await withThrowingTaskGroup(of: [LedgerReceipt].self) { group in
            for task in 0..<16 {
                group.addTask {
                    var mine: [LedgerReceipt] = []
                    for number in 0..<25 {
                        let id = "\(task)-\(number)"
                        mine += try await subject.ledger.append([try Sample.draft(id)], at: sampleNow)
                        try await subject.directory.add(try Sample.session(id))
                        try await subject.directory.set(try ManagedHost(id: "host-\(id)"))
                        if number % 2 == 0 { try await subject.directory.removeSessions([id]) }
                    }
                    return mine
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(receipts.map(\.index).sorted() == Array(0..<400))
        #expect(Set(serials(receipts)).count == 400)
        #expect(try await subject.reopened().sessions().count == 16 * 12)
        #expect(try await subject.reopened().hosts().count == 400)
        if let ledger = subject.ledger as? SQLiteLedger { try expectSound(ledger, count: 400) }
    }

    /// Ending a session is recorded first; a client that hangs up then must not leave it open after the next start.
    @Test(arguments: Kind.allCases)
    func aChangeIsMadeAlsoWhenWhoeverAskedForItHasGone(kind: Kind) async throws {
        let subject = try Subject(kind)
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<100 {
                group.addTask {
                    unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                    do {
                        try await subject.directory.add(try Sample.session("\(number)"))
                        _ = try await subject.directory.sessions()
                        if number % 2 == 0 { try await subject.directory.removeSessions(["\(number)"]) }
                        return true
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(outcomes == [Bool](repeating: true, count: 100))
        #expect(try await subject.reopened().sessions().count == 50)
    }
}
