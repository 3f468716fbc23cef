// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// What is known of a host's tunnel.
public struct HostSign: Sendable, Hashable {
    /// The host's id.
    public let host: String
    public let isConnected: Bool
    /// When something came through its tunnel last; nil when nothing has since this process began.
    public let lastSeen: UnixTime?

    public init(host: String, isConnected: Bool, lastSeen: UnixTime?) {
        self.host = host
        self.isConnected = isConnected
        self.lastSeen = lastSeen
    }
}

/// Watches hosts, and records what somebody should look at: each once when it begins, and once when it is over.
public final class AlertCenter: Sendable {
    /// The longest that a connected agent says nothing: its `heartbeatIntervalSeconds` is 3,600 at most.
    static let longestHeartbeat: UInt64 = 3_660
    /// What begins again sooner after its end is not told anew: a host that lies about its clock fills no log.
    static let quietSeconds: UInt64 = 60

    struct Key: Hashable {
        let host: String
        let subject: AlertRecord.Subject
    }

    private struct State {
        var open: [Key: OpenCondition] = [:]
        /// When something ended, in seconds since 1970.
        var ended: [Key: UInt64] = [:]
        /// By how many seconds a host's clock is ahead, as it was last told.
        var clocks: [String: Int64] = [:]
        /// Since when a host's records have been refused, in seconds since 1970.
        var refused: [String: UInt64] = [:]
        /// Why a host does not cosign the log; nil for one that did.
        var logRefusals: [String: String?] = [:]
    }

    public let store: any AlertStore
    /// The authority's name.
    public var origin: String { access.origin }
    let access: AccessAuthority
    private let settings: ServerConfiguration.Alerts
    private let started: UInt64
    private let state = Mutex(State())
    private let turns = OneAtATime()

    /// Reads what began and is not over.
    public init(
        _ access: AccessAuthority, store: any AlertStore, settings: ServerConfiguration.Alerts
    ) async throws(CertAuthorityError) {
        self.access = access
        self.store = store
        self.settings = settings
        started = access.now.seconds
        let open = try await store.openConditions()
        state.withLock { state in
            for condition in open {
                state.open[Key(host: condition.host, subject: condition.subject)] = condition
            }
        }
    }

    // MARK: What hosts say

    /// Hears a host's clock.
    ///
    /// - Parameter microseconds: since 1970.
    public func heard(clock microseconds: Int64, from host: String) {
        let offset = (microseconds / 1_000).subtractingClamped(Int64(clamping: access.issuer.clock()))
        // To the nearest second: the message took a while.
        let seconds = offset / 1_000
        state.withLock { $0.clocks[host] = seconds }
    }

    /// Hears whether a host's records were taken.
    public func heardRecords(from host: String, areTaken: Bool) {
        let now = access.now.seconds
        state.withLock { state in
            if areTaken {
                state.refused[host] = nil
            } else if state.refused[host] == nil {
                state.refused[host] = now
            }
        }
    }

    /// Hears whether a host cosigned the log, or why it did not because it saw another one.
    public func heardOfLog(from host: String, refusal: String?) {
        // A host's own words: an entry takes no control characters, and not any length.
        let words = refusal?.escapedForTerminal.cut(AlertRecord.maximumDetailBytes)
        state.withLock { $0.logRefusals[host] = .some(words) }
    }

    // MARK: What comes of it

    /// Looks at all hosts, and records what began and what is over: to be called every second.
    ///
    /// - Parameter signs: of all hosts that have joined, each once.
    /// - Returns: what was recorded.
    public func sweep(_ signs: [HostSign]) async throws(CertAuthorityError) -> [Alert] {
        try await turns.run { () async throws(CertAuthorityError) -> [Alert] in
            let changes = changes(signs, at: access.now.seconds)
            guard !changes.isEmpty else { return [] }
            return try await record(changes)
        }
    }

    /// Records an alert by which somebody tries whether they arrive.
    public func test(by requester: Identity) async throws(CertAuthorityError) -> Alert? {
        try await turns.run { () async throws(CertAuthorityError) -> Alert? in
            try await record(
                [AlertRecord(subject: .test, isPresent: true, host: "", since: 0, amount: 0, detail: "")],
                by: requester
            ).first
        }
    }

    /// Records that a webhook never gets alerts.
    ///
    /// - Parameter webhook: scheme, host and port; nothing secret.
    public func recordUndelivered(_ count: UInt64, to webhook: String) async throws(CertAuthorityError) {
        _ = try await turns.run { () async throws(CertAuthorityError) -> [Alert] in
            try await record([
                AlertRecord(
                    subject: .undelivered, isPresent: true, host: "", since: 0, amount: count,
                    detail: ExactText("to \(webhook)"))
            ])
        }
    }

    private func record(
        _ records: [AlertRecord], by requester: Identity? = nil
    ) async throws(CertAuthorityError) -> [Alert] {
        let requester = if let requester { requester } else { try Identity("daypassd") }
        let milliseconds = access.issuer.clock()
        let receipts = try await access.issuer.ledger.append(
            records.map { .alert($0, requester: requester) }, at: milliseconds)
        state.withLock { state in
            for record in records where record.subject.isLasting {
                let key = Key(host: record.host.string, subject: record.subject)
                if record.isPresent {
                    state.open[key] = OpenCondition(
                        host: key.host, subject: key.subject, recorded: milliseconds, since: record.since)
                } else {
                    state.open[key] = nil
                    state.ended[key] = milliseconds / 1_000
                }
            }
        }
        return receipts.compactMap { Alert($0.index, $0.entry) }
    }

    private func changes(_ signs: [HostSign], at now: UInt64) -> [AlertRecord] {
        let known = Set(signs.map(\.host))
        return state.withLock { state in
            var changes: [AlertRecord] = []
            for sign in signs {
                if let change = silence(sign, state, at: now) { changes.append(change) }
                if let change = clock(of: sign.host, state, at: now) { changes.append(change) }
                if let change = log(of: sign.host, state, at: now) { changes.append(change) }
            }
            // Of a host whose agent was removed nothing comes any more.
            for (key, condition) in state.open where !known.contains(key.host) {
                changes.append(key.over(since: condition.since, amount: 0, "it is not watched any more"))
            }
            state.clocks = state.clocks.filter { known.contains($0.key) }
            state.refused = state.refused.filter { known.contains($0.key) }
            state.logRefusals = state.logRefusals.filter { known.contains($0.key) }
            state.ended = state.ended.filter { now < $0.value.addingClamped(Self.quietSeconds) }
            return changes
        }
    }

    private func silence(_ sign: HostSign, _ state: State, at now: UInt64) -> AlertRecord? {
        let key = Key(host: sign.host, subject: .hostSilent)
        let seen = sign.lastSeen?.seconds ?? started
        var silent: (since: UInt64, why: String)?
        let limit =
            sign.isConnected
            ? max(settings.hostSilentAfter, Self.longestHeartbeat) : settings.hostSilentAfter
        if now.subtractingClamped(seen) >= limit {
            silent = (
                seen,
                sign.isConnected
                    ? "it is connected and says nothing"
                    : sign.lastSeen == nil ? "not seen since the server began" : "its tunnel is gone"
            )
        } else if let refused = state.refused[sign.host],
            now.subtractingClamped(refused) >= settings.hostSilentAfter
        {
            silent = (refused, "its records can't be taken")
        }
        if let open = state.open[key] {
            guard silent == nil, sign.isConnected else { return nil }
            return key.over(since: open.since, amount: now.subtractingClamped(open.since / 1_000), "")
        }
        guard let silent, mayBegin(key, state, at: now) else { return nil }
        return key.begun(
            since: silent.since * 1_000, amount: now.subtractingClamped(silent.since), silent.why)
    }

    private func clock(of host: String, _ state: State, at now: UInt64) -> AlertRecord? {
        guard let offset = state.clocks[host] else { return nil }
        let key = Key(host: host, subject: .clockOff)
        if offset.magnitude > settings.clockOffBy {
            guard state.open[key] == nil, mayBegin(key, state, at: now) else { return nil }
            return key.begun(
                since: now * 1_000, amount: offset.magnitude,
                offset > 0 ? "it is ahead" : "it is behind")
        }
        return state.open[key].map { key.over(since: $0.since, amount: offset.magnitude, "") }
    }

    private func log(of host: String, _ state: State, at now: UInt64) -> AlertRecord? {
        guard let refusal = state.logRefusals[host] else { return nil }
        let key = Key(host: host, subject: .logRefused)
        guard let refusal else { return state.open[key].map { key.over(since: $0.since, amount: 0, "") } }
        // Once, however the reason changes: each entry makes another checkpoint, which is refused again.
        guard state.open[key] == nil, mayBegin(key, state, at: now) else { return nil }
        return key.begun(since: now * 1_000, amount: 0, refusal)
    }

    private func mayBegin(_ key: Key, _ state: State, at now: UInt64) -> Bool {
        state.ended[key].map { now >= $0.addingClamped(Self.quietSeconds) } ?? true
    }
}

extension AlertCenter.Key {
    fileprivate func begun(since: UInt64, amount: UInt64, _ detail: String) -> AlertRecord {
        AlertRecord(
            subject: subject, isPresent: true, host: ExactText(host), since: since, amount: amount,
            detail: ExactText(detail))
    }

    fileprivate func over(since: UInt64, amount: UInt64, _ detail: String) -> AlertRecord {
        AlertRecord(
            subject: subject, isPresent: false, host: ExactText(host), since: since, amount: amount,
            detail: ExactText(detail))
    }
}

extension UInt64 {
    func subtractingClamped(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }

    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}

extension Int64 {
    fileprivate func subtractingClamped(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (self < 0 ? .min : .max) : difference
    }
}
