// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// Who each identity belongs to: a port, because it must outlive the process.
///
/// An identity is made of what a provider says, and two people must never get the same one: not when an address goes to
/// somebody else, not when two providers know one address, not when two spellings become one. So the first subject that
/// comes with an identity owns it, until an operator frees it.
public protocol IdentityBindings: Sendable {
    /// Records that the identity belongs to a provider's subject, unless it is known already.
    ///
    /// It is one step: of two subjects that come at the same time, one gets it. Identities, providers and subjects are
    /// compared byte by byte.
    ///
    /// - Throws: `.identityTaken` when it belongs to another subject, or to a subject of another provider; what the
    ///   store throws.
    func bind(_ identity: Identity, provider: String, subject: String) async throws(CertAuthorityError)
    /// All of them, in no order.
    func bindings() async throws(CertAuthorityError) -> [IdentityBinding]
    /// Lets the next subject that comes with the identity own it.
    ///
    /// - Returns: whose it was; nil when nobody owned it.
    func free(_ identity: Identity) async throws(CertAuthorityError) -> IdentityBinding?
}

/// Whose an identity is.
public struct IdentityBinding: Sendable, Hashable {
    public let identity: Identity
    /// The identity provider that vouches for its owner.
    public let provider: String
    /// That provider's own name for them.
    public let subject: String
    /// When they first came.
    public let firstSeen: UnixTime

    public init(identity: Identity, provider: String, subject: String, firstSeen: UnixTime) {
        self.identity = identity
        self.provider = provider
        self.subject = subject
        self.firstSeen = firstSeen
    }
}

extension CertAuthorityError {
    /// Another subject has the identity. Whose it is isn't said to whoever asks.
    public static func identityTaken(_ identity: Identity, provider: String) -> CertAuthorityError {
        CertAuthorityError(
            .identityTaken,
            "identity \"\(identity.text.string.escapedForTerminal)\" belongs to another account than the one that provider \(provider) names",
            hint:
                "if the old account is gone or it is the same person's, an administrator can free it: daypass identities free"
        )
    }
}

/// Bindings that are forgotten when the process ends: for tests.
public final class InMemoryIdentityBindings: IdentityBindings {
    private let owners = Mutex<[Identity: IdentityBinding]>([:])
    private let clock: @Sendable () -> UnixTime

    public init(clock: @escaping @Sendable () -> UnixTime = { UnixTime(seconds: 0) }) { self.clock = clock }

    public func bind(_ identity: Identity, provider: String, subject: String) throws(CertAuthorityError) {
        let new = IdentityBinding(
            identity: identity, provider: provider, subject: subject, firstSeen: clock())
        let first = owners.withLock { owners in
            let first = owners[identity] ?? new
            owners[identity] = first
            return first
        }
        // As bytes: Swift's strings hold the two spellings of a letter to be equal.
        guard first.provider.utf8.elementsEqual(provider.utf8), first.subject.utf8.elementsEqual(subject.utf8)
        else { throw .identityTaken(identity, provider: provider) }
    }

    public func bindings() -> [IdentityBinding] { owners.withLock { Array($0.values) } }

    public func free(_ identity: Identity) -> IdentityBinding? {
        owners.withLock { $0.removeValue(forKey: identity) }
    }
}
