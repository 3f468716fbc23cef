// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("Hosts that join") struct FleetJoinTests {
    private let actor: Identity
    private let parts: TestAuthority
    private let fleet: Fleet

    init() async throws {
        actor = try Identity("admin@example.com")
        parts = try await TestAuthority()
        fleet = try await parts.fleet()
    }

    private func key() throws -> PublicKey { try PrivateKey.generate(.ecdsaP384, comment: "").publicKey }

    private func token(_ pattern: String = "web*", lifetime: UInt64 = 600) async throws -> String {
        try await fleet.makeJoinToken(
            hostPattern: pattern, labels: ["team": "infra"], lifetime: lifetime, by: actor
        ).text
    }

    private func join(_ token: String, _ name: String = "web2", key: PublicKey? = nil) async throws
        -> EnrolledHost
    {
        try await fleet.join(
            token: token, name: name, key: try key ?? self.key(), hostKeys: [], from: nil)
    }

    @Test func attack42_aTokenLetsOneHostInOnceWithTheTokensLabels() async throws {
        let text = try await token()
        let host = try await join(text)
        #expect(host.id == "web2" && host.clientID == "daypass:web2:ssh")
        #expect(fleet.host(clientID: "daypass:web2:ssh") == host)
        #expect(parts.authority.hosts.first { $0.id == "web2" }?.labels == ["team": "infra"])
        await #expect(throws: CertAuthorityError.self) { try await join(text, "web3") }
        #expect(fleet.joinTokens.isEmpty)
        #expect(fleet.hosts == [host])
    }

    @Test func aHostThatJoinsByATokenWithoutLabelsKeepsThoseThatItHas() async throws {
        try await parts.authority.set(
            try ManagedHost(id: "web2", names: ["www"], labels: ["team": "a"]), by: actor)
        let bare = try await fleet.makeJoinToken(hostPattern: "*", labels: [:], lifetime: 600, by: actor)
        _ = try await join(bare.text)
        let known = parts.authority.hosts.first { $0.id == "web2" }
        #expect(known?.labels == ["team": "a"] && known?.names == ["www"])
        _ = try await join(try await token())
        #expect(parts.authority.hosts.first { $0.id == "web2" }?.labels == ["team": "infra"])
    }

    @Test func itIsForTheHostsOfItsPatternUntilItEnds() async throws {
        let text = try await token("web*", lifetime: 60)
        await #expect(throws: CertAuthorityError.self) { try await join(text, "db1") }
        parts.clock.advance(seconds: 61)
        await #expect(throws: CertAuthorityError.self) { try await join(text) }
        #expect(fleet.joinTokens.isEmpty)
    }

    @Test(arguments: [
        "", "daypass-join", "daypass-join_0_0",
        "daypass-join_0123456789abcdef_" + String(repeating: "0", count: 64),
        "daypass-join_0123456789abcdef_" + String(repeating: "g", count: 64),
    ])
    func whatWasNeverGivenOutOpensNothing(text: String) async throws {
        _ = try await token()
        let error = await #expect(throws: CertAuthorityError.self) { try await join(text) }
        #expect(error?.code == .notFound)
    }

    @Test func itsSecretIsNowhereInTheLog() async throws {
        let text = try await token()
        let secret = try #require(text.split(separator: "_").last)
        _ = try await join(text)
        for entry in await parts.ledger.kept.entries {
            #expect(!String(decoding: entry, as: UTF8.self).contains(secret))
        }
    }

    @Test func aHostThatIsKnownKeepsItsNamesAndGetsTheNewKey() async throws {
        let first = try await join(try await token("web1"), "web1")
        let second = try await join(try await token("web1.example.com"), "web1.example.com")
        #expect(second.id == "web1" && second.key != first.key)
        #expect(fleet.hosts == [second])
        #expect(parts.authority.hosts.first { $0.id == "web1" }?.names == ["web1.example.com"])
    }

    @Test func twoHostsNeverHaveOneKey() async throws {
        let shared = try key()
        _ = try await join(try await token(), "web2", key: shared)
        let error = await #expect(throws: CertAuthorityError.self) {
            try await join(try await token(), "web3", key: shared)
        }
        #expect(error?.code == .conflict)
    }

    @Test func aTokenIsNotSpentByAKeyOfAnotherKind() async throws {
        let text = try await token()
        await #expect(throws: CertAuthorityError.self) {
            try await join(text, key: try PrivateKey.generate(.ed25519, comment: "").publicKey)
        }
        _ = try await join(text)
    }

    @Test func takenBackItLetsNobodyIn() async throws {
        let text = try await token()
        try await fleet.removeJoinToken(try #require(fleet.joinTokens.first).id, by: actor)
        await #expect(throws: CertAuthorityError.self) { try await join(text) }
    }

    @Test(arguments: [UInt64(0), 59, JoinToken.maximumLifetime + 1, UInt64.max])
    func aLifetimeHasBounds(seconds: UInt64) async throws {
        await #expect(throws: CertAuthorityError.self) { try await token(lifetime: seconds) }
    }

    @Test func attack42_ofManyThatUseOneTokenAtOnceOneJoins() async throws {
        let text = try await token()
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 2..<10 {
                group.addTask { (try? await join(text, "web\(number)")) != nil }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(outcomes == 1)
    }
}

@Suite("What hosts report") struct FleetEventTests {
    private let parts: TestAuthority
    private let fleet: Fleet
    private let host: EnrolledHost

    init() async throws {
        parts = try await TestAuthority()
        fleet = try await parts.fleet()
        let (_, text) = try await fleet.makeJoinToken(
            hostPattern: "web1", labels: [:], lifetime: 600, by: try Identity("admin@example.com"))
        host = try await fleet.join(
            token: text, name: "web1", key: try PrivateKey.generate(.ecdsaP384, comment: "").publicKey,
            hostKeys: [], from: nil)
    }

    private func event(
        _ sequence: UInt64, _ proof: HostEvent.Proof?, kind: HostEventRecord.Kind = .opened,
        previous: [UInt8]? = nil
    ) -> HostEvent {
        HostEvent(
            kind: kind, sequence: sequence, recordHash: hash(sequence),
            previousHash: previous ?? hash(sequence - 1), happened: 1, session: "s\(sequence)",
            account: "deploy", sourceAddress: "192.0.2.7", method: "publickey", proof: proof, reason: "")
    }

    private func hash(_ sequence: UInt64) -> [UInt8] { Digest.sha256(Array("\(sequence)".utf8)) }

    private func issued() async throws -> Certificate {
        let alice = try await parts.session()
        let outcome = try await parts.authority.issue(
            try parts.wish(), for: alice.session, from: nil)
        guard case .issued(let certificate, _, _, _) = outcome else {
            throw UnexpectedOutcome(what: "\(outcome)")
        }
        return certificate
    }

    private func shown(_ certificate: Certificate) -> HostEvent.ShownCertificate {
        let fields = certificate.fields
        return .init(
            serial: fields.serial, keyID: fields.keyID.string, authority: fields.signatureKey.fingerprint,
            keyFingerprint: fields.key.fingerprint, signedDigest: Digest.sha256(certificate.signedBytes))
    }

    private func match(_ proof: HostEvent.Proof?) async throws -> HostEventRecord.Match {
        let next = (fleet.recordPlace(of: "web1")?.sequence ?? 0) + 1
        _ = try await fleet.take([event(next, proof)], from: host)
        let found = try await fleet.events(.init(), before: nil, limit: 1)
        return try #require(found.first).event.match
    }

    @Test func aCertificateThatWasIssuedIsMatchedWithItsIssuance() async throws {
        let certificate = try await issued()
        #expect(try await match(.certificate(shown(certificate))) == .issued)
        let index = try #require(
            try await fleet.events(.init(), before: nil, limit: 1).first?.event.issuance)
        let bytes = await parts.ledger.kept.entries[Int(index)]
        let entry = try LogEntry(encoded: bytes.span)
        guard case .issuance(let record) = entry.event else { throw UnexpectedOutcome(what: "\(entry)") }
        #expect(record.fields.serial == certificate.fields.serial)
    }

    @Test func aCertificateFromACopyOfTheKeyIsAnAlert() async throws {
        let certificate = try await issued()
        var forged = shown(certificate)
        forged.signedDigest = Digest.sha256([1])
        #expect(try await match(.certificate(forged)) == .different)
        forged = shown(certificate)
        forged.serial &+= 1
        #expect(try await match(.certificate(forged)) == .unknown)
        forged = shown(certificate)
        forged.keyID = "root@example.com#1"
        #expect(try await match(.certificate(forged)) == .different)
    }

    @Test func everythingElseIsAnAlertToo() async throws {
        #expect(try await match(.key("SHA256:x")) == .staticKey)
        #expect(try await match(.other) == .noKey)
        #expect(try await match(.unreadable) == .unreadable)
        var foreign = shown(try await issued())
        foreign.authority = "SHA256:other"
        #expect(try await match(.certificate(foreign)) == .foreign)
        #expect(try await match(nil) == .none)
    }

    @Test func aCertificateThatIsUsedAfterItsRevocationIsAnAlert() async throws {
        let certificate = try await issued()
        let fields = certificate.fields
        _ = try await parts.ledger.append(
            [
                .revocation(
                    try RevocationRecord(
                        target: .serial(fields.serial, authority: fields.signatureKey), expires: nil,
                        reason: "test"), requester: try Identity("admin@example.com"))
            ], at: parts.clock.milliseconds)
        #expect(try await match(.certificate(shown(certificate))) == .revoked)
    }

    @Test func whatIsSentTwiceIsRecordedOnce() async throws {
        let events = [event(1, nil), event(2, nil), event(3, nil)]
        #expect(try await fleet.take(Array(events[..<2]), from: host).recorded == 2)
        #expect(try await fleet.take(events, from: host).recorded == 3)
        #expect(try await fleet.take(events, from: host).alerts.isEmpty)
        #expect(try await fleet.events(.init(), before: nil, limit: 100).map(\.event.sequence) == [3, 2, 1])
        // The next process goes on from what the log has.
        #expect(try await parts.fleet().recordPlace(of: "web1") == .init(sequence: 3, hash: hash(3)))
    }

    @Test func whatIsMissingOrChangedIsAnAlert() async throws {
        #expect(try await fleet.take([event(1, nil)], from: host).alerts.isEmpty)
        #expect(try await fleet.take([event(2, nil, previous: hash(9))], from: host).alerts.count == 1)
        let gap = try await fleet.take([event(5, nil)], from: host)
        #expect(gap.alerts.first?.gap?.string.contains("3 to 4 are missing") == true)
        let anew = try await fleet.take([event(1, nil, previous: [])], beginsAnew: true, from: host)
        #expect(anew.recorded == 1)
        #expect(anew.alerts.first?.gap?.string.contains("begin anew") == true)
    }

    @Test func numbersThatDoNotRiseAndTooManyAreRefusedWhole() async throws {
        await #expect(throws: CertAuthorityError.self) {
            try await fleet.take([event(2, nil), event(1, nil)], from: host)
        }
        await #expect(throws: CertAuthorityError.self) {
            try await fleet.take((1...257).map { event($0, nil) }, from: host)
        }
        #expect(fleet.recordPlace(of: "web1") == nil)
    }

    @Test func eventsAreFoundByHostPersonSessionAndAlert() async throws {
        let certificate = try await issued()
        _ = try await fleet.take(
            [event(1, .certificate(shown(certificate))), event(2, .key("SHA256:k"))], from: host)
        func count(_ change: (inout HostEventFilter) -> Void) async throws -> Int {
            var filter = HostEventFilter()
            change(&filter)
            return try await fleet.events(filter, before: nil, limit: 100).count
        }
        #expect(try await count { $0.host = "web1" } == 2)
        #expect(try await count { $0.host = "web2" } == 0)
        #expect(try await count { $0.who = "alice@example.com" } == 1)
        #expect(try await count { $0.who = "deploy" } == 2)
        #expect(try await count { $0.session = "s2" } == 1)
        #expect(try await count { $0.alertsOnly = true } == 1)
        #expect(try await count { $0.since = UInt64.max } == 0)
    }

    @Test func longTextsAreCutAndNotRefused() async throws {
        var long = event(1, .key(String(repeating: "k", count: 5_000)))
        long.account = String(repeating: "é", count: 5_000)
        long.reason = String(repeating: "x", count: 100_000)
        #expect(try await fleet.take([long], from: host).recorded == 1)
    }
}
