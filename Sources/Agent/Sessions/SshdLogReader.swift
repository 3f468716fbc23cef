// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Turns sshd's messages into what happened: keeps a table of connections, so that each message is told with the
/// connection that it belongs to.
///
/// A value without a clock or files: entries go in, events come out, one for each entry that says something.
public struct SshdLogReader: Sendable {
    /// Connections that are remembered; the oldest is forgotten then. `MaxStartups` and open sessions together stay
    /// under this on hosts that are not being flooded, and a flood pushes out its own.
    public static let maximumConnections = 4_096

    private struct State: Sendable {
        var connection: SshdLogConnection
        /// When it came, in entries since the start.
        var number: UInt64
        /// The client's last words, or what sshd said of a certificate just before.
        var disconnect: String?
        var refusal: String?
        var isOpen: Bool { connection.account != nil }
    }

    private var states: [Int32: State] = [:]
    /// The processes of connections that are open, by their other ends: the process that closes one has another
    /// number and the account's rights.
    private var pids: [SshdLogPeer: Int32] = [:]
    private var count: UInt64 = 0
    private let userID: @Sendable (String) -> UInt32?
    /// Connections that were forgotten for want of room.
    public private(set) var forgotten = 0

    /// - Parameter userID: an account's number. What a process with an account's rights says is believed of that
    ///   account's own connections only.
    public init(userID: @escaping @Sendable (String) -> UInt32? = { _ in nil }) { self.userID = userID }

    /// Connections that are open as far as the log tells: what to look for in the process table at a restart.
    public var open: [SshdLogConnection] {
        states.values.filter(\.isOpen).sorted { $0.number < $1.number }.map(\.connection)
    }

    /// Takes connections back that were open when the log was read last.
    public mutating func resume(_ connections: [SshdLogConnection]) {
        for connection in connections.prefix(Self.maximumConnections) {
            count += 1
            states[connection.pid] = State(connection: connection, number: count)
            if let peer = connection.peer { pids[peer] = connection.pid }
        }
    }

    /// Reads an entry.
    ///
    /// - Returns: what happened, as a rule one event or none; two when a process number came back whose connection's end
    ///   was not seen.
    public mutating func read(_ entry: SshdLogEntry) -> [SshdLogEvent] {
        guard let message = SshdLogMessage(entry.message, known: states[entry.pid]?.connection.peer) else {
            return []
        }
        switch message {
        case .ended(let cause, let peer, _): return ended(entry, cause, peer)
        case .sessionStarted(let kind, let terminal, _, let peer):
            guard let state = open(entry, peer) else { return [] }
            return [event(entry, .sessionStarted(kind: kind, terminal: terminal), state.connection)]
        case .sessionClosed: return []
        default: break
        }
        // All else is said by root's process alone.
        guard entry.sender.isRoots else { return [] }
        switch message {
        case .connected(let from, let to):
            let lost = lose(entry, unless: nil)
            var state = newState(entry)
            state.connection.peer = from
            state.connection.local = to
            states[entry.pid] = state
            return lost
        case .child(let pid):
            states[entry.pid]?.connection.childPID = pid
            return []
        case .authentication(let attempt): return attempted(entry, attempt)
        case .invalidUser(let account, let peer):
            var refusal = SshdLogRefusal()
            refusal.account = account
            refusal.isInvalidUser = true
            return refused(entry, "no such account", refusal, peer)
        case .certificateRefused(let reason, let certificate):
            var refusal = SshdLogRefusal()
            refusal.certificate = certificate
            return refused(entry, reason, refusal, nil)
        case .keyRevoked(let key):
            var refusal = SshdLogRefusal()
            refusal.key = key
            return refused(entry, "revoked", refusal, nil)
        case .notAllowed(let account, let reason):
            var refusal = SshdLogRefusal()
            refusal.account = account
            return refused(entry, reason, refusal, nil)
        case .wrongSource(let reason): return refused(entry, reason, SshdLogRefusal(), nil)
        case .ended, .sessionStarted, .sessionClosed: return []
        }
    }

    private mutating func attempted(_ entry: SshdLogEntry, _ attempt: SshdLogMessage.Authentication)
        -> [SshdLogEvent]
    {
        switch attempt.outcome {
        case .postponed: return []
        case .accepted:
            // Once in, a connection is not let in again.
            if let state = states[entry.pid], state.isOpen, state.connection.peer == attempt.peer {
                return []
            }
            let lost = lose(entry, unless: attempt.peer)
            var state = states[entry.pid] ?? newState(entry)
            state.connection.peer = attempt.peer
            state.connection.account = attempt.account
            states[entry.pid] = state
            if let peer = attempt.peer { pids[peer] = entry.pid }
            return lost + [event(entry, .opened(attempt), state.connection)]
        case .failed, .partial:
            var refusal = SshdLogRefusal()
            refusal.account = attempt.account
            refusal.isInvalidUser = attempt.isInvalidUser
            refusal.method = attempt.method
            refusal.key = attempt.key
            refusal.certificate = attempt.certificate
            // What sshd said about the certificate just before is why.
            let before = states[entry.pid]?.refusal
            let reason =
                attempt.outcome == .partial
                ? "\(attempt.method) alone is not enough" : before ?? "\(attempt.method) failed"
            let events = refused(entry, reason, refusal, attempt.peer)
            states[entry.pid]?.refusal = nil
            return events
        }
    }

    private mutating func refused(
        _ entry: SshdLogEntry, _ reason: String, _ refusal: SshdLogRefusal, _ peer: SshdLogPeer?
    ) -> [SshdLogEvent] {
        var lost: [SshdLogEvent] = []
        if let peer { lost = lose(entry, unless: peer) }
        var state = states[entry.pid] ?? newState(entry)
        if let peer { state.connection.peer = peer }
        state.refusal = reason
        states[entry.pid] = state
        return lost + [event(entry, .refused(reason: reason, refusal), state.connection)]
    }

    private mutating func ended(_ entry: SshdLogEntry, _ cause: String, _ peer: SshdLogPeer?)
        -> [SshdLogEvent]
    {
        guard let state = open(entry, peer) else {
            // Nobody was in: nothing to record, and nothing to remember.
            if let state = states[entry.pid], !state.isOpen,
                state.connection.peer == nil || state.connection.peer == peer
            {
                states[entry.pid] = nil
            }
            return []
        }
        // The client's own words come first; the connection is over with the next message.
        if cause.hasPrefix(Self.disconnectMark) {
            states[state.connection.pid]?.disconnect = cause
            return []
        }
        forget(state.connection.pid)
        return [event(entry, .ended(cause: state.disconnect ?? cause), state.connection)]
    }

    private static let disconnectMark = "disconnect received:"

    /// The open connection that an entry of its own or of the account's process is about.
    private func open(_ entry: SshdLogEntry, _ peer: SshdLogPeer?) -> State? {
        let pid = peer.flatMap { pids[$0] } ?? entry.pid
        guard let state = states[pid], state.isOpen, peer == nil || state.connection.peer == peer else {
            return nil
        }
        if let user = entry.sender.userID, user != 0 {
            // Whoever owns a process may call it sshd and let it say that somebody else has gone.
            guard let account = state.connection.account, userID(account) == user else { return nil }
        }
        return state
    }

    /// A process number that stands for another connection now: the end of the old one was not seen.
    private mutating func lose(_ entry: SshdLogEntry, unless peer: SshdLogPeer?) -> [SshdLogEvent] {
        guard let state = states[entry.pid], let old = state.connection.peer, old != peer else { return [] }
        forget(entry.pid)
        return state.isOpen ? [event(entry, .ended(cause: "not seen"), state.connection)] : []
    }

    private mutating func forget(_ pid: Int32) {
        if let peer = states[pid]?.connection.peer, pids[peer] == pid { pids[peer] = nil }
        states[pid] = nil
    }

    private mutating func newState(_ entry: SshdLogEntry) -> State {
        if states.count >= Self.maximumConnections,
            // Those that nobody got into go first.
            let oldest = states.min(by: {
                ($0.value.isOpen ? 1 : 0, $0.value.number) < ($1.value.isOpen ? 1 : 0, $1.value.number)
            })
        {
            forget(oldest.key)
            forgotten += 1
        }
        count += 1
        return State(connection: SshdLogConnection(pid: entry.pid), number: count)
    }

    private func event(_ entry: SshdLogEntry, _ kind: SshdLogEvent.Kind, _ connection: SshdLogConnection)
        -> SshdLogEvent
    {
        SshdLogEvent(
            kind: kind, connection: connection, time: entry.time, sender: entry.sender, origin: entry.origin,
            repeats: entry.repeats)
    }
}
