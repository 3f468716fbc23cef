// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import ControlProtocol
public import Logging
public import NIOCore
public import SSHWire
import Synchronization

/// The tunnels that are open, by the host at their other end.
public final class TunnelHub: Sendable {
    /// What is known of a host's tunnel.
    public struct Status: Sendable, Hashable {
        /// When it was opened; nil while there is none.
        public var connected: UnixTime?
        /// When something came through it last.
        public var lastSeen: UnixTime?
        /// The agent's version, as it says (``ControlProtocol/Tunnel/state``).
        public var agentVersion: String?
        /// Whether the agent only says what it would do.
        public var isDryRun = false
        /// The version of the revocation list that the host has in place, as far as this process has heard.
        public var revocations: UInt64?
    }

    /// Whoever may open a tunnel.
    struct Admitted: Sendable {
        let host: EnrolledHost
        let dialect: Tunnel.Dialect
        let source: IPAddress?
    }

    enum Admission: Sendable {
        case admitted(Admitted)
        case refused(Problem)
    }

    private struct State {
        var links: [String: TunnelLink] = [:]
        var seen: [String: Status] = [:]
        var revocations: SignedRevocations?
        var lastRevocationVersion: UInt64 = 0
    }

    let fleet: Fleet
    let metrics: PlaneMetrics
    let logger: Logger
    /// Names by which hosts may call the server, in lower case.
    private let names: Set<String>
    private let limits: RequestLimits
    let revocationSigner: RevocationSigner?
    let witnessBoard = WitnessBoard()
    /// Told of each tunnel once its first call was answered.
    let readiness = Mutex<[@Sendable (TunnelLink) -> Void]>([])
    /// Hears of hosts' clocks and records; nil where nobody watches.
    let alerts: AlertCenter?
    let trustAnswers = TrustAnswers()
    /// Rung when a tunnel has ended.
    private let ended = Doorbell()
    private let state = Mutex(State())

    /// - Parameters:
    ///   - names: by which hosts may call the server.
    ///   - revocationSigner: signs revocation lists; nil where none are sent.
    ///   - alerts: hears of hosts' clocks and records; nil where nobody watches.
    public init(
        _ fleet: Fleet, names: [String], limits: RequestLimits, metrics: PlaneMetrics, logger: Logger,
        revocationSigner: RevocationSigner? = nil, alerts: AlertCenter? = nil
    ) {
        self.alerts = alerts
        self.revocationSigner = revocationSigner
        self.fleet = fleet
        self.names = Set(names.map { $0.lowercased() })
        self.limits = limits
        self.metrics = metrics
        self.logger = logger
    }

    /// How many tunnels are open.
    public var count: Int { state.withLock { $0.links.count } }

    public func status(of host: String) -> Status { state.withLock { $0.seen[host] ?? Status() } }

    /// Connected hosts that take checkpoints: those that speak Daypass's dialect.
    func witnesses() -> [String] {
        state.withLock { state in state.links.values.filter { $0.dialect == .daypass }.map(\.host.id) }
    }

    // MARK: Coming and going

    /// Judges a host's token.
    func admit(
        authorization: String?, authority: String, speaksDaypass: Bool, from source: IPAddress?
    ) async -> Admission {
        do {
            // Before the signature is looked at: it costs half a millisecond.
            try limits.count(source, cost: 1)
            return .admitted(
                try admitted(
                    authorization: authorization, authority: authority, speaksDaypass: speaksDaypass,
                    from: source))
        } catch let problem as Problem {
            logger.info(
                "tunnel refused",
                metadata: [
                    "daypass.reason": "\(problem.detail)",
                    "daypass.source": "\(source?.description ?? "")",
                ])
            return .refused(problem)
        } catch {
            return .refused(Problem(.internalError, "something went wrong here"))
        }
    }

    func admitted(
        authorization: String?, authority: String, speaksDaypass: Bool, from source: IPAddress?
    ) throws -> Admitted {
        let scheme = "Bearer "
        guard let authorization, authorization.prefix(scheme.count).lowercased() == scheme.lowercased() else {
            throw Problem(.notLoggedIn, "Authorization: Bearer and a host's token expected")
        }
        let text = String(authorization.dropFirst(scheme.count))
        let refusal = { (reason: String) in
            Problem(.notLoggedIn, reason, hint: "if the host was removed, let it join again")
        }
        let unverified: SignedToken
        do { unverified = try SignedToken(parsing: text) } catch { throw refusal(error.reason) }
        guard let host = fleet.host(clientID: unverified.claims.subject) else {
            throw refusal("host token: no host of this name has joined")
        }
        guard speaksDaypass || !host.isOwnAgent else {
            throw refusal(
                "host token: this host joined with Daypass's agent, and P0's tokens are not taken from it")
        }
        let now = fleet.now
        let token: HostToken
        do {
            let key = try JSONWebKey(host.key)
            let profile: HostToken.Profile =
                speaksDaypass
                ? .daypass(audience: try audience(unverified.claims.audiences.first ?? "")) : .p0
            token = try HostToken(
                verifying: text, by: key, subject: host.clientID, profile: profile, now: now)
        } catch {
            throw refusal(error.reason)
        }
        if speaksDaypass, let tokenID = token.tokenID {
            let end = token.expires.adding(HostToken.maximumClockSkewSeconds) ?? token.expires
            guard fleet.spend(tokenID, of: host, until: end) else {
                throw refusal("host token: it was used before")
            }
        }
        return Admitted(host: host, dialect: speaksDaypass ? .daypass : .p0, source: source)
    }

    /// The audience, when it is this server.
    func audience(_ text: String) throws(ControlProtocolError) -> String {
        let url = try TunnelURL(text)
        guard url.isEncrypted, !url.isWebSocket, url.origin == text, names.contains(url.host) else {
            throw ControlProtocolError(.invalidValue, "host token: aud: another server's")
        }
        return text
    }

    /// A host's tunnel is open; the one before, if there is one, is closed.
    ///
    /// An old connection's end comes late as a rule, and must not take the new one's place away: ``closed(_:)`` compares.
    func opened(_ link: TunnelLink) {
        let now = fleet.now
        sendRevocations(through: link) {
            self.sendTrust(through: link)
            self.ready(link)
        }
        let old = state.withLock { state in
            let old = state.links.updateValue(link, forKey: link.host.id)
            state.seen[link.host.id, default: Status()].connected = now
            state.seen[link.host.id, default: Status()].lastSeen = now
            return old
        }
        old?.close("the host opened another tunnel")
        logger.info("tunnel opened", metadata: ["daypass.host": "\(link.host.id)"])
    }

    func closed(_ link: TunnelLink) {
        let isOwn = state.withLock { state in
            guard state.links[link.host.id] === link else { return false }
            state.links[link.host.id] = nil
            state.seen[link.host.id]?.connected = nil
            return true
        }
        ended.ring()
        if isOwn { logger.info("tunnel closed", metadata: ["daypass.host": "\(link.host.id)"]) }
    }

    func seen(_ host: EnrolledHost) {
        let now = fleet.now
        state.withLock { $0.seen[host.id]?.lastSeen = now }
    }

    /// What an agent says of itself, as far as it is of use: thousands of hosts say it.
    func told(_ host: EnrolledHost, _ value: JSONValue) {
        let version = value["agentVersion"]?.string.map { String($0.unicodeScalars.prefix(64)) }
        let isDryRun = value["dryRun"] == true
        state.withLock { state in
            state.seen[host.id]?.agentVersion = version
            state.seen[host.id]?.isDryRun = isDryRun
        }
    }

    /// The open tunnel of a host.
    func link(to host: String) -> TunnelLink? { state.withLock { $0.links[host] } }

    /// Closes the tunnel of a host whose key was taken away or replaced, and forgets what was heard through it.
    public func disconnect(_ host: String) {
        state.withLock { state in
            state.seen[host] = nil
            return state.links[host]
        }?.close("the host's key does not count any more")
    }

    /// Whether a host's agent does nothing and says what it would do: its yes means nothing.
    func onlySays(_ host: String) -> Bool { status(of: host).isDryRun }

    /// Closes every tunnel, and waits until they are closed, at most for `limit`.
    func closeAll(_ reason: String, within limit: Duration) async {
        for link in state.withLock({ Array($0.links.values) }) { link.close(reason) }
        await ended.wait(within: limit) { count == 0 }
    }

    // MARK: Revocations

    /// The key that signs revocation lists.
    var revocationKey: PublicKey? { revocationSigner?.publicKey }

    var revocations: SignedRevocations? { state.withLock { $0.revocations } }

    /// Milliseconds since 1970, and larger than the one before: hosts take no list that isn't newer than theirs.
    func nextRevocationVersion() -> UInt64 {
        let milliseconds = fleet.now.seconds.multipliedReportingOverflow(by: 1_000).partialValue
        return state.withLock { state in
            state.lastRevocationVersion = max(milliseconds, state.lastRevocationVersion &+ 1)
            return state.lastRevocationVersion
        }
    }

    func setRevocations(_ revocations: SignedRevocations) {
        state.withLock { state in
            // Two that were made at once: the older one must not come later.
            guard revocations.version > state.revocations?.version ?? 0 else { return }
            state.revocations = revocations
        }
    }

    func setAcknowledged(_ host: String, _ version: UInt64) {
        state.withLock { state in
            let known = state.seen[host]?.revocations ?? 0
            state.seen[host, default: Status()].revocations = max(known, version)
        }
    }

    // MARK: Calls

    /// Asks a host to do something.
    ///
    /// - Parameters:
    ///   - data: the operation: `command` and its fields.
    ///   - timeout: how long an answer is waited for.
    /// - Throws: a problem when the host is not connected, does not answer in time, or does not know what it was asked.
    public func call(_ host: String, _ data: JSONValue, timeout: TimeAmount = .seconds(10)) async throws
        -> TunnelReply
    {
        guard let link = state.withLock({ $0.links[host] }) else {
            throw Problem(
                .hostUnavailable, "host \(host.escapedForTerminal) is not connected",
                hint: "see daypass-agent status on it")
        }
        return try await link.call(
            TunnelCall(data: data, timeoutMilliseconds: UInt64(clamping: timeout.nanoseconds / 1_000_000)),
            timeout: timeout)
    }
}
