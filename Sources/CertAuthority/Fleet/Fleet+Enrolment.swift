// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// What an administrator vouches for when a host is enrolled without a join token.
public struct Enrolment: Sendable, Hashable {
    /// What the host calls itself.
    public var name: String
    /// The host's id in the inventory; nil for its name.
    public var id: String?
    /// What its agent calls itself; nil for ``Fleet/clientID(_:)``.
    public var clientID: String?
    /// Its agent's key, P-384.
    public var key: PublicKey
    /// sshd's keys.
    public var hostKeys: [PublicKey]
    /// Its labels; nil leaves those that the inventory has.
    public var labels: [String: String]?
    /// Whether a key that the host has already may be replaced.
    public var replaces: Bool

    public init(
        name: String, id: String? = nil, clientID: String? = nil, key: PublicKey, hostKeys: [PublicKey],
        labels: [String: String]? = nil, replaces: Bool = false
    ) {
        self.name = name
        self.id = id
        self.clientID = clientID
        self.key = key
        self.hostKeys = hostKeys
        self.labels = labels
        self.replaces = replaces
    }
}

extension Fleet {
    /// Enrols a host at an administrator's word: its agent may connect by the key, and it is in the inventory.
    ///
    /// Unlike a token, which its host proves to have, this rests on where the administrator got the keys from. So nothing
    /// that another host has is taken over by it: neither its agent's key, nor one of sshd's, nor its client id.
    ///
    /// - Throws: `.conflict` for those, and for a host whose agent has a key already unless `replaces` says otherwise;
    ///   `.invalidRequest` for a name that no host may have.
    @discardableResult
    public func enrol(_ wish: Enrolment, by actor: Identity) async throws(CertAuthorityError) -> EnrolledHost
    {
        try Self.check(wish.key, wish.hostKeys)
        return try await changes.run { () async throws(CertAuthorityError) in
            let name = wish.id ?? wish.name.lowercased()
            let known = known(name)
            let managed = try ManagedHost(
                id: known?.id ?? name, names: known?.names ?? [], labels: wish.labels ?? known?.labels ?? [:])
            let host = EnrolledHost(
                id: managed.id, clientID: try Self.clientID(wish, managed.id), key: wish.key,
                hostKeys: wish.hostKeys, joined: now)
            let hosts = hosts
            if let own = hosts.first(where: { $0.id == host.id }), !wish.replaces {
                throw CertAuthorityError(
                    .conflict, "the host \(host.id) has joined already, with the key \(own.key.fingerprint)",
                    hint: "replace it if the host has a new key: daypass hosts enroll --replace")
            }
            let other = hosts.first { other in
                other.id != host.id && wish.hostKeys.contains { other.hostKeys.contains($0) }
            }
            if let other {
                throw CertAuthorityError(.conflict, "the host key is the host \(other.id)'s already")
            }
            let shown = host.hostKeys.map(\.fingerprint).joined(separator: " ")
            return try await admit(
                host, as: managed, "\(host.key.fingerprint) by an administrator; host key \(shown)", by: actor
            )
        }
    }

    /// The client id that the host has already, or ours. Nobody calls itself by the name of ours for another host.
    private static func clientID(_ wish: Enrolment, _ id: String) throws(CertAuthorityError) -> String {
        guard let stated = wish.clientID else { return clientID(id) }
        guard !stated.hasPrefix("\(organisation):") || stated == clientID(id) else {
            throw CertAuthorityError(
                .invalidRequest,
                "client id: \(stated.escapedForTerminal) is no name of the host \(id.escapedForTerminal), which is \(clientID(id).escapedForTerminal)"
            )
        }
        return stated
    }
}
