// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
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
}

extension CertAuthorityError {
    /// Another subject has the identity. Whose it is isn't said to whoever asks.
    public static func identityTaken(_ identity: Identity, provider: String) -> CertAuthorityError {
        CertAuthorityError(
            .identityTaken,
            "identity \"\(identity.text.string.escapedForTerminal)\" belongs to another account than the one that provider \(provider) names",
            hint:
                "if the old account is gone or it is the same person's, an administrator can free the identity"
        )
    }
}

/// Bindings that are forgotten when the process ends: for tests.
public final class InMemoryIdentityBindings: IdentityBindings {
    private struct Owner: Sendable, Hashable {
        let provider: ExactText
        let subject: ExactText
    }

    private let owners = Mutex<[Identity: Owner]>([:])

    public init() {}

    public func bind(_ identity: Identity, provider: String, subject: String) throws(CertAuthorityError) {
        let owner = Owner(provider: ExactText(provider), subject: ExactText(subject))
        let first = owners.withLock { owners in
            let first = owners[identity] ?? owner
            owners[identity] = first
            return first
        }
        guard first == owner else { throw .identityTaken(identity, provider: provider) }
    }
}
