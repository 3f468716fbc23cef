// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// When to connect, when to ping, when to give a connection up: the tunnel's life as a value, with time and chance coming
/// in as parameters. Times are nanoseconds of a clock that only goes forward.
struct TunnelLifecycle: Sendable {
    /// How long things may take, in nanoseconds.
    struct Timing: Sendable {
        /// Name, TCP, proxy, TLS and upgrade together.
        var opening: UInt64 = 20 * second
        /// Between two pings.
        var ping: UInt64 = 5 * second
        /// Without a byte from the peer, who has two pings to answer by then.
        var silence: UInt64 = 15 * second
        /// The most that is waited before the first attempt after a loss; doubled for each further one.
        var firstDelay: UInt64 = 1 * second
        /// The most that is waited before any attempt.
        var longestDelay: UInt64 = 30 * second
        /// The least, so that no dice make an attack of us.
        var shortestDelay: UInt64 = second / 10
        /// A connection that lived this long was none that a server takes and drops at once: the next loss counts as the
        /// first one again.
        var stable: UInt64 = 10 * second

        static let second: UInt64 = 1_000_000_000
    }

    enum Phase: Sendable, Hashable {
        case waiting(until: UInt64)
        case opening(since: UInt64)
        case open(since: UInt64)
        case stopped
    }

    /// What is to be done now.
    enum Action: Sendable, Hashable {
        case connect
        case ping
        /// The connection, or the attempt at one, is to be given up, for this reason.
        case giveUp(String)
    }

    private(set) var phase = Phase.waiting(until: 0)
    var timing: Timing
    /// Attempts since the last stable connection that came to nothing.
    private(set) var failures = 0
    private var lastHeard: UInt64 = 0
    private var lastPing: UInt64 = 0

    init(timing: Timing = Timing()) { self.timing = timing }

    /// When ``next(at:)`` has something to do if nothing else happens.
    var dueAt: UInt64? {
        switch phase {
        case .waiting(let until): until
        case .opening(let since): since &+ timing.opening
        case .open: min(lastPing &+ timing.ping, lastHeard &+ timing.silence)
        case .stopped: nil
        }
    }

    /// What is due. Ask again until there is nothing.
    mutating func next(at now: UInt64) -> Action? {
        guard let dueAt, now >= dueAt else { return nil }
        switch phase {
        case .waiting:
            phase = .opening(since: now)
            return .connect
        case .opening: return .giveUp("no tunnel within \(timing.opening / Timing.second) s")
        case .open:
            if now >= lastHeard &+ timing.silence {
                return .giveUp("silent for \(timing.silence / Timing.second) s")
            }
            lastPing = now
            return .ping
        case .stopped: return nil
        }
    }

    /// The tunnel is open.
    mutating func opened(at now: UInt64) {
        phase = .open(since: now)
        (lastHeard, lastPing) = (now, now)
    }

    /// Something came from the peer.
    mutating func heard(at now: UInt64) { lastHeard = now }

    /// The connection, or the attempt at one, is gone.
    ///
    /// - Returns: how long is waited now: with full jitter, so that the hosts of a server that was away don't come back
    ///   as one.
    @discardableResult
    mutating func lost(at now: UInt64, random: inout some RandomNumberGenerator) -> UInt64 {
        if phase == .stopped { return 0 }
        if case .open(let since) = phase, now >= since &+ timing.stable { failures = 0 }
        // 2^5 times the first delay is beyond the longest one.
        let most = min(timing.firstDelay << UInt64(min(failures, 5)), timing.longestDelay)
        failures = min(failures + 1, 1_000)
        let delay = UInt64.random(in: 0...most, using: &random)
        let waited = max(delay, min(timing.shortestDelay, most))
        phase = .waiting(until: now &+ waited)
        return waited
    }

    /// Settings changed: whatever was waited for is tried at once.
    mutating func beginAnew(at now: UInt64) {
        guard phase != .stopped else { return }
        failures = 0
        phase = .waiting(until: now)
    }

    mutating func stop() { phase = .stopped }
}
