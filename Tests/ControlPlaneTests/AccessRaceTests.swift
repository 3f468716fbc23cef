// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

/// What changes while something else is under way, and what fails half-way.
@Suite("Changes and failures in the middle") struct AccessRaceTests {
    private func code(_ body: () async throws -> Void) async throws -> CertAuthorityError.Code? {
        do {
            try await body()
            return nil
        } catch let error as CertAuthorityError {
            return error.code
        }
    }

    /// Holds the signature back while `change` happens.
    private func issuing(
        _ parts: TestAuthority, while change: (TestSession) async throws -> Void
    ) async throws -> CertAuthorityError.Code? {
        let session = try await parts.session()
        let wish = try parts.wish()
        parts.signer.gate.shut()
        async let outcome = code {
            guard
                case .issued = try await parts.authority.issue(wish, for: session.session, from: nil)
            else { throw UnexpectedOutcome(what: "refused") }
        }
        await parts.signer.gate.arrival()
        try await change(session)
        parts.signer.gate.open()
        return try await outcome
    }

    @Test func whatDidNotChangeStandsInNobodysWay() async throws {
        let parts = try await TestAuthority()
        #expect(try await issuing(parts) { _ in } == nil)
        let other = try await issuing(parts) { _ in
            try await parts.authority.set(try ManagedHost(id: "web2"), by: try Identity("admin"))
        }
        #expect(other == nil)
    }

    @Test func aSessionThatEndsWhileItsCertificateIsMadeGetsNone() async throws {
        let parts = try await TestAuthority()
        let code = try await issuing(parts) { session in
            try await parts.authority.endSession(
                session.session.id, by: session.session, isAdministrator: false, from: nil, reason: "out")
        }
        #expect(code == .conflict)
    }

    @Test func attack45_aPolicyThatChangesWhileACertificateIsMadeCounts() async throws {
        let parts = try await TestAuthority()
        let code = try await issuing(parts) { _ in
            try await parts.authority.use(
                try AccessPolicy(yaml: TestAuthority.emptyPolicy, name: "p"), by: try Identity("admin"))
        }
        #expect(code == .conflict)
    }

    @Test func aHostThatIsRemovedWhileItsCertificateIsMadeGetsNone() async throws {
        let parts = try await TestAuthority()
        let code = try await issuing(parts) { _ in
            try await parts.authority.removeHost("web1", by: try Identity("admin"))
        }
        #expect(code == .conflict)
    }

    @Test func attack45_eachCertificateIsDecidedAnew() async throws {
        let parts = try await TestAuthority()
        let session = try await parts.session()
        guard case .issued = try await parts.authority.issue(parts.wish(), for: session.session, from: nil)
        else {
            Issue.record("not issued")
            return
        }
        try await parts.authority.use(
            try AccessPolicy(yaml: TestAuthority.emptyPolicy, name: "p"), by: try Identity("admin"))
        guard
            case .refused = try await parts.authority.issue(parts.wish(), for: session.session, from: nil)
        else {
            Issue.record("issued by a policy that is gone")
            return
        }
    }

    @Test func aPolicyThatWasChangedWhileNoServerRanIsRecordedAtTheStartOnce() async throws {
        let parts = try await TestAuthority()
        let admin = try Identity("admin")
        func recorded() async throws -> [String] {
            try await parts.ledger.events.compactMap { event in
                if case .change(let record) = event, record.subject == .policy {
                    record.name.string
                } else {
                    nil
                }
            }
        }
        try await parts.authority.recordPolicy(by: admin)
        try await parts.reopened().recordPolicy(by: admin)
        #expect(try await recorded() == [hexadecimal(parts.authority.policy.digest)])
        let other = try await parts.reopened(policy: TestAuthority.emptyPolicy)
        try await other.recordPolicy(by: admin)
        try await other.recordPolicy(by: admin)
        #expect(try await recorded().last == hexadecimal(other.policy.digest))
        #expect(try await recorded().count == 2)
    }

    @Test func attack44_whatCannotBeRecordedIsNotIssued() async throws {
        let parts = try await TestAuthority()
        let session = try await parts.session()
        parts.ledger.fail(true)
        let refused = try await code {
            _ = try await parts.authority.issue(parts.wish(), for: session.session, from: nil)
        }
        #expect(refused == .storeFull)
        #expect(parts.signer.signed == 0)
        // A refusal that can't be recorded is an error too, not a refusal.
        let silent = try await code {
            _ = try await parts.authority.issue(parts.wish("root"), for: session.session, from: nil)
        }
        #expect(silent == .storeFull)
    }

    @Test func attack43_aSignerThatFailsLeavesTheDecisionAndTheSerialInTheLog() async throws {
        let parts = try await TestAuthority()
        let session = try await parts.session()
        parts.signer.fail(true)
        let refused = try await code {
            _ = try await parts.authority.issue(parts.wish(), for: session.session, from: nil)
        }
        #expect(refused == .key)
        let events = try await parts.ledger.events.suffix(2)
        guard case .decision? = events.first, case .issuance? = events.last else {
            Issue.record("\(events)")
            return
        }
    }

    @Test func attack43_theDecisionIsRecordedBeforeWhatItAllows() async throws {
        let parts = try await TestAuthority()
        let session = try await parts.session()
        for _ in 0..<3 {
            _ = try await parts.authority.issue(parts.wish(), for: session.session, from: nil)
        }
        _ = try await parts.authority.issue(parts.wish("root"), for: session.session, from: nil)
        let names = try await parts.ledger.events.suffix(7).map { event in
            switch event {
            case .decision(let record): record.verdict.name
            case .issuance: "issued"
            default: "other"
            }
        }
        #expect(names == ["allowed", "issued", "allowed", "issued", "allowed", "issued", "denied"])
    }

    @Test func aKeyThatIsRemovedWhileItLogsInStartsNoSession() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        parts.directory.gate.shut()
        async let outcome = parts.logIn(key)
        await parts.directory.gate.arrival()
        async let removal: Void = parts.authority.removeKey(
            fingerprint: key.publicKey.fingerprint, by: try Identity("admin"), from: nil)
        parts.directory.gate.open()
        _ = try await (outcome, removal)
        #expect(parts.authority.sessions.open(at: parts.authority.now).isEmpty)
        #expect(await parts.directory.kept.sessions().isEmpty)
        #expect(await parts.directory.kept.enrolledKeys().isEmpty)
    }

    @Test func theSessionsOfAKeyEndWithIt() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        _ = try await parts.logIn(key)
        _ = try await parts.session("bob@example.com")
        try await parts.authority.removeKey(
            fingerprint: key.publicKey.fingerprint, by: try Identity("admin"), from: nil)
        let left = parts.authority.sessions.open(at: parts.authority.now)
        #expect(left.map(\.person.identity.description) == ["bob@example.com"])
    }

    @Test func aRemovalThatCouldNotBeRecordedCanBeRepeated() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        parts.ledger.fail(true)
        let failed = try await code {
            try await parts.authority.removeKey(
                fingerprint: key.publicKey.fingerprint, by: try Identity("admin"), from: nil)
        }
        #expect(failed == .storeFull)
        parts.ledger.fail(false)
        try await parts.authority.removeKey(
            fingerprint: key.publicKey.fingerprint, by: try Identity("admin"), from: nil)
        #expect(parts.authority.enrolledKeys.isEmpty)
    }

    @Test func anEndThatCouldNotBeRecordedIsOneAtOnceAndCanBeRepeated() async throws {
        let parts = try await TestAuthority()
        let session = try await parts.session()
        func end() async throws {
            try await parts.authority.endSession(
                session.session.id, by: session.session, isAdministrator: false, from: nil, reason: "out")
        }
        parts.ledger.fail(true)
        #expect(try await code { try await end() } == .storeFull)
        #expect(parts.authority.sessions.open(at: parts.authority.now).isEmpty)
        parts.ledger.fail(false)
        try await end()
        #expect(await parts.directory.kept.sessions().isEmpty)
        #expect(try await code { try await end() } == .notFound)
    }

    @Test func aSessionWhoseKeyIsGoneIsNoneAfterARestart() async throws {
        let parts = try await TestAuthority()
        let key = try await parts.enrolled()
        _ = try await parts.logIn(key)
        // As when the process died between the two.
        await parts.directory.kept.removeKey(fingerprint: key.publicKey.fingerprint)
        let authority = try await parts.reopened()
        #expect(authority.sessions.open(at: authority.now).isEmpty)
        #expect(await parts.directory.kept.sessions().isEmpty)
        guard case .login(let record)? = try await parts.ledger.events.last else {
            Issue.record("the end is not recorded")
            return
        }
        #expect(record.change == .ended)
    }

    @Test func twoWhoEnrolOneKeyAtATimeAreToldApart() async throws {
        let parts = try await TestAuthority()
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let before = await parts.ledger.kept.entries.count
        let outcomes = try await withThrowingTaskGroup(of: CertAuthorityError.Code?.self) { group in
            for name in ["alice", "bob", "carol"] {
                group.addTask {
                    try await code {
                        try await parts.authority.enrol(
                            try EnrolledKey(
                                key: key, identity: try Identity(name), added: parts.authority.now),
                            by: try Identity("admin"))
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == nil } == 1 && outcomes.count { $0 == .conflict } == 2)
        // The log does not say of the others that they have it.
        #expect(await parts.ledger.kept.entries.count == before + 1)
    }

    @Test func twoHostsThatTakeOneNameAtATimeAreToldApart() async throws {
        let parts = try await TestAuthority()
        let codes = try await withThrowingTaskGroup(of: CertAuthorityError.Code?.self) { group in
            for id in ["a", "b"] {
                group.addTask {
                    try await code {
                        try await parts.authority.set(
                            try ManagedHost(id: id, names: ["shared.example.com"]), by: try Identity("admin"))
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == nil } == 1)
        #expect(await parts.directory.kept.hosts().count == 2)
    }

    /// What may be recorded can be read again: an entry that no reader takes would be in the way of all.
    @Test func aHostWithAllTheNamesAndLabelsThatItMayHaveCanBeReadBackFromTheLog() async throws {
        let parts = try await TestAuthority()
        let label = String(repeating: "a", count: 61)
        let names = (10..<74).map { number in
            ([String](repeating: label, count: 4)).joined(separator: ".").dropLast(3) + "\(number)"
        }
        let labels = Dictionary(
            uniqueKeysWithValues: (10..<74).map { number in
                ("\(String(repeating: "l", count: 62))\(number)", String(repeating: "v", count: 64))
            })
        try await parts.authority.set(
            try ManagedHost(id: "big", names: names.map(String.init), labels: labels),
            by: try Identity("admin"))
        guard case .change(let record)? = try await parts.ledger.events.last else {
            Issue.record("no record")
            return
        }
        #expect(record.name == "big" && record.detail.string.hasPrefix(label))
    }

    @Test func attack41_nobodyEndsAnothersSessionUnlessTheyAdminister() async throws {
        let parts = try await TestAuthority()
        let alice = try await parts.session()
        let bob = try await parts.session("bob@example.com")
        let refused = try await code {
            try await parts.authority.endSession(
                alice.session.id, by: bob.session, isAdministrator: false, from: nil, reason: "")
        }
        #expect(refused == .notFound)
        #expect(parts.authority.sessions.isOpen(alice.session.id, at: parts.authority.now))
        try await parts.authority.endSession(
            alice.session.id, by: bob.session, isAdministrator: true, from: nil, reason: "")
        #expect(!parts.authority.sessions.isOpen(alice.session.id, at: parts.authority.now))
    }

    @Test func attack54_aCertificateNeverOutlivesItsSession() async throws {
        let parts = try await TestAuthority()
        let session = try await parts.session()
        parts.clock.advance(seconds: 12 * 3_600 - 30)
        guard
            case .issued(let certificate, _, _, _) = try await parts.authority.issue(
                parts.wish(), for: session.session, from: nil)
        else {
            Issue.record("not issued")
            return
        }
        #expect(certificate.fields.validBefore <= session.session.expires)
    }

    @Test(arguments: [UInt64(0), 1, 3_600, 3_601, .max]) func attack54_anyLifetimeIsBoundedOrRefused(
        lifetime: UInt64
    ) async throws {
        let parts = try await TestAuthority()
        let session = try await parts.session()
        var wish = try parts.wish()
        wish.lifetime = lifetime
        let now = parts.authority.now
        do throws(CertAuthorityError) {
            let outcome = try await parts.authority.issue(wish, for: session.session, from: nil)
            guard case .issued(let certificate, _, _, _) = outcome else { return }
            #expect(certificate.fields.validBefore.seconds <= now.seconds + 3_600)
        } catch {
            #expect(error.code == .invalidRequest)
        }
    }
}
