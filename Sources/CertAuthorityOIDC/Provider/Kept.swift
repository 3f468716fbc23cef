// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Something of a provider's that is kept, and how old it is.
struct Kept<Value: Sendable>: Sendable {
    let value: Value
    let fetchedAt: UnixTime

    /// How long it is used without asking again, in seconds. A key that the provider withdraws is refused after that.
    static var freshFor: UInt64 { 900 }
    /// How long it is used while the provider is down, in seconds.
    static var goodFor: UInt64 { 86_400 }

    func isFresh(at now: UnixTime) -> Bool { isYounger(than: Self.freshFor, at: now) }
    func isGood(at now: UnixTime) -> Bool { isYounger(than: Self.goodFor, at: now) }

    private func isYounger(than seconds: UInt64, at now: UnixTime) -> Bool {
        // Something from the future is from before the clock was set, and of no known age.
        fetchedAt <= now && now.seconds - fetchedAt.seconds < seconds
    }
}
