// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Synchronization

/// A store of requests in memory that can be made to fail, and to lie.
final class TestRequestStore: RequestStore {
    let kept: InMemoryRequestStore
    private let fails = Mutex(false)

    init(_ ledger: any Ledger) { kept = InMemoryRequestStore(ledger) }

    func fail(_ isFailing: Bool) { fails.withLock { $0 = isFailing } }

    func requests() async throws(CertAuthorityError) -> [GrantRequest] { await kept.requests() }

    func save(_ request: GrantRequest) async throws(CertAuthorityError) {
        try checkRoom()
        try await kept.save(request)
    }

    func save(
        _ request: GrantRequest, recording drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError) {
        try checkRoom()
        try await kept.save(request, recording: drafts, at: milliseconds)
    }

    private func checkRoom() throws(CertAuthorityError) {
        guard !fails.withLock({ $0 }) else { throw CertAuthorityError(.storeFull, "no room on this disk") }
    }

    func removeRequests(_ ids: [String]) async throws(CertAuthorityError) { await kept.removeRequests(ids) }
}

/// Somebody with an enrolled key, logged in by it.
struct TestPerson {
    let identity: Identity
    let key: PrivateKey
    let session: TestSession
}

/// An authority whose rule asks for approval: alice and carol ask, the leads bob, dora and alice approve.
struct ApprovalScene {
    let parts: TestAuthority
    let alice: TestPerson
    let bob: TestPerson
    let dora: TestPerson

    static func policy(
        approval: String = "{by: {or: [{groups: {has: leads}}]}, waits: 1h, grant: 2h}",
        certificate: String =
            "{max_lifetime: 1h, default_lifetime: 10m, permissions: [pty, port-forwarding]}",
        breakGlass: String = ""
    ) -> String {
        """
        version: 1
        administrators: {or: [{user: "admin@example.com"}]}
        rules:
          - name: on-approval
            hosts: [{labels: {team: infra}}]
            logins: [deploy, root]
            allow: {or: [{groups: {has: sre}}]}
            requires: {reason: true, approval: \(approval)}
            certificate: \(certificate)
            \(breakGlass)

        """
    }

    init(policy: String = ApprovalScene.policy()) async throws {
        parts = try await TestAuthority(policy: policy)
        alice = try await parts.person("alice@example.com", groups: ["sre", "leads"])
        bob = try await parts.person("bob@example.com", groups: ["leads"])
        dora = try await parts.person("dora@example.com", groups: ["leads"])
    }

    var authority: AccessAuthority { parts.authority }

    func wish(
        host: String = "web1", login: String = "root", duration: UInt64? = 1_800,
        reason: String = "disk full",
        ticket: String? = nil, _ change: (inout GrantWish) -> Void = { _ in }
    ) throws -> GrantWish {
        var wish = try GrantWish(
            target: .host(host), login: login, duration: duration, reason: reason, ticket: ticket)
        change(&wish)
        return wish
    }

    /// Alice's request, which waits.
    func ask(_ wish: GrantWish? = nil) async throws -> GrantRequest {
        try done(
            await authority.ask(try wish ?? self.wish(), for: alice.session.session, from: nil))
    }

    func approve(
        _ request: GrantRequest, by person: TestPerson, text: String? = nil, key: PrivateKey? = nil,
        namespace: ExactText = Approval.namespace
    ) async throws -> GrantOutcome {
        try await authority.approve(
            request.id,
            by: try Self.sign(text ?? request.text(origin: "test.example"), key ?? person.key, namespace),
            of: person.session.session, from: nil)
    }

    static func sign(
        _ text: String, _ key: PrivateKey, _ namespace: ExactText = Approval.namespace
    ) throws -> SSHSignature {
        try SSHSignature.sign(Array(text.utf8), namespace: namespace, signer: .key(key.publicKey)) {
            (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm)
        }
    }

    /// Alice's request, which bob has approved.
    func approved(_ wish: GrantWish? = nil) async throws -> GrantRequest {
        try done(await approve(try await ask(wish), by: bob))
    }

    /// A certificate for alice.
    func issue(
        host: String = "web1", login: String = "root", by authority: AccessAuthority? = nil,
        _ change: (inout AccessWish) -> Void = { _ in }
    ) async throws -> AccessOutcome {
        var wish = try parts.wish(login, host: host)
        change(&wish)
        return try await (authority ?? self.authority).issue(wish, for: alice.session.session, from: nil)
    }

    func done(_ outcome: GrantOutcome) throws -> GrantRequest {
        guard case .done(let request) = outcome else { throw UnexpectedOutcome(what: "\(outcome)") }
        return request
    }
}

extension GrantOutcome {
    /// Why not, in one line; nil where it was done.
    var refusal: String? {
        guard case .refused(let decision) = self else { return nil }
        return decision.reasons.joined(separator: "; ")
    }
}

extension AccessOutcome {
    var refusal: String? {
        guard case .refused(let decision) = self else { return nil }
        return decision.reasons.joined(separator: "; ")
    }

    var certificate: Certificate? {
        guard case .issued(let certificate, _, _, _) = self else { return nil }
        return certificate
    }
}

extension TestAuthority {
    /// Enrols a key for somebody, and logs them in by it.
    func person(_ identity: String, groups: [String] = []) async throws -> TestPerson {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        try await authority.enrol(
            try EnrolledKey(
                key: key.publicKey, identity: try Identity(identity), groups: groups, added: authority.now),
            by: try Identity("setup"))
        let sessionKey = try PrivateKey.generate(.ed25519, comment: "")
        guard case .started(let session) = try await logIn(key, sessionKey: sessionKey) else {
            throw UnexpectedOutcome(what: "no login")
        }
        return TestPerson(
            identity: try Identity(identity), key: key,
            session: TestSession(session: session, key: sessionKey))
    }
}
