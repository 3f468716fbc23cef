// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// How far a host's records have come into the log.
public struct RecordPlace: Sendable, Hashable {
    /// The newest record's number among the host's.
    public let sequence: UInt64
    /// SHA-256 of its line.
    public let hash: [UInt8]

    public init(sequence: UInt64, hash: [UInt8]) {
        self.sequence = sequence
        self.hash = hash
    }
}

/// The hosts that have joined: who may join, whose agent somebody is, and what they reported.
///
/// Everything that is changed is recorded in the log first, then kept, then used.
public final class Fleet: Sendable {
    struct State {
        var tokens: [String: JoinToken] = [:]
        /// By client id.
        var hosts: [String: EnrolledHost] = [:]
        /// How far the records of a host have come, by the host's id.
        var places: [String: RecordPlace] = [:]
        /// One host's reports are taken one after the other.
        var turns: [String: OneAtATime] = [:]
        /// The newest statement of the fleet's root.
        var trust: FleetTrustRecord?
        /// Who may enter accounts, by the host's id and the login.
        var principals: [String: [String: HostPrincipals]] = [:]
        /// When a host was given a certificate lately, by the host's id.
        var certified: [String: [UnixTime]] = [:]
    }

    let state: Mutex<State>
    let access: AccessAuthority
    let store: any FleetStore
    let changes = OneAtATime()
    /// The fleet's roots as the settings name them; empty where the first statement's signer counts.
    let configuredRoots: [PublicKey]
    private let spent = InMemorySpentTokens()

    /// Reads everything from the store.
    ///
    /// - Parameter roots: the keys whose statements about CAs are taken; empty for the signer of the first one.
    public init(
        _ access: AccessAuthority, store: any FleetStore, roots: [PublicKey] = []
    ) async throws(CertAuthorityError) {
        self.access = access
        self.store = store
        configuredRoots = roots
        var state = State()
        for token in try await store.joinTokens() { state.tokens[token.id] = token }
        for host in try await store.enrolledHosts() { state.hosts[host.clientID] = host }
        for said in try await store.principals() {
            state.principals[said.host, default: [:]][said.login] = said
        }
        state.places = try await store.recordPlaces()
        state.trust = try await store.trust()
        self.state = Mutex(state)
    }

    /// The current second.
    public var now: UnixTime { access.now }

    /// The hosts that have joined, by id.
    public var hosts: [EnrolledHost] {
        state.withLock { Array($0.hosts.values) }.sorted { $0.id < $1.id }
    }

    /// Their ids.
    public var hostIDs: Set<String> { state.withLock { Set($0.hosts.values.map(\.id)) } }

    /// The host whose agent calls itself so.
    public func host(clientID: String) -> EnrolledHost? { state.withLock { $0.hosts[clientID] } }

    /// The newest record of a host that is in the log; nil when there is none.
    public func recordPlace(of host: String) -> RecordPlace? { state.withLock { $0.places[host] } }

    /// Takes a host's token for good.
    ///
    /// - Returns: false when it was used before.
    public func spend(_ tokenID: String, of host: EnrolledHost, until expires: UnixTime) -> Bool {
        let name = "\(host.id) \(tokenID)"
        return (try? spent.spend(name, until: expires, now: now)) ?? false
    }

    // MARK: Joining

    /// The tokens that are out and have not expired, by id.
    public var joinTokens: [JoinToken] {
        let now = now
        return state.withLock { Array($0.tokens.values) }.filter { now < $0.expires }.sorted { $0.id < $1.id }
    }

    /// Makes a token by which one host may join.
    ///
    /// - Parameter lifetime: in seconds; at most ``JoinToken/maximumLifetime``.
    /// - Returns: the token's text, which is not kept.
    public func makeJoinToken(
        hostPattern: String, labels: [String: String], lifetime: UInt64, by actor: Identity
    ) async throws(CertAuthorityError) -> (token: JoinToken, text: String) {
        guard (60...JoinToken.maximumLifetime).contains(lifetime) else {
            throw CertAuthorityError(
                .invalidRequest,
                "lifetime: \(lifetime) seconds, 60 to \(JoinToken.maximumLifetime) are allowed")
        }
        let id = hexadecimal(access.issuer.randomBytes(8))
        let secret = access.issuer.randomBytes(32)
        let token = try JoinToken(
            id: id, secretDigest: Digest.sha256(secret), hostPattern: hostPattern, labels: labels,
            expires: now.adding(lifetime) ?? now, creator: actor)
        try await changes.run { () async throws(CertAuthorityError) in
            try await forgetExpiredTokens()
            guard state.withLock({ $0.tokens.count }) < JoinToken.maximumCount else {
                throw CertAuthorityError(
                    .full, "\(JoinToken.maximumCount) join tokens are out",
                    hint: "wait until some have expired, or take some back")
            }
            try await access.record(change(.joinToken, true, id, token.detail, by: actor))
            try await store.add(token)
            state.withLock { $0.tokens[id] = token }
        }
        return (token, JoinToken.text(id: id, secret: secret))
    }

    /// Takes a token back.
    ///
    /// - Throws: `.notFound`.
    public func removeJoinToken(_ id: String, by actor: Identity) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            guard let token = state.withLock({ $0.tokens[id] }) else {
                throw CertAuthorityError(.notFound, "there is no join token \(id.escapedForTerminal)")
            }
            try await access.record(change(.joinToken, false, id, token.detail, by: actor))
            try await store.removeJoinTokens([id])
            state.withLock { $0.tokens[id] = nil }
        }
    }

    /// Lets a host join: its agent's key is known from here on, and it is in the inventory with the token's labels.
    ///
    /// A host that is known already joins again in its own place, with a new key; people's names for it stay, and its labels
    /// where the token has none.
    ///
    /// - Parameters:
    ///   - text: the token.
    ///   - name: what the host calls itself; the token's pattern must match it.
    ///   - isOwnAgent: ``EnrolledHost/isOwnAgent``.
    /// - Throws: `.notFound` for a token that is unknown, used, expired, or for other hosts: which, only the log knows.
    public func join(
        token text: String, name: String, key: PublicKey, hostKeys: [PublicKey], isOwnAgent: Bool = true,
        from address: IPAddress?
    ) async throws(CertAuthorityError) -> EnrolledHost {
        try Self.check(key, hostKeys)
        let refusal = CertAuthorityError(
            .notFound, "the join token is not known, was used, has expired, or is for other hosts",
            hint: "ask an administrator for one: daypass hosts join-token")
        guard let parsed = JoinToken.parse(text) else { throw refusal }
        return try await changes.run { () async throws(CertAuthorityError) in
            let token = state.withLock { $0.tokens[parsed.id] }
            guard let token, token.isOpened(bySecretOfDigest: parsed.secretDigest), now < token.expires,
                token.admits(name)
            else { throw refusal }
            let known = known(name)
            let id = known?.id ?? name
            return try await admit(
                EnrolledHost(
                    id: id, clientID: Self.clientID(id), key: key, hostKeys: hostKeys, joined: now,
                    isOwnAgent: isOwnAgent),
                as: try ManagedHost(
                    id: id, names: known?.names ?? [],
                    labels: token.labels.isEmpty ? known?.labels ?? [:] : token.labels),
                spending: token.id,
                "\(key.fingerprint) by join token \(token.id) from \(address?.description ?? "unknown")",
                by: token.creator)
        }
    }

    /// Takes a host's key away: its agent can't connect any more. The host stays in the inventory.
    ///
    /// - Throws: `.notFound`.
    public func removeKey(of id: String, by actor: Identity) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            guard let host = state.withLock({ state in state.hosts.values.first { $0.id == id } }) else {
                throw CertAuthorityError(.notFound, "no agent of a host \(id.escapedForTerminal) has joined")
            }
            try await access.record(change(.hostKey, false, id, host.key.fingerprint, by: actor))
            try await store.removeEnrolledHost(id: id)
            state.withLock { $0.hosts[host.clientID] = nil }
        }
    }

    /// Records that somebody asks a host to do something, before it is asked.
    public func recordCall(
        _ command: String, on id: String, by actor: Identity
    ) async throws(CertAuthorityError) {
        try checkText(command, field: "command", maximumBytes: 64)
        try checkText(id, field: "host", maximumBytes: ManagedHost.maximumIDBytes)
        try await access.record(change(.hostCall, true, id, command, by: actor))
    }

    /// What the agent of a host calls itself where nothing else says so.
    static func clientID(_ id: String) -> String { "\(organisation):\(id):ssh" }

    /// Whose hosts they are in client ids that are made here.
    public static let organisation = "daypass"

    /// The host of the inventory that a name means.
    func known(_ name: String) -> ManagedHost? {
        access.hosts.first { $0.id == name || $0.names.contains(name) }
    }

    static func check(_ key: PublicKey, _ hostKeys: [PublicKey]) throws(CertAuthorityError) {
        guard key.keyType == .ecdsaP384 else {
            throw CertAuthorityError(.invalidRequest, "key: a P-384 key expected")
        }
        guard hostKeys.count <= EnrolledHost.maximumHostKeys else {
            throw CertAuthorityError(
                .invalidRequest,
                "host keys: \(hostKeys.count), at most \(EnrolledHost.maximumHostKeys) are allowed")
        }
    }

    /// Puts a host into the inventory and its agent's key beside it. To be called by one change at a time.
    ///
    /// - Parameters:
    ///   - token: the join token that is spent by it; nil for an administrator's word.
    ///   - detail: what the log says of it.
    func admit(
        _ host: EnrolledHost, as managed: ManagedHost, spending token: String? = nil, _ detail: String,
        by actor: Identity
    ) async throws(CertAuthorityError) -> EnrolledHost {
        let others = state.withLock { state in state.hosts.values.filter { $0.id != host.id } }
        if let other = others.first(where: { $0.key == host.key }) {
            throw CertAuthorityError(.conflict, "the key is the host \(other.id)'s already")
        }
        if let other = others.first(where: { $0.clientID == host.clientID }) {
            throw CertAuthorityError(
                .conflict, "the client id \(host.clientID) is the host \(other.id)'s already")
        }
        try await access.set(managed, by: actor)
        try await access.record(change(.hostKey, true, host.id, detail, by: actor))
        try await store.enrol(host, spending: token)
        state.withLock { state in
            if let token { state.tokens[token] = nil }
            // It may have had another client id.
            state.hosts = state.hosts.filter { $0.value.id != host.id }
            state.hosts[host.clientID] = host
        }
        return host
    }

    private func forgetExpiredTokens() async throws(CertAuthorityError) {
        let now = now
        let expired = state.withLock { $0.tokens.values.filter { now >= $0.expires }.map(\.id) }
        guard !expired.isEmpty else { return }
        try await store.removeJoinTokens(expired)
        state.withLock { state in for id in expired { state.tokens[id] = nil } }
    }

    func change(
        _ subject: ChangeRecord.Subject, _ isPresent: Bool, _ name: String, _ detail: String,
        by actor: Identity
    ) -> LedgerDraft {
        .change(
            ChangeRecord(
                subject: subject, isPresent: isPresent, name: ExactText(name), detail: ExactText(detail)),
            requester: actor)
    }
}

extension JoinToken {
    /// What the log says of it.
    fileprivate var detail: String {
        let labels = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return ([hostPattern] + labels + ["until \(expires)"]).joined(separator: " ")
    }
}
