// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// The sessions that are open, in memory: asked with every request.
public final class SessionTable: Sendable {
    private struct Entry {
        let session: LoginSession
        var window: ReplayWindow
        /// Why it opens nothing any more; kept here until the log and the store know.
        var end: SessionEnd?
    }

    /// What is still known of a session that is over: enough to tell its owner why.
    private struct Ended {
        let key: PublicKey
        let end: SessionEnd
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var ended: [String: Ended] = [:]
        /// The names in `ended`, the oldest first.
        var order: [String] = []

        mutating func remember(_ session: LoginSession, _ end: SessionEnd) {
            let known = ended.updateValue(Ended(key: session.key, end: end), forKey: session.id)
            guard known == nil else { return }
            order.append(session.id)
            guard order.count > SessionTable.endedCapacity else { return }
            // Several at once: to take the first out of an array moves all others.
            let oldest = SessionTable.endedCapacity / 8
            for id in order.prefix(oldest) { ended[id] = nil }
            order.removeFirst(oldest)
        }
    }

    /// Why a request's proof is not taken.
    public enum Refusal: Error, Sendable, Hashable {
        /// No such session is known, or the signature is not its key's. Which of them is nobody's business.
        case notLoggedIn
        /// The session is over, which whoever has its key is told.
        case ended(SessionEnd)
        /// Made too long ago or too far ahead by the authority's clock.
        case stale
        case replayed
    }

    /// How far a client's clock may be off, in seconds, either way.
    public static let clockTolerance: Int64 = 120
    /// Of how many sessions that are over it is known why; the oldest are forgotten first. Each takes about 300 bytes.
    static let endedCapacity = 4_096

    private let state = Mutex(State())
    /// Sequence numbers that may have been spent before this process started: microseconds since 1970.
    private let floor: UInt64

    /// - Parameters:
    ///   - ended: sessions that are over, and why.
    ///   - milliseconds: now, since 1970.
    public init(
        _ sessions: [LoginSession] = [], ended: [(session: LoginSession, end: SessionEnd)] = [],
        startedAt milliseconds: UInt64
    ) {
        floor = milliseconds.multipliedReportingOverflow(by: 1_000).partialValue
        state.withLock { state in
            for session in sessions {
                state.entries[session.id] = Entry(session: session, window: ReplayWindow(after: floor))
            }
            for (session, end) in ended { state.remember(session, end) }
        }
    }

    /// The session whose key signed `message`.
    ///
    /// - Parameters:
    ///   - created: when the client says it made the request, in seconds since 1970.
    ///   - sequence: the client's microseconds since 1970, spent by this call.
    ///   - signature: 64 bytes of an Ed25519 signature.
    public func authenticate(
        _ id: String, message: [UInt8], signature: [UInt8], created: Int64, sequence: UInt64, at now: UnixTime
    ) throws(Refusal) -> LoginSession {
        let (open, over) = state.withLock { ($0.entries[id], $0.ended[id]) }
        guard let key = open?.session.key ?? over?.key, isSigned(message, signature, by: key) else {
            throw .notLoggedIn
        }
        guard let open else { throw over.map { .ended($0.end) } ?? .notLoggedIn }
        if let end = open.end { throw .ended(end) }
        guard now < open.session.expires else { throw .ended(.expired) }
        let here = Int64(clamping: now.seconds)
        guard created >= here - Self.clockTolerance, created <= here + Self.clockTolerance,
            Int64(clamping: sequence / 1_000_000) <= here + Self.clockTolerance + 1
        else { throw .stale }
        // The session may have been ended meanwhile.
        let refusal: Refusal? = state.withLock { state in
            if let end = state.entries[id]?.end ?? state.ended[id]?.end { return .ended(end) }
            guard let isFresh = state.entries[id]?.window.spend(sequence) else { return .notLoggedIn }
            return isFresh ? nil : .replayed
        }
        if let refusal { throw refusal }
        return open.session
    }

    /// All that have not expired.
    public func open(at now: UnixTime) -> [LoginSession] {
        state.withLock { state in
            state.entries.values.filter { $0.end == nil && now < $0.session.expires }.map(\.session)
        }.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }

    /// Whether a session has neither ended nor expired.
    public func isOpen(_ id: String, at now: UnixTime) -> Bool {
        state.withLock { $0.entries[id].map { $0.end == nil && now < $0.session.expires } ?? false }
    }

    /// The session of this name, unless it has expired; also one whose end is not recorded yet.
    public func session(_ id: String, at now: UnixTime) -> LoginSession? {
        state.withLock { $0.entries[id]?.session }.flatMap { now < $0.expires ? $0 : nil }
    }

    func add(_ session: LoginSession) {
        state.withLock { $0.entries[session.id] = Entry(session: session, window: ReplayWindow(after: 0)) }
    }

    /// From here on the session opens nothing. What ended it first stays the reason.
    func close(_ id: String, _ end: SessionEnd) {
        state.withLock { state in
            if state.entries[id]?.end == nil { state.entries[id]?.end = end }
        }
    }

    /// Forgets a session that was closed, but for why.
    func remove(_ id: String) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: id), let end = entry.end else { return }
            state.remember(entry.session, end)
        }
    }

    /// Forgets what has expired.
    func purge(at now: UnixTime) -> [String] {
        state.withLock { state in
            let expired = state.entries.values.map(\.session).filter { now >= $0.expires }
            for session in expired {
                let end = state.entries.removeValue(forKey: session.id)?.end
                state.remember(session, end ?? .expired)
            }
            return expired.map(\.id)
        }
    }

    private func isSigned(_ message: [UInt8], _ signature: [UInt8], by key: PublicKey) -> Bool {
        do {
            try key.verify(Signature(.ed25519, blob: signature), over: message.span)
            return true
        } catch {
            return false
        }
    }
}
