// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// The sessions that are open, in memory: asked with every request.
public final class SessionTable: Sendable {
    private struct Entry {
        let session: LoginSession
        var window: ReplayWindow
        /// It opens nothing any more; kept until the log and the store know.
        var hasEnded = false
    }

    /// Why a request's proof is not taken.
    public enum Refusal: Error, Sendable, Hashable {
        /// No such session, it has ended, or the signature is not its key's. Which of them is nobody's business.
        case notLoggedIn
        /// Made too long ago or too far ahead by the authority's clock.
        case stale
        case replayed
    }

    /// How far a client's clock may be off, in seconds, either way.
    public static let clockTolerance: Int64 = 120

    private let entries = Mutex<[String: Entry]>([:])
    /// Sequence numbers that may have been spent before this process started: microseconds since 1970.
    private let floor: UInt64

    /// - Parameter milliseconds: now, since 1970.
    public init(_ sessions: [LoginSession] = [], startedAt milliseconds: UInt64) {
        floor = milliseconds.multipliedReportingOverflow(by: 1_000).partialValue
        entries.withLock { entries in
            for session in sessions {
                entries[session.id] = Entry(session: session, window: ReplayWindow(after: floor))
            }
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
        let found = entries.withLock { $0[id].flatMap { $0.hasEnded ? nil : $0.session } }
        guard let session = found, now < session.expires, isSigned(message, signature, by: session.key) else {
            throw .notLoggedIn
        }
        let here = Int64(clamping: now.seconds)
        guard created >= here - Self.clockTolerance, created <= here + Self.clockTolerance,
            Int64(clamping: sequence / 1_000_000) <= here + Self.clockTolerance + 1
        else { throw .stale }
        // The session may have been ended meanwhile.
        let isFresh: Bool? = entries.withLock { entries in
            guard entries[id]?.hasEnded == false else { return nil }
            return entries[id]?.window.spend(sequence)
        }
        guard let isFresh else { throw .notLoggedIn }
        guard isFresh else { throw .replayed }
        return session
    }

    /// All that have not expired.
    public func open(at now: UnixTime) -> [LoginSession] {
        entries.withLock { entries in
            entries.values.filter { !$0.hasEnded && now < $0.session.expires }.map(\.session)
        }.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }

    /// Whether a session has neither ended nor expired.
    public func isOpen(_ id: String, at now: UnixTime) -> Bool {
        entries.withLock { $0[id].map { !$0.hasEnded && now < $0.session.expires } ?? false }
    }

    /// The session of this name, unless it has expired; also one whose end is not recorded yet.
    public func session(_ id: String, at now: UnixTime) -> LoginSession? {
        entries.withLock { $0[id]?.session }.flatMap { now < $0.expires ? $0 : nil }
    }

    func add(_ session: LoginSession) {
        entries.withLock { $0[session.id] = Entry(session: session, window: ReplayWindow(after: 0)) }
    }

    /// From here on the session opens nothing.
    func close(_ id: String) { entries.withLock { $0[id]?.hasEnded = true } }

    func remove(_ id: String) { entries.withLock { _ = $0.removeValue(forKey: id) } }

    /// Forgets what has expired.
    func purge(at now: UnixTime) -> [String] {
        entries.withLock { entries in
            let expired = entries.values.map(\.session).filter { now >= $0.expires }.map(\.id)
            for id in expired { entries[id] = nil }
            return expired
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
