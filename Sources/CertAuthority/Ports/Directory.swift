// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Where the control plane keeps who may log in, who has, and which hosts there are.
///
/// Every change is durable when the call returns, or has not happened. What it means is decided elsewhere.
public protocol Directory: Sendable {
    func enrolledKeys() async throws(CertAuthorityError) -> [EnrolledKey]
    /// Adds a key.
    ///
    /// - Throws: `.conflict` when somebody has it.
    func add(_ key: EnrolledKey) async throws(CertAuthorityError)
    /// Takes the key with this fingerprint away; nothing happens when there is none.
    func removeKey(fingerprint: String) async throws(CertAuthorityError)

    func hosts() async throws(CertAuthorityError) -> [ManagedHost]
    /// Adds a host or puts it in the place of the one with its id.
    func set(_ host: ManagedHost) async throws(CertAuthorityError)
    func removeHost(id: String) async throws(CertAuthorityError)

    /// The sessions that have not been removed, expired ones among them.
    func sessions() async throws(CertAuthorityError) -> [LoginSession]
    func add(_ session: LoginSession) async throws(CertAuthorityError)
    func removeSessions(_ ids: [String]) async throws(CertAuthorityError)
}
