// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What somebody wants to be trusted no more.
public struct RevocationWish: Sendable {
    /// Certificates by their serials.
    public var serials: [UInt64] = []
    /// Certificates by their key IDs.
    public var keyIDs: [String] = []
    /// Keys, with all certificates on them.
    public var keys: [PublicKey] = []
    /// People: their certificates that have not expired, and their sessions with the control plane.
    public var people: [Identity] = []
    /// The certificates that opened sessions on hosts.
    public var sessions: [(host: String, session: String)] = []
    public var reason: String

    /// The most of all of them.
    public static let maximumCount = 1_024

    public init(reason: String) { self.reason = reason }

    var count: Int { serials.count + keyIDs.count + keys.count + people.count + sessions.count }
}

extension Fleet {
    /// Revokes all that is wished, or nothing: once this returns, nothing is issued for revoked keys any more, and the
    /// log says what hosts are to refuse.
    ///
    /// - Returns: what was revoked; empty where people have no certificate that is still good.
    /// - Throws: `.notFound` for what was never issued or reported here, `.invalidRequest` for nothing or too much.
    public func revoke(
        _ wish: RevocationWish, by actor: Identity, from address: IPAddress?
    ) async throws(CertAuthorityError) -> [RevocationRecord] {
        guard (1...RevocationWish.maximumCount).contains(wish.count) else {
            throw CertAuthorityError(
                .invalidRequest, "\(wish.count) to revoke, 1 to \(RevocationWish.maximumCount) are allowed")
        }
        var targets = try await targets(wish)
        for identity in wish.people {
            // First: what is issued while this runs would not be found below.
            try await access.endSessions(
                of: identity, by: actor, from: address, reason: "revoked: \(wish.reason)")
            for certificate in try await store.issuances(of: identity, endingAfter: now) {
                targets.append(certificate.revocation)
            }
        }
        var records: [RevocationRecord] = []
        for (target, expires) in targets {
            let record = try RevocationRecord(target: target, expires: expires, reason: wish.reason)
            if !records.contains(record) { records.append(record) }
        }
        access.issuer.stop(keys: wish.keys)
        guard !records.isEmpty else { return [] }
        _ = try await access.issuer.ledger.append(
            records.map { .revocation($0, requester: actor) }, at: access.issuer.clock())
        return records
    }

    /// What sshd is to refuse, in its own format: what has expired is left out. Nil when nothing was ever revoked.
    ///
    /// - Parameter version: larger than that of every list before.
    public func revocationList(version: UInt64) async throws(CertAuthorityError) -> KeyRevocationList? {
        let records = try await store.revoked()
        guard !records.isEmpty else { return nil }
        return try RevocationList.build(records, at: version, includesExpired: false).list
    }

    private func targets(_ wish: RevocationWish) async throws(CertAuthorityError) -> [(
        RevocationRecord.Target, UnixTime?
    )] {
        var targets: [(RevocationRecord.Target, UnixTime?)] = []
        for serial in wish.serials {
            guard let (certificate, _) = try await store.issuance(serial: serial) else {
                throw CertAuthorityError(.notFound, "serial \(serial) was never issued here")
            }
            targets.append(certificate.revocation)
        }
        for text in wish.keyIDs {
            let issued = try await store.issuances(keyID: text)
            guard !issued.isEmpty else {
                throw CertAuthorityError(
                    .notFound, "key ID \"\(text.escapedForTerminal)\" was never issued here")
            }
            for certificate in issued { targets.append(certificate.revocation) }
        }
        for key in wish.keys { targets.append((.key(key), nil)) }
        for (host, session) in wish.sessions {
            var filter = HostEventFilter()
            (filter.host, filter.session) = (host, session)
            let name = "\(host.escapedForTerminal)/\(session.escapedForTerminal)"
            let found = try await store.hostEvents(filter, before: nil, limit: 100)
            guard !found.isEmpty else {
                throw CertAuthorityError(.notFound, "no session \(name) was reported")
            }
            let serials = Set(found.map(\.event).filter { $0.serial != 0 }.map(\.serial))
            guard let serial = serials.first, let (certificate, _) = try await store.issuance(serial: serial)
            else {
                throw CertAuthorityError(
                    .conflict, "session \(name) was not opened by a certificate of this authority",
                    hint: "end it on its host: daypass-agent sessions kill")
            }
            targets.append(certificate.revocation)
        }
        return targets
    }
}

extension UnsignedCertificate {
    /// How it is revoked, and until when that matters.
    fileprivate var revocation: (RevocationRecord.Target, UnixTime?) {
        (.serial(fields.serial, authority: fields.signatureKey), fields.validBefore)
    }
}
