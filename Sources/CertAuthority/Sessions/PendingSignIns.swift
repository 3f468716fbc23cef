// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// Attempts to sign in that have begun, by names that only whoever began them knows.
public final class PendingSignIns: Sendable {
    /// An attempt of either kind.
    public enum Attempt: Sendable {
        case device(any DeviceSignIn)
        case code(any CodeSignIn)

        var expires: UnixTime {
            switch self {
            case .device(let attempt): attempt.expires
            case .code(let attempt): attempt.expires
            }
        }
    }

    /// An attempt, and the key that the session will be bound to.
    public struct Pending: Sendable {
        public let attempt: Attempt
        public let sessionKey: PublicKey
    }

    /// The most attempts at a time: anybody may begin one.
    public static let capacity = 1_000
    /// The longest that one is kept, in seconds, whatever the provider says.
    public static let lifetime: UInt64 = 1_800

    private struct State {
        var attempts: [String: (pending: Pending, expires: UnixTime)] = [:]
    }

    private let state = Mutex(State())
    private let randomBytes: @Sendable (Int) -> [UInt8]

    init(randomBytes: @escaping @Sendable (Int) -> [UInt8]) { self.randomBytes = randomBytes }

    /// Keeps an attempt.
    ///
    /// - Returns: its name: 64 hexadecimal digits, which is the secret of whoever began it.
    /// - Throws: when there are too many.
    public func add(
        _ attempt: Attempt, sessionKey: PublicKey, at now: UnixTime
    ) throws(SignInFailure) -> String {
        let name = hexadecimal(randomBytes(32))
        let latest = now.adding(Self.lifetime) ?? now
        let isKept = state.withLock { state in
            if state.attempts.count >= Self.capacity {
                state.attempts = state.attempts.filter { now < $0.value.expires }
            }
            guard state.attempts.count < Self.capacity else { return false }
            state.attempts[name] = (
                Pending(attempt: attempt, sessionKey: sessionKey), min(attempt.expires, latest)
            )
            return true
        }
        guard isKept else {
            throw SignInFailure(
                "too many people are signing in", hint: "try again in a minute", isProviders: true)
        }
        return name
    }

    /// The attempt of this name, unless it is over.
    public func attempt(_ name: String, at now: UnixTime) -> Pending? {
        state.withLock { state in
            guard let found = state.attempts[name], now < found.expires else {
                state.attempts[name] = nil
                return nil
            }
            return found.pending
        }
    }

    /// Ends an attempt: of two that finish it, one does.
    ///
    /// - Returns: false when somebody else did.
    public func remove(_ name: String) -> Bool {
        state.withLock { $0.attempts.removeValue(forKey: name) } != nil
    }
}
