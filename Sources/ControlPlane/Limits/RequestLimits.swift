// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import ControlProtocol
import SSHWire
import Synchronization

/// Who may ask how often.
///
/// Somebody who is logged in is counted by identity, whatever address they come from. Everything else is counted by
/// source address: what needs no login, and what was refused for want of one. A flood of bad requests so uses up its
/// address's share, and not that of the people who are logged in behind the same address.
public final class RequestLimits: Sendable {
    /// A login makes the server check a signature and write to the log: it counts this often.
    static let loginCost = 10
    /// A login takes five visits of its pages: few are made by people at once, and many by who guesses links.
    static let pageCost = 3
    /// The most identities, and the most addresses, that are told apart.
    private static let capacity = 20_000

    private let identities: Mutex<TokenBuckets<Identity>>
    private let addresses: Mutex<TokenBuckets<[UInt8]>>
    /// Milliseconds, of any origin.
    private let clock: @Sendable () -> UInt64

    public init(
        perIdentity: RateLimit, perAddress: RateLimit, clock: @escaping @Sendable () -> UInt64
    ) {
        identities = Mutex(TokenBuckets(perIdentity, capacity: Self.capacity))
        addresses = Mutex(TokenBuckets(perAddress, capacity: Self.capacity))
        self.clock = clock
    }

    /// - Parameter clock: milliseconds, of any origin.
    public convenience init(_ limits: ServerConfiguration.Limits, clock: @escaping @Sendable () -> UInt64) {
        self.init(
            perIdentity: RateLimit(perSecond: limits.perIdentity, burst: limits.perIdentityBurst),
            perAddress: RateLimit(perSecond: limits.perAddress, burst: limits.perAddressBurst), clock: clock)
    }

    /// Counts a request of somebody who is logged in.
    func count(_ identity: Identity) throws(Problem) {
        let now = clock()
        if let seconds = identities.withLock({ $0.take(1, from: identity, at: now) }) {
            throw Self.tooMany(seconds)
        }
    }

    /// Counts a request of nobody in particular.
    func count(_ address: IPAddress?, cost: Int = 1) throws(Problem) {
        let now = clock()
        let network = Self.network(address)
        if let seconds = addresses.withLock({ $0.take(cost, from: network, at: now) }) {
            throw Self.tooMany(seconds)
        }
    }

    /// What counts as one source: an IPv4 address, or an IPv6 network of 64 bits, which is one subscriber's.
    static func network(_ address: IPAddress?) -> [UInt8] {
        guard let bytes = address?.bytes else { return [] }
        return bytes.count == 16 ? Array(bytes.prefix(8)) : Array(bytes)
    }

    private static func tooMany(_ seconds: Int) -> Problem {
        Problem(
            .tooManyRequests, "more requests than are answered", hint: "wait as long as Retry-After says",
            retryAfter: Int64(seconds))
    }
}
