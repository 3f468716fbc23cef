// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import SSHWire
import TestSupport
import Testing

/// What every fleet store promises; a new one is added to ``kinds``.
@Suite("Every fleet store", .serialized)
struct FleetStoreConformanceTests {
    enum Kind: String, CaseIterable, Sendable { case memory, sqlite }

    struct Subject: Sendable {
        let store: any FleetStore
        let ledger: any Ledger
        /// What the next process would see.
        let reopened: @Sendable () throws -> any FleetStore
        private let folder: TemporaryFolder?

        init(_ kind: Kind) throws {
            switch kind {
            case .memory:
                let memory = InMemoryLedger()
                let store = InMemoryFleetStore { await memory.entries }
                (self.store, ledger, folder) = (store, memory, nil)
                reopened = { store }
            case .sqlite:
                let folder = try TemporaryFolder()
                let sqlite = try Sample.database(in: folder)
                (store, ledger, self.folder) = (SQLiteFleetStore(sqlite), sqlite, folder)
                reopened = {
                    SQLiteFleetStore(try SQLiteLedger(opening: sqlite.path, signer: try Sample.noteSigner))
                }
            }
        }
    }

    private static let operatorName = "admin@example.com"

    private func token(_ id: String, _ pattern: String = "web*") throws -> JoinToken {
        try JoinToken(
            id: id, secretDigest: Digest.sha256(Array(id.utf8)), hostPattern: pattern,
            labels: ["team": "a"], expires: UnixTime(seconds: UInt64(Int64.max)),
            creator: try Identity(Self.operatorName))
    }

    private func host(_ id: String, clientID: String? = nil) throws -> EnrolledHost {
        EnrolledHost(
            id: id, clientID: clientID ?? "daypass:\(id):ssh",
            key: try PrivateKey.generate(.ecdsaP384, comment: "").publicKey,
            hostKeys: [try PrivateKey.generate(.ed25519, comment: "").publicKey],
            joined: UnixTime(seconds: 7), isOwnAgent: id == "web1")
    }

    private func event(_ host: String, _ sequence: UInt64, match: HostEventRecord.Match = .none)
        throws -> LedgerDraft
    {
        .hostEvent(
            HostEventRecord(
                kind: .opened, host: ExactText(host), sequence: sequence,
                recordHash: Digest.sha256([UInt8(truncatingIfNeeded: sequence)]), happened: 1,
                session: ExactText("s\(sequence)"), account: "deploy", sourceAddress: "192.0.2.1",
                method: "publickey", keyFingerprint: "", keyID: "alice@example.com#7", serial: 7,
                authority: "SHA256:x", match: match, issuance: nil, reason: ""),
            requester: try Identity(host))
    }

    @Test(arguments: Kind.allCases)
    func tokensComeBackAsTheyWereUntilTheyAreTakenAway(kind: Kind) async throws {
        let subject = try Subject(kind)
        #expect(try await subject.store.joinTokens().isEmpty)
        let tokens = [try token("aa"), try token("bb", "db?")]
        for token in tokens { try await subject.store.add(token) }
        #expect(try await Set(subject.reopened().joinTokens()) == Set(tokens))
        await #expect(throws: CertAuthorityError.self) { try await subject.store.add(tokens[0]) }
        try await subject.store.removeJoinTokens(["aa", "none", "bb\0"])
        #expect(try await subject.reopened().joinTokens() == [tokens[1]])
    }

    @Test(arguments: Kind.allCases)
    func principalsComeBackAsTheyWereSaidLastUntilTheyAreForgotten(kind: Kind) async throws {
        let subject = try Subject(kind)
        #expect(try await subject.store.principals().isEmpty)
        let said = [
            try HostPrincipals(host: "web1", login: "deploy", principals: ["b@x", "a"]),
            try HostPrincipals(host: "web1", login: "Deploy", principals: []),
            try HostPrincipals(host: "web2", login: "deploy", principals: ["c"]),
        ]
        for said in said { try await subject.store.set(said) }
        #expect(try await Set(subject.reopened().principals()) == Set(said))
        let other = try HostPrincipals(host: "web1", login: "deploy", principals: ["d"])
        try await subject.store.set(other)
        #expect(try await Set(subject.reopened().principals()) == [other, said[1], said[2]])
        for (host, login) in [("web1", "none"), ("none", "deploy"), ("web1", "deploy\0"), ("w\0", nil)] {
            try await subject.store.removePrincipals(host: host, login: login)
        }
        try await subject.store.removePrincipals(host: "web1", login: "deploy")
        #expect(try await Set(subject.reopened().principals()) == [said[1], said[2]])
        try await subject.store.removePrincipals(host: "web1", login: nil)
        #expect(try await subject.reopened().principals() == [said[2]])
    }

    @Test(arguments: Kind.allCases)
    func aHostIsEnrolledByATokenWhichIsSpentOrNothingHappens(kind: Kind) async throws {
        let subject = try Subject(kind)
        try await subject.store.add(try token("aa"))
        let first = try host("web1")
        try await subject.store.enrol(first, spending: "aa")
        #expect(try await subject.reopened().enrolledHosts() == [first])
        #expect(try await subject.reopened().joinTokens().isEmpty)
        let again = try host("web1")
        let error = await #expect(throws: CertAuthorityError.self) {
            try await subject.store.enrol(again, spending: "aa")
        }
        #expect(error?.code == .conflict)
        #expect(try await subject.reopened().enrolledHosts() == [first])
        // A host's new key takes the old one's place; its name for itself is nobody else's.
        try await subject.store.add(try token("bb"))
        try await subject.store.enrol(again, spending: "bb")
        #expect(try await subject.reopened().enrolledHosts() == [again])
        try await subject.store.add(try token("cc"))
        let thief = try host("web2", clientID: "daypass:web1:ssh")
        await #expect(throws: CertAuthorityError.self) {
            try await subject.store.enrol(thief, spending: "cc")
        }
        #expect(try await subject.reopened().joinTokens().map(\.id) == ["cc"])
        try await subject.store.removeEnrolledHost(id: "web1")
        try await subject.store.removeEnrolledHost(id: "web1")
        #expect(try await subject.reopened().enrolledHosts().isEmpty)
    }

    @Test(arguments: Kind.allCases)
    func aHostIsEnrolledWithoutATokenAndNoneIsSpent(kind: Kind) async throws {
        let subject = try Subject(kind)
        try await subject.store.add(try token("aa"))
        try await subject.store.enrol(try host("web1"), spending: nil)
        let again = try host("web1", clientID: "acme:web1:ssh")
        try await subject.store.enrol(again, spending: nil)
        #expect(try await subject.reopened().enrolledHosts() == [again])
        #expect(try await subject.reopened().joinTokens().map(\.id) == ["aa"])
        let thief = try host("web2", clientID: "acme:web1:ssh")
        let error = await #expect(throws: CertAuthorityError.self) {
            try await subject.store.enrol(thief, spending: nil)
        }
        #expect(error?.code == .conflict)
        #expect(try await subject.reopened().enrolledHosts() == [again])
    }

    @Test(arguments: Kind.allCases)
    func theNewestRecordOfAHostIsTheNewestInTheLog(kind: Kind) async throws {
        let subject = try Subject(kind)
        _ = try await subject.ledger.append(
            [try event("web1", 1), try event("web2", 9), try event("web1", 2)], at: 5)
        let places = try await subject.reopened().recordPlaces()
        #expect(
            places == [
                "web1": .init(sequence: 2, hash: Digest.sha256([2])),
                "web2": .init(sequence: 9, hash: Digest.sha256([9])),
            ])
        // Records that begin anew count from there.
        _ = try await subject.ledger.append([try event("web1", 1)], at: 5)
        #expect(try await subject.reopened().recordPlaces()["web1"]?.sequence == 1)
    }

    @Test(arguments: Kind.allCases)
    func eventsAreFoundNewestFirstInParts(kind: Kind) async throws {
        let subject = try Subject(kind)
        for sequence in 1...5 {
            _ = try await subject.ledger.append(
                [
                    try event(
                        sequence % 2 == 0 ? "web2" : "web1", UInt64(sequence),
                        match: sequence == 5 ? .staticKey : .none)
                ],
                at: UInt64(sequence) * 1_000)
        }
        func found(
            _ before: UInt64? = nil, limit: Int = 10, _ change: (inout HostEventFilter) -> Void = { _ in }
        )
            async throws -> [UInt64]
        {
            var filter = HostEventFilter()
            change(&filter)
            return try await subject.store.hostEvents(filter, before: before, limit: limit).map(
                \.event.sequence)
        }
        #expect(try await found() == [5, 4, 3, 2, 1])
        #expect(try await found(limit: 2) == [5, 4])
        #expect(try await found(3) == [3, 2, 1])
        #expect(try await found { $0.host = "web2" } == [4, 2])
        #expect(try await found { $0.who = "alice@example.com" } == [5, 4, 3, 2, 1])
        #expect(try await found { $0.who = "nobody" } == [])
        #expect(try await found { $0.session = "s3" } == [3])
        #expect(try await found { $0.since = 4_000 } == [5, 4])
        #expect(try await found { $0.alertsOnly = true } == [5])
    }

    @Test(arguments: Kind.allCases)
    func anIssuanceIsFoundByItsSerialAndRevocationsAreAllThere(kind: Kind) async throws {
        let subject = try Subject(kind)
        let receipts = try await subject.ledger.append(
            [try Sample.draft("alice"), try Sample.revocation(3)], at: 5)
        guard case .issuance(let record) = receipts[0].entry.event else {
            Issue.record("no issuance")
            return
        }
        let found = try await subject.store.issuance(serial: record.fields.serial)
        #expect(found?.index == receipts[0].index && found?.certificate == record)
        #expect(try await subject.store.issuance(serial: record.fields.serial &+ 1) == nil)
        #expect(try await subject.store.revoked().count == 1)
    }

    @Test(arguments: Kind.allCases)
    func theNewestStatementOfTheRootIsTheNewestInTheLog(kind: Kind) async throws {
        let subject = try Subject(kind)
        #expect(try await subject.store.trust() == nil)
        let root = try PrivateKey.generate(.ed25519, comment: "")
        for version in [UInt64(1), 2] {
            let statement = "statement \(version)"
            let signature = try SSHSignature.sign(
                Array(statement.utf8), namespace: FleetTrustRecord.namespace, signer: .key(root.publicKey)
            ) { (bytes, algorithm) throws(SSHWireError) in try root.sign(bytes, with: algorithm) }
            let record = try FleetTrustRecord(verifying: statement, version: version, signature: signature)
            _ = try await subject.ledger.append(
                [.fleetTrust(record, requester: try Identity(Self.operatorName))], at: 5)
            #expect(try await subject.reopened().trust() == record)
        }
    }

    @Test(arguments: Kind.allCases)
    func aHostsCertificatesAreItsOwnNewestFirst(kind: Kind) async throws {
        let subject = try Subject(kind)
        func draft(_ name: String, _ subject: IssuanceRequest.Subject) throws -> LedgerDraft {
            let identity = try Identity(name)
            return try Sample.draft(
                try IssuanceRequest(
                    key: try PrivateKey.generate(.ed25519, comment: "").publicKey, subject: subject,
                    identity: identity,
                    principals: try PrincipalSet(
                        hosts: [name, "\(name).example.com"], allowWildcards: false),
                    requester: identity))
        }
        let receipts = try await subject.ledger.append(
            [
                try draft("web1", .host), try draft("web1", .user(try UserOptions())),
                try draft("web10", .host),
                try draft("web1", .host),
            ], at: 5)
        let expected = [receipts[3], receipts[0]].compactMap { receipt in
            if case .issuance(let certificate) = receipt.entry.event { certificate } else { nil }
        }
        #expect(try await subject.reopened().hostCertificates(of: try Identity("web1")) == expected)
        #expect(try await subject.store.hostCertificates(of: try Identity("web")).isEmpty)
    }
}
