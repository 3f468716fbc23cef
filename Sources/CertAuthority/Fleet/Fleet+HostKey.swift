// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

extension Fleet {
    /// Puts another key in the place of a host's. That the host wants it, and has both, is for the caller to have verified.
    ///
    /// Only our agents do so: from here on the host is known to have one.
    ///
    /// - Parameter host: as it was when that was verified.
    /// - Throws: `.invalidRequest` for a key that is not P-384, `.conflict` for another host's, and where the host has another
    ///   key by now.
    public func changeKey(
        of host: EnrolledHost, to key: PublicKey, from address: IPAddress?
    ) async throws(CertAuthorityError) -> EnrolledHost {
        try Self.check(key, [])
        return try await changes.run { () async throws(CertAuthorityError) in
            guard self.host(clientID: host.clientID) == host else {
                throw CertAuthorityError(.conflict, "the host \(host.id) has another key by now")
            }
            if let other = hosts.first(where: { $0.key == key }) {
                throw CertAuthorityError(.conflict, "the key is the host \(other.id)'s already")
            }
            let new = EnrolledHost(
                id: host.id, clientID: host.clientID, key: key, hostKeys: host.hostKeys, joined: host.joined,
                isOwnAgent: true)
            let detail =
                "\(key.fingerprint) by the host itself, in the place of \(host.key.fingerprint), from "
                + (address?.description ?? "unknown")
            try await access.record(change(.hostKey, true, host.id, detail, by: try Identity(host.id)))
            try await store.enrol(new, spending: nil)
            state.withLock { $0.hosts[new.clientID] = new }
            return new
        }
    }
}
