// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// The control plane's decisions: who is logged in, what policy gives them, and what the log is told of it.
///
/// Everything that is changed is recorded in the log first, then kept, then used.
public final class AccessAuthority: Sendable {
    /// What is decided by, beside the policy.
    public struct Limits: Sendable, Hashable {
        /// How long a session lasts, in seconds.
        public var sessionLifetime: UInt64 = 12 * 3_600
        /// The most open sessions of one person; the oldest is ended for a new one.
        public var sessionsPerPerson = 32

        public init() {}
    }

    /// What is kept in memory, as the directory has it.
    struct State {
        var policy: AccessPolicy
        var keys: [PublicKey: EnrolledKey] = [:]
        var apiKeys: [String: APIKey] = [:]
        var hosts: [String: ManagedHost] = [:]
        /// Ids of hosts by what people call them.
        var hostIDs: [String: String] = [:]
    }

    /// The sessions that are open.
    public let sessions: SessionTable
    /// The challenges that are out.
    public let challenges: ChallengeTable
    /// Sign-ins at identity providers that have begun.
    public let signIns: PendingSignIns
    /// Those among them that are completed on this server's own pages.
    public let pageSignIns: PageSignIns
    /// The identity providers, and where workloads' tokens are believed, by name.
    public let providers: [String: any SignInProvider]
    public let workloads: [String: any WorkloadProvider]
    let state: Mutex<State>
    let directory: any Directory
    let requestStore: any RequestStore
    /// Requests for approval, as the store has them.
    let book: GrantBook
    /// The authority's name, which approvals are signed for.
    public let origin: String
    let bindings: any IdentityBindings
    let issuer: Issuer
    let limits: Limits
    /// Changes of keys, hosts, policy, and ends of sessions.
    let changes = OneAtATime()

    /// Reads everything from the directory.
    ///
    /// Sessions that have expired are removed from it, and so are those whose key was: where the process died between
    /// the removal of a key and the end of its sessions, the end is recorded now.
    ///
    /// - Parameters:
    ///   - bindings: whose each identity is; what the providers bind to.
    ///   - requests: where requests for approval are kept; nil for in memory only.
    ///   - origin: the authority's name, the log's too: an approval is good for one authority.
    public init(
        issuer: Issuer, directory: any Directory, policy: AccessPolicy, limits: Limits = Limits(),
        providers: [any SignInProvider] = [], workloads: [any WorkloadProvider] = [],
        bindings: any IdentityBindings = InMemoryIdentityBindings(),
        requests: (any RequestStore)? = nil, origin: String
    ) async throws(CertAuthorityError) {
        self.issuer = issuer
        self.directory = directory
        self.limits = limits
        self.bindings = bindings
        requestStore = requests ?? InMemoryRequestStore(issuer.ledger)
        self.origin = origin
        signIns = PendingSignIns(randomBytes: issuer.randomBytes)
        pageSignIns = PageSignIns(randomBytes: issuer.randomBytes)
        self.providers = Dictionary(providers.map { ($0.name, $0) }) { first, _ in first }
        self.workloads = Dictionary(workloads.map { ($0.name, $0) }) { first, _ in first }
        challenges = ChallengeTable(randomBytes: issuer.randomBytes)
        var state = State(policy: policy)
        for key in try await directory.enrolledKeys() { state.keys[key.key] = key }
        for key in try await directory.apiKeys() { state.apiKeys[key.id] = key }
        for host in try await directory.hosts() { try state.add(host) }
        let milliseconds = issuer.clock()
        let now = UnixTime(seconds: milliseconds / 1_000)
        let credentials = Set(
            state.keys.keys.map(\.fingerprint) + state.apiKeys.values.map(\.credential))
        let all = try await directory.sessions()
        let (lost, kept) = Self.sort(all.filter { now < $0.expires }, by: credentials)
        sessions = SessionTable(
            kept,
            ended: all.filter { now >= $0.expires }.map { ($0, .expired) }
                + lost.map {
                    ($0, $0.person.provider == Person.apiKeys ? .apiKeyRemoved : .enrolledKeyRemoved)
                },
            startedAt: milliseconds)
        self.state = Mutex(state)
        book = GrantBook(try await requestStore.requests(), sweptAt: now)
        for session in lost {
            try await record(
                .login(
                    loginRecord(session, .ended, from: nil, reason: "its key was removed"),
                    requester: session.person.identity))
        }
        let keptIDs = Set(kept.map(\.id))
        try await directory.removeSessions(all.map(\.id).filter { !keptIDs.contains($0) })
    }

    /// Sessions whose key is gone, and the others.
    private static func sort(
        _ sessions: [LoginSession], by credentials: Set<String>
    ) -> (lost: [LoginSession], kept: [LoginSession]) {
        let isLost: (LoginSession) -> Bool = { $0.credential.map { !credentials.contains($0) } ?? false }
        return (sessions.filter(isLost), sessions.filter { !isLost($0) })
    }

    /// The current second.
    public var now: UnixTime { UnixTime(seconds: issuer.clock() / 1_000) }

    /// The policy in force.
    public var policy: AccessPolicy { state.withLock { $0.policy } }

    /// Whether the policy counts somebody among the administrators.
    public func isAdministrator(_ person: Person, from address: IPAddress?) -> Bool {
        policy.isAdministrator(person, at: now, from: address)
    }

    /// Puts another policy in force, once the log knows of it.
    public func use(_ policy: AccessPolicy, by requester: Identity) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            try await record(
                .change(
                    ChangeRecord(
                        subject: .policy, isPresent: true, name: ExactText(hexadecimal(policy.digest)),
                        detail: ""), requester: requester))
            try await directory.setPolicyInForce(policy.digest)
            state.withLock { $0.policy = policy }
            reconsiderGrants()
        }
    }

    /// Tells the log of the policy that this process has begun with, unless it is the one that was in force last: a policy
    /// that was changed while no server ran is a change like any other.
    public func recordPolicy(by requester: Identity) async throws(CertAuthorityError) {
        let policy = policy
        guard try await directory.policyInForce() != policy.digest else { return }
        try await use(policy, by: requester)
    }

    /// Appends entries that are no issuance.
    func record(_ drafts: LedgerDraft...) async throws(CertAuthorityError) {
        _ = try await issuer.ledger.append(drafts, at: issuer.clock())
    }

    /// Keeps what became of a request and records it, in one step, and tells those who watch.
    func keep(
        _ request: GrantRequest, _ kind: GrantChange.Kind?, recording drafts: [LedgerDraft]
    ) async throws(CertAuthorityError) {
        try await requestStore.save(request, recording: drafts, at: issuer.clock())
        book.put(request, kind)
    }

    /// A fresh name for a session.
    func newSessionID() -> String { hexadecimal(issuer.randomBytes(16)) }
}

extension AccessAuthority.State {
    /// - Throws: `.conflict` when another host has one of its names.
    mutating func add(_ host: ManagedHost) throws(CertAuthorityError) {
        let names = Set(host.names + [host.id])
        for name in names {
            if let other = hostIDs[name], other != host.id {
                throw CertAuthorityError(
                    .conflict, "host \(host.id): \"\(name)\" is a name of the host \(other) already",
                    hint: "one name leads to one host: take it from the other first")
            }
        }
        remove(hostID: host.id)
        hosts[host.id] = host
        for name in names { hostIDs[name] = host.id }
    }

    mutating func remove(hostID: String) {
        guard let host = hosts.removeValue(forKey: hostID) else { return }
        for name in host.names + [host.id] { hostIDs[name] = nil }
    }

    /// The host that somebody means by an id, a name or an address.
    func host(called name: String) -> ManagedHost? {
        hostIDs[name.lowercased()].flatMap { hosts[$0] }
    }
}
