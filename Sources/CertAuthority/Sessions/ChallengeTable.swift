// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// Random texts that were handed out to be signed, each good for one login.
public final class ChallengeTable: Sendable {
    /// How long one may be used, in seconds: somebody may have to find their security key.
    public static let lifetime: UInt64 = 180
    /// The most that are kept; the oldest go first. Anybody may ask for one, so their number is bounded.
    public static let capacity = 10_000
    private static let bytes = 32

    private struct State {
        var expiries: [String: UnixTime] = [:]
        var order: [String] = []
    }

    private let state = Mutex(State())
    private let randomBytes: @Sendable (Int) -> [UInt8]

    public init(randomBytes: @escaping @Sendable (Int) -> [UInt8]) { self.randomBytes = randomBytes }

    /// A new one: 43 characters of base64url.
    public func issue(at now: UnixTime) -> (challenge: String, expires: UnixTime) {
        let text = Base64.encode(randomBytes(Self.bytes), padded: false)
            .replacing("+", with: "-").replacing("/", with: "_")
        let expires = now.adding(Self.lifetime) ?? now
        state.withLock { state in
            if state.order.count >= Self.capacity {
                for old in state.order.prefix(Self.capacity / 10) { state.expiries[old] = nil }
                state.order.removeFirst(Self.capacity / 10)
            }
            state.expiries[text] = expires
            state.order.append(text)
        }
        return (text, expires)
    }

    /// Takes one out of use.
    ///
    /// - Returns: false when it was never handed out, was used, or is too old.
    public func redeem(_ challenge: String, at now: UnixTime) -> Bool {
        let expires = state.withLock { $0.expiries.removeValue(forKey: challenge) }
        return expires.map { now < $0 } ?? false
    }
}
