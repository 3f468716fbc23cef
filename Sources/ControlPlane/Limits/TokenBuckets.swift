// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// How often somebody may do something: so many at once, and so many a second after that.
public struct RateLimit: Sendable, Hashable {
    /// What comes back each second.
    public var perSecond: Int
    /// The most that can be saved up.
    public var burst: Int

    public init(perSecond: Int, burst: Int) {
        self.perSecond = max(1, perSecond)
        self.burst = max(1, burst)
    }
}

/// Token buckets by key, in bounded memory. Time comes in with each call.
struct TokenBuckets<Key: Hashable & Sendable>: Sendable {
    private struct Bucket {
        /// In thousandths of a token.
        var level: Int
        var milliseconds: UInt64

        mutating func take(_ tokens: Int, _ limit: RateLimit, at now: UInt64) -> Int? {
            level = level(limit, at: now)
            milliseconds = max(milliseconds, now)
            let wanted = min(tokens, limit.burst) * 1_000
            guard level >= wanted else {
                let missing = wanted - level
                return max(1, (missing + limit.perSecond * 1_000 - 1) / (limit.perSecond * 1_000))
            }
            level -= wanted
            return nil
        }

        /// With what has come back since.
        func level(_ limit: RateLimit, at now: UInt64) -> Int {
            let full = limit.burst * 1_000
            guard now > milliseconds else { return level }
            // A day fills any bucket: the product below stays far from overflowing.
            let elapsed = Int(min(now - milliseconds, 86_400_000))
            let (refill, overflow) = elapsed.multipliedReportingOverflow(by: limit.perSecond)
            return overflow || refill >= full - level ? full : level + refill
        }
    }

    private let limit: RateLimit
    private let capacity: Int
    private var buckets: [Key: Bucket] = [:]
    /// Shared by all for whom there is no room: the table can't be blown up, nor does a full one let everybody through.
    private var shared: Bucket
    /// When it was looked through for what can go.
    private var swept: UInt64?

    /// - Parameter capacity: the most keys that are kept apart.
    init(_ limit: RateLimit, capacity: Int) {
        self.limit = limit
        self.capacity = capacity
        shared = Bucket(level: limit.burst * 1_000, milliseconds: 0)
    }

    /// How many keys there are.
    var count: Int { buckets.count }

    /// Takes tokens.
    ///
    /// - Returns: nil when they were there, otherwise the seconds after which they will be, 1 or more.
    mutating func take(_ tokens: Int, from key: Key, at milliseconds: UInt64) -> Int? {
        if buckets[key] == nil, buckets.count >= capacity { sweep(at: milliseconds) }
        guard buckets[key] != nil || buckets.count < capacity else {
            return shared.take(tokens, limit, at: milliseconds)
        }
        return buckets[key, default: Bucket(level: limit.burst * 1_000, milliseconds: milliseconds)]
            .take(tokens, limit, at: milliseconds)
    }

    /// Forgets whose bucket is full again: the next call makes the same one. Once a second: a full table is not gone
    /// through for each stranger.
    private mutating func sweep(at milliseconds: UInt64) {
        if let swept, milliseconds < swept &+ 1_000 { return }
        swept = milliseconds
        let full = limit.burst * 1_000
        buckets = buckets.filter { $0.value.level(limit, at: milliseconds) < full }
    }
}
