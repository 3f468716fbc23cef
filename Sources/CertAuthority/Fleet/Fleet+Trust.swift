// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// Which CAs hosts are to take. Hosts believe the key that they pinned when they joined, not this server: what is checked
/// here keeps mistakes from them, and the log complete.
extension Fleet {
    /// The newest statement; nil when there is none.
    public var trust: FleetTrustRecord? { state.withLock { $0.trust } }

    /// The keys whose statements are taken: those of the settings, else the one that signed the newest statement.
    public var roots: [PublicKey] {
        if !configuredRoots.isEmpty { return configuredRoots }
        return trust.map { [$0.root] } ?? []
    }

    /// Takes a statement: it is in the log and durable when this returns. The newest one again changes nothing.
    ///
    /// Without roots in the settings the first statement's signer becomes the fleet's root here, as an administrator
    /// brought it.
    ///
    /// - Throws: `.conflict` for another root's signature, and for a version that is not higher than the newest.
    public func take(
        _ statement: FleetTrustRecord, by actor: Identity
    ) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            let newest = trust
            if newest == statement { return }
            let roots = roots
            guard roots.isEmpty || roots.contains(statement.root) else {
                throw CertAuthorityError(
                    .conflict,
                    "statement \(statement.version) is signed by \(statement.root.fingerprint), which is not this fleet's root",
                    hint: "the root is \(roots.map(\.fingerprint).joined(separator: " or "))")
            }
            if let newest, statement.version <= newest.version {
                throw CertAuthorityError(
                    .conflict,
                    "statement: version \(statement.version), and \(newest.version) is here already",
                    hint: "each statement needs a higher version")
            }
            try await access.record(.fleetTrust(statement, requester: actor))
            state.withLock { $0.trust = statement }
        }
    }
}
