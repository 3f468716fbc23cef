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
    }

    private let limit: RateLimit
    private let capacity: Int
    private var buckets: [Key: Bucket] = [:]
    /// Shared by all for whom there is no room: the table can't be blown up, nor does a full one let everybody through.
    private var shared: Bucket

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
            return take(tokens, from: &shared, at: milliseconds)
        }
        return take(
            tokens,
            from: &buckets[key, default: Bucket(level: limit.burst * 1_000, milliseconds: milliseconds)],
            at: milliseconds)
    }

    private func take(_ tokens: Int, from bucket: inout Bucket, at milliseconds: UInt64) -> Int? {
        bucket.level = level(of: bucket, at: milliseconds)
        bucket.milliseconds = max(bucket.milliseconds, milliseconds)
        let wanted = min(tokens, limit.burst) * 1_000
        guard bucket.level >= wanted else {
            let missing = wanted - bucket.level
            return max(1, (missing + limit.perSecond * 1_000 - 1) / (limit.perSecond * 1_000))
        }
        bucket.level -= wanted
        return nil
    }

    private func level(of bucket: Bucket, at milliseconds: UInt64) -> Int {
        let full = limit.burst * 1_000
        guard milliseconds > bucket.milliseconds else { return bucket.level }
        // A day fills any bucket: the product below stays far from overflowing.
        let elapsed = Int(min(milliseconds - bucket.milliseconds, 86_400_000))
        let (refill, overflow) = elapsed.multipliedReportingOverflow(by: limit.perSecond)
        return overflow || refill >= full - bucket.level ? full : bucket.level + refill
    }

    /// Forgets whose bucket is full again: the next call makes the same one.
    private mutating func sweep(at milliseconds: UInt64) {
        let full = limit.burst * 1_000
        buckets = buckets.filter { level(of: $0.value, at: milliseconds) < full }
    }
}
