// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlPlane
import ControlProtocol
import Logging
import SSHWire

/// An authority in memory with real keys: alice deploys to web1, admin administers.
struct TestAuthority {
    static let policy = """
        version: 1
        administrators:
          or:
            - user: "admin@example.com"
        rules:
          - name: deployers
            hosts: [{any: true}]
            logins: [deploy]
            allow:
              or:
                - user: "alice@example.com"
                - user: "admin@example.com"
            certificate:
              max_lifetime: 1h
              default_lifetime: 10m
        """
    /// One in which nobody may do anything.
    static let emptyPolicy = "version: 1\nrules: []\n"

    let clock = TestClock()
    let ledger = TestLedger()
    let directory = TestDirectory()
    let signer: TestSigner
    let bindings: InMemoryIdentityBindings
    let requests: TestRequestStore
    let authority: AccessAuthority
    let alerts: AlertCenter

    init(
        limits: AccessAuthority.Limits = .init(), policy: String = TestAuthority.policy,
        providers: [any SignInProvider] = []
    ) async throws {
        signer = try TestSigner()
        requests = TestRequestStore(ledger)
        let clock = clock
        bindings = InMemoryIdentityBindings { UnixTime(seconds: clock.seconds) }
        authority = try await Self.open(
            ledger, directory, signer, clock, bindings, limits, policy, requests, providers)
        alerts = try await Self.alerts(authority, ledger)
        try await authority.set(
            try ManagedHost(id: "web1", names: ["web1.example.com"], labels: ["team": "infra"]),
            by: try Identity("setup"))
    }

    static func open(
        _ ledger: TestLedger, _ directory: TestDirectory, _ signer: TestSigner, _ clock: TestClock,
        _ bindings: any IdentityBindings = InMemoryIdentityBindings(),
        _ limits: AccessAuthority.Limits = .init(), _ policy: String = TestAuthority.policy,
        _ requests: (any RequestStore)? = nil, _ providers: [any SignInProvider] = []
    ) async throws -> AccessAuthority {
        let issuer = Issuer(
            policy: CAConfiguration(origin: "test.example").policy, ledger: ledger,
            signers: [.user: signer, .host: signer],
            clock: { clock.milliseconds }, randomBytes: SystemRandom.bytes)
        return try await AccessAuthority(
            issuer: issuer, directory: directory, policy: try AccessPolicy(yaml: policy, name: "policy"),
            limits: limits, providers: providers, bindings: bindings, requests: requests,
            origin: "test.example")
    }

    /// The authority as it is after its process died and started again.
    func reopened(policy: String = TestAuthority.policy) async throws -> AccessAuthority {
        try await Self.open(ledger, directory, signer, clock, bindings, .init(), policy, requests)
    }

    /// The hosts that have joined, of whom nothing is kept but what the log has.
    func fleet() async throws -> Fleet {
        try await Fleet(authority, store: InMemoryFleetStore { [ledger] in await ledger.kept.entries })
    }

    func hub(
        limits: RequestLimits, logger: Logger, revocationSigner: RevocationSigner? = nil
    ) async throws -> TunnelHub {
        TunnelHub(
            try await fleet(), names: ["127.0.0.1", "localhost"], limits: limits, metrics: PlaneMetrics(),
            logger: logger, revocationSigner: revocationSigner, alerts: alerts)
    }

    /// What somebody should look at.
    static func alerts(
        _ authority: AccessAuthority, _ ledger: TestLedger, _ settings: ServerConfiguration.Alerts = .init()
    ) async throws -> AlertCenter {
        try await AlertCenter(
            authority, store: InMemoryAlertStore { await ledger.kept.entries }, settings: settings)
    }

    var chains: ChainReader {
        let ledger = ledger
        return ChainReader(
            history: InMemoryEntryHistory { await ledger.kept.entries },
            fleet: InMemoryFleetStore { await ledger.kept.entries })
    }

    /// A session, as somebody has one after logging in.
    func session(
        _ identity: String = "alice@example.com", provider: String = "keys"
    ) async throws -> TestSession {
        let sessionKey = try PrivateKey.generate(.ed25519, comment: "")
        let person = Person(
            identity: try Identity(identity), provider: provider, subject: "s", authenticatedAt: authority.now
        )
        let outcome = try await authority.start(
            person, by: .provider, sessionKey: sessionKey.publicKey, from: try IPAddress("192.0.2.1"))
        guard case .started(let session) = outcome else { throw UnexpectedOutcome(what: "\(outcome)") }
        return TestSession(session: session, key: sessionKey)
    }

    /// An API key's session.
    func session(
        byAPIKey token: String, from address: String? = "192.0.2.1"
    ) async throws -> (outcome: AccessAuthority.LoginOutcome, session: TestSession?) {
        let sessionKey = try PrivateKey.generate(.ed25519, comment: "")
        let outcome = try await authority.logIn(
            byAPIKey: token, sessionKey: sessionKey.publicKey, from: try address.map { try IPAddress($0) })
        guard case .started(let session) = outcome else { return (outcome, nil) }
        return (outcome, TestSession(session: session, key: sessionKey))
    }

    func enrolled(_ identity: String = "alice@example.com") async throws -> PrivateKey {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        try await authority.enrol(
            try EnrolledKey(key: key.publicKey, identity: try Identity(identity), added: authority.now),
            by: try Identity("setup"))
        return key
    }

    func wish(_ login: String = "deploy", host: String = "web1") throws -> AccessWish {
        try AccessWish(
            host: host, login: login, key: try PrivateKey.generate(.ed25519, comment: "").publicKey)
    }

    /// A login by an enrolled key, everything as it should be unless a parameter says otherwise.
    func logIn(
        _ key: PrivateKey, challenge: String? = nil, origin: String = "test.example",
        namespace: String = LoginChallenge.namespace, signer: KeyOrCertificate? = nil,
        signedSessionKey: PublicKey? = nil, sessionKey: PrivateKey? = nil
    ) async throws -> AccessAuthority.LoginOutcome {
        let challenge = challenge ?? authority.challenges.issue(at: authority.now).challenge
        let sessionKey = try sessionKey ?? PrivateKey.generate(.ed25519, comment: "")
        let signed = LoginChallenge.message(
            challenge: challenge, origin: origin, sessionKey: signedSessionKey ?? sessionKey.publicKey)
        let signature = try SSHSignature.sign(
            signed, namespace: ExactText(namespace), signer: signer ?? .key(key.publicKey)
        ) { (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm) }
        let expected = LoginChallenge.message(
            challenge: challenge, origin: "test.example", sessionKey: sessionKey.publicKey)
        return try await authority.logIn(
            by: signature, over: expected, namespace: ExactText(LoginChallenge.namespace),
            challenge: challenge, sessionKey: sessionKey.publicKey, from: nil)
    }
}

struct TestSession {
    let session: LoginSession
    let key: PrivateKey
}

struct UnexpectedOutcome: Error { let what: String }
