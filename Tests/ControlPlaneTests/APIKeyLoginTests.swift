// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("Logging in by an API key") struct APIKeyLoginTests {
    private func reason(_ outcome: AccessAuthority.LoginOutcome) -> String? {
        guard case .refused(let refusal) = outcome else { return nil }
        return refusal.reason
    }

    private func made(
        _ parts: TestAuthority, _ name: String = "ci", groups: [String] = [], from addresses: [String] = [],
        lifetime: UInt64? = nil
    ) async throws -> (key: APIKey, token: String) {
        let (key, token) = try await parts.authority.createAPIKey(
            named: name, groups: groups, sourceAddresses: try addresses.map { try AddressBlock($0) },
            lifetime: lifetime, by: try Identity("admin@example.com"))
        return (key, token.text)
    }

    /// What the log says of API keys, in order.
    private func changes(_ parts: TestAuthority) async throws -> [ChangeRecord] {
        try await parts.ledger.events.compactMap { event in
            guard case .change(let record) = event, record.subject == .apiKey else { return nil }
            return record
        }
    }

    @Test func itsHolderHasASessionThatIsRecordedAndKept() async throws {
        let parts = try await TestAuthority()
        let (key, token) = try await made(parts, groups: ["deployers"])
        let session = try #require(try await parts.session(byAPIKey: token).session).session
        #expect(session.person.identity.description == "ci/api-key/ci")
        #expect(session.person.provider == "api-key" && session.person.subject == key.id)
        #expect(session.person.groups == ["deployers"])
        #expect(await parts.directory.kept.sessions() == [session])
        guard case .login(let record)? = try await parts.ledger.events.last else {
            Issue.record("no record")
            return
        }
        #expect(record.change == .started && record.provider == "api-key")
        #expect(record.reason.string == "API key \(key.id)")
    }

    @Test func theLogSaysWhatWasMadeAndTakenAwayAndHasNoSecret() async throws {
        let parts = try await TestAuthority()
        let (key, token) = try await made(parts, groups: ["a"], from: ["192.0.2.0/24"], lifetime: 60)
        _ = try await parts.session(byAPIKey: token)
        try await parts.authority.removeAPIKey(key.id, by: try Identity("admin"), from: nil)
        let changes = try await changes(parts)
        #expect(changes.map(\.isPresent) == [true, false] && changes.allSatisfy { $0.name == "ci" })
        #expect(changes[0].detail.string.hasPrefix("\(key.id), group a, from 192.0.2.0/24, until "))
        let secret = String(token.suffix(43))
        for entry in await parts.ledger.kept.entries {
            #expect(!String(decoding: entry, as: UTF8.self).contains(secret))
        }
        let kept = try #require(changes.first)
        #expect(!"\(kept)".contains(secret) && !"\(key)".contains(secret))
    }

    @Test func attack53_anUnknownKeyAndAWrongSecretAreToldAlike() async throws {
        let parts = try await TestAuthority()
        let (key, token) = try await made(parts)
        let other = try await made(parts, "other").token
        let size = await parts.ledger.kept.entries.count
        let stranger = "0000000000000000"
        let wrongSecret = "daypass_\(key.id)_\(other.suffix(43))"
        let unknown = "daypass_\(stranger)_\(token.suffix(43))"
        let refused = try await parts.session(byAPIKey: wrongSecret).outcome
        let missing = try await parts.session(byAPIKey: unknown).outcome
        #expect(reason(refused) != nil)
        #expect(
            reason(refused)?.replacing(key.id, with: "ID") == reason(missing)?.replacing(stranger, with: "ID")
        )
        // A removed one is no other than one that never was; what holds no key at all is recorded nowhere.
        try await parts.authority.removeAPIKey(key.id, by: try Identity("admin"), from: nil)
        #expect(reason(try await parts.session(byAPIKey: token).outcome) == reason(refused))
        #expect(await parts.ledger.kept.entries.count == size + 1)
        #expect(reason(try await parts.session(byAPIKey: "nothing").outcome)?.contains("no API key") == true)
    }

    @Test func whatExpiredIsRefusedAndRecordedAndItsSessionsEndWithIt() async throws {
        let parts = try await TestAuthority()
        let (_, token) = try await made(parts, lifetime: 600)
        let session = try #require(try await parts.session(byAPIKey: token).session).session
        #expect(session.expires.seconds == parts.clock.seconds + 600)
        parts.clock.advance(seconds: 599)
        #expect(try await parts.session(byAPIKey: token).session?.session.expires == session.expires)
        parts.clock.advance(seconds: 1)
        #expect(!parts.authority.sessions.isOpen(session.id, at: parts.authority.now))
        #expect(reason(try await parts.session(byAPIKey: token).outcome)?.contains("expired") == true)
        guard case .login(let record)? = try await parts.ledger.events.last else {
            Issue.record("no record")
            return
        }
        #expect(record.change == .refused && record.identity.description == "ci/api-key/ci")
    }

    @Test func attack26_aStolenAPIKeyOrSessionIsWorthNothingElsewhere() async throws {
        let policy = TestAuthority.policy.replacing(
            "- user: \"alice@example.com\"", with: "- provider: api-key")
        let parts = try await TestAuthority(policy: policy)
        let (_, token) = try await made(parts, from: ["192.0.2.0/24"])
        for address in ["198.51.100.1", nil] {
            let outcome = try await parts.session(byAPIKey: token, from: address).outcome
            #expect(reason(outcome)?.contains("may not be used from") == true)
        }
        let session = try #require(try await parts.session(byAPIKey: token).session).session
        let there = try await parts.authority.issue(
            parts.wish(), for: session, from: IPAddress("192.0.2.200"))
        guard case .issued = there else {
            Issue.record("refused where it may be used: \(there)")
            return
        }
        for address in [try IPAddress("198.51.100.1"), nil] {
            guard
                case .refused(let decision) = try await parts.authority.issue(
                    parts.wish(), for: session, from: address)
            else {
                Issue.record("issued elsewhere")
                return
            }
            #expect(decision.reasons.first?.contains("may not be used from") == true)
        }
    }

    @Test func removingOneEndsItsSessionsAndNoOthers() async throws {
        let parts = try await TestAuthority()
        let (key, token) = try await made(parts)
        let other = try await made(parts, "other").token
        for token in [token, token, other] { _ = try await parts.session(byAPIKey: token) }
        _ = try await parts.session()
        try await parts.authority.removeAPIKey(key.id, by: try Identity("admin"), from: nil)
        let left = parts.authority.sessions.open(at: parts.authority.now).map(\.person.identity.description)
        #expect(left.sorted() == ["alice@example.com", "ci/api-key/other"])
        #expect(await parts.directory.kept.sessions().count == 2)
        // After a restart nothing else comes out.
        let authority = try await parts.reopened()
        #expect(authority.apiKeys.map(\.name) == ["other"])
        #expect(authority.sessions.open(at: authority.now).count == 2)
    }

    @Test func aSessionWhoseAPIKeyIsGoneIsNoneAfterARestart() async throws {
        let parts = try await TestAuthority()
        let (key, token) = try await made(parts)
        _ = try await parts.session(byAPIKey: token)
        // As when the process died between the two.
        await parts.directory.kept.removeAPIKey(id: key.id)
        let authority = try await parts.reopened()
        #expect(authority.sessions.open(at: authority.now).isEmpty)
        #expect(await parts.directory.kept.sessions().isEmpty)
    }

    @Test func oneThatIsRemovedWhileItLogsInStartsNoSession() async throws {
        let parts = try await TestAuthority()
        let (key, token) = try await made(parts)
        parts.directory.gate.shut()
        async let outcome = parts.session(byAPIKey: token).outcome
        await parts.directory.gate.arrival()
        async let removal: Void = parts.authority.removeAPIKey(
            key.id, by: try Identity("admin"), from: nil)
        parts.directory.gate.open()
        _ = try await (outcome, removal)
        #expect(parts.authority.sessions.open(at: parts.authority.now).isEmpty)
        #expect(await parts.directory.kept.sessions().isEmpty)
    }

    @Test func aNameIsTakenOnceAndThereAreAThousandAtMost() async throws {
        let parts = try await TestAuthority()
        _ = try await made(parts)
        await #expect(throws: CertAuthorityError.self) { _ = try await made(parts) }
        for number in 1..<APIKey.maximumCount { _ = try await made(parts, "key-\(number)") }
        let size = await parts.ledger.kept.entries.count
        do {
            _ = try await made(parts, "one-more")
            Issue.record("there are \(parts.authority.apiKeys.count)")
        } catch let error as CertAuthorityError {
            #expect(error.code == .conflict && error.reason.contains("1000"))
        }
        // Nothing is recorded that isn't made.
        #expect(await parts.ledger.kept.entries.count == size)
    }

    @Test func whatCannotBeRecordedIsNotMade() async throws {
        let parts = try await TestAuthority()
        parts.ledger.fail(true)
        await #expect(throws: CertAuthorityError.self) { _ = try await made(parts) }
        parts.ledger.fail(false)
        parts.directory.fail(true)
        await #expect(throws: CertAuthorityError.self) { _ = try await made(parts) }
        parts.directory.fail(false)
        #expect(parts.authority.apiKeys.isEmpty)
        _ = try await made(parts)
    }

    @Test func attack15_noPersonHasAnAPIKeysIdentity() async throws {
        let parts = try await TestAuthority()
        _ = try await made(parts)
        for identity in ["ci/api-key/ci", "ci/api-key/another"] {
            let key = try EnrolledKey(
                key: try PrivateKey.generate(.ed25519, comment: "").publicKey,
                identity: try Identity(identity),
                added: parts.authority.now)
            await #expect(throws: CertAuthorityError.self) {
                try await parts.authority.enrol(key, by: try Identity("admin"))
            }
        }
        #expect(Person.reservedProviders == ["keys", "api-key"])
    }
}
