// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// Which tokens were used: a port, because one that is good for an hour must not be good again after a restart.
public protocol SpentTokens: Sendable {
    /// Records that a token was used, in one step: of two uses at the same time, one is the first.
    ///
    /// - Parameters:
    ///   - token: what no two tokens share, at most 128 bytes.
    ///   - expires: after when the token is refused anyhow and may be forgotten.
    /// - Returns: true the first time.
    /// - Throws: `.full` when there is no room to remember it, and the token must not be taken then; what the store
    ///   throws.
    func spend(_ token: String, until expires: UnixTime, now: UnixTime) async throws(CertAuthorityError)
        -> Bool
}

/// Used tokens of one process, as many as fit: for tests, and where tokens live minutes and a restart is rare.
public final class InMemorySpentTokens: SpentTokens {
    private let capacity: Int
    private let tokens = Mutex<[ExactText: UnixTime]>([:])

    /// - Parameter capacity: how many tokens that are still good are remembered. Each takes about 150 bytes; one has to be
    ///   signed by the provider before it takes any.
    public init(capacity: Int = 100_000) { self.capacity = capacity }

    public func spend(_ token: String, until expires: UnixTime, now: UnixTime) throws(CertAuthorityError)
        -> Bool
    {
        let token = ExactText(token)
        let isFirst: Bool? = tokens.withLock { tokens in
            if let known = tokens[token], known >= now { return false }
            if tokens.count >= capacity { tokens = tokens.filter { $0.value >= now } }
            // What is still good is never dropped for something new: it could be used again.
            guard tokens.count < capacity else { return nil }
            tokens[token] = expires
            return true
        }
        guard let isFirst else {
            throw CertAuthorityError(
                .full, "\(capacity) used tokens are remembered, and none of them has ended",
                hint: "try again in some minutes")
        }
        return isFirst
    }
}
