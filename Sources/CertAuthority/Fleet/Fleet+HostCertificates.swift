// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// Certificates for hosts' own keys: a host proves the names that administrators gave it, and no other.
extension Fleet {
    /// What a host gets.
    public struct HostCertificate: Sendable {
        public let certificate: Certificate
        /// Names that an earlier certificate of the host had, and that were taken from it since.
        public let removed: [String]
    }

    /// The most host certificates that a host gets within ``hostCertificateSpan``: each is an entry of the log.
    static let maximumHostCertificates = 10
    /// In seconds.
    static let hostCertificateSpan: UInt64 = 3_600

    /// Issues a certificate for a key of a host's sshd: recorded first, then signed, like every other.
    ///
    /// Its names are the host's id and the names that the inventory has for it: one name leads to one host there. What
    /// the host calls itself does not count.
    ///
    /// - Throws: `.invalidRequest` for another host's key, `.notFound` for a host that was removed, `.full` for one that
    ///   asks too often.
    public func certify(
        _ key: PublicKey, of host: EnrolledHost
    ) async throws(CertAuthorityError) -> HostCertificate {
        if let other = hosts.first(where: { $0.id != host.id && $0.hostKeys.contains(key) }) {
            throw CertAuthorityError(
                .invalidRequest, "host key \(key.fingerprint): it is the host \(other.id)'s")
        }
        guard let managed = access.hosts.first(where: { $0.id == host.id }) else {
            throw CertAuthorityError(
                .notFound, "host \(host.id) is not in the inventory any more",
                hint: "daypass hosts add \(host.id)")
        }
        try countHostCertificate(of: host.id)
        let names = [managed.id] + managed.names.filter { $0 != managed.id }
        let identity = try Identity(host.id)
        let request = try IssuanceRequest(
            key: key, subject: .host, identity: identity,
            principals: try PrincipalSet(hosts: names, allowWildcards: false), requester: identity)
        let earlier = try await store.hostCertificates(of: identity)
        switch try await access.issuer.issue([request]).first {
        case .issued(let certificate, _):
            // Of every earlier one: the host may not have installed the last.
            let before = Set(earlier.flatMap { $0.fields.principals.map(\.string) })
            return HostCertificate(certificate: certificate, removed: before.subtracting(names).sorted())
        case .refused(let reasons):
            throw CertAuthorityError(.invalidRequest, "host certificate: \(reasons.joined(separator: "; "))")
        case nil: throw CertAuthorityError(.signerMismatch, "nothing became of a request")
        }
    }

    private func countHostCertificate(of id: String) throws(CertAuthorityError) {
        let now = now
        let isTooMany = state.withLock { state in
            var times = (state.certified[id] ?? []).filter {
                now.seconds < $0.seconds.addingReportingOverflow(Self.hostCertificateSpan).partialValue
            }
            guard times.count < Self.maximumHostCertificates else { return true }
            times.append(now)
            state.certified[id] = times
            return false
        }
        guard !isTooMany else {
            throw CertAuthorityError(
                .full,
                "host \(id) was given \(Self.maximumHostCertificates) host certificates within \(spell(Self.hostCertificateSpan))"
            )
        }
    }
}
