// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Synchronization

extension Fleet {
    /// The most events of one report.
    public static let maximumEvents = 256

    /// What became of a report.
    public struct Intake: Sendable {
        /// The newest sequence number that is in the log now: the agent goes on behind it.
        public let recorded: UInt64
        /// What somebody should look at.
        public let alerts: [HostEventRecord]
    }

    /// Records what a host reports, in its order, each event once.
    ///
    /// What is in the log already is passed over. Where a host's numbers have a gap, its chain is broken, or its records
    /// begin anew, the log says so and goes on: what a host has lost, or hides, stays visible as missing.
    ///
    /// - Parameter beginsAnew: the host no longer has the record that the log has as its newest.
    /// - Throws: `.invalidRequest` for more than ``maximumEvents``, or numbers that don't rise.
    public func take(
        _ events: [HostEvent], beginsAnew: Bool = false, from host: EnrolledHost
    ) async throws(CertAuthorityError) -> Intake {
        guard events.count <= Self.maximumEvents else {
            throw CertAuthorityError(
                .invalidRequest, "\(events.count) events, at most \(Self.maximumEvents) are allowed")
        }
        for (earlier, later) in zip(events, events.dropFirst()) where later.sequence <= earlier.sequence {
            throw CertAuthorityError(
                .invalidRequest, "record \(later.sequence) comes behind \(earlier.sequence)")
        }
        let turn = state.withLock { state in
            let turn = state.turns[host.id] ?? OneAtATime()
            state.turns[host.id] = turn
            return turn
        }
        return try await turn.run { () async throws(CertAuthorityError) in
            let known = recordPlace(of: host.id)
            var place = beginsAnew ? nil : known
            let fresh = events.filter { $0.sequence > place?.sequence ?? 0 }
            guard !fresh.isEmpty else { return Intake(recorded: known?.sequence ?? 0, alerts: []) }
            // All that was ever revoked: read where somebody came in by a certificate, not for each end of a session.
            let revoked = fresh.contains(where: \.isLoginByCertificate) ? try await store.revoked() : []
            var records: [HostEventRecord] = []
            for event in fresh {
                var record = try await judge(event, of: host, revoked)
                if let gap = Self.gap(before: event, after: place, known: known) {
                    record = record.noting(gap: gap)
                }
                records.append(record)
                place = RecordPlace(sequence: event.sequence, hash: event.recordHash)
            }
            let requester = try Identity(host.id)
            _ = try await access.issuer.ledger.append(
                records.map { .hostEvent($0, requester: requester) }, at: access.issuer.clock())
            state.withLock { $0.places[host.id] = place }
            return Intake(recorded: place?.sequence ?? 0, alerts: records.filter(\.isAlert))
        }
    }

    /// What is missing between two records; nil when nothing is.
    private static func gap(
        before event: HostEvent, after place: RecordPlace?, known: RecordPlace?
    ) -> String? {
        guard let place else {
            if let known { return "the records begin anew, the log has \(known.sequence)" }
            return event.sequence == 1 ? nil : "records 1 to \(event.sequence - 1) are missing"
        }
        if event.sequence - place.sequence > 1 {
            return "records \(place.sequence + 1) to \(event.sequence - 1) are missing"
        }
        return event.previousHash == place.hash ? nil : "record \(place.sequence) was changed on the host"
    }

    /// What hosts reported, newest first.
    public func events(
        _ filter: HostEventFilter, before: UInt64?, limit: Int
    ) async throws(CertAuthorityError) -> [(index: UInt64, milliseconds: UInt64, event: HostEventRecord)] {
        try await store.hostEvents(filter, before: before, limit: limit)
    }

    /// Compares a login with the log.
    private func judge(
        _ event: HostEvent, of host: EnrolledHost, _ revoked: [RevocationRecord]
    ) async throws(CertAuthorityError) -> HostEventRecord {
        guard let proof = event.proof else { return event.record(of: host, .none) }
        switch proof {
        case .other: return event.record(of: host, event.kind == .opened ? .noKey : .none)
        case .key: return event.record(of: host, event.kind == .opened ? .staticKey : .none)
        case .unreadable: return event.record(of: host, .unreadable)
        case .certificate(let shown):
            guard
                access.issuer.signers.values.contains(where: { $0.publicKey.fingerprint == shown.authority })
            else { return event.record(of: host, event.kind == .opened ? .foreign : .none) }
            guard let (issued, index) = try await store.issuance(serial: shown.serial),
                issued.fields.signatureKey.fingerprint == shown.authority
            else { return event.record(of: host, .unknown) }
            guard issued.isShown(as: shown) else {
                return event.record(of: host, .different, issuance: index)
            }
            let isRevoked = event.kind == .opened && revoked.contains { $0.concerns(issued) }
            return event.record(of: host, isRevoked ? .revoked : .issued, issuance: index)
        }
    }
}

extension UnsignedCertificate {
    /// Whether a report of a certificate is about this one: by what the CA signed where the report says that, else by
    /// the key ID and key.
    fileprivate func isShown(as shown: HostEvent.ShownCertificate) -> Bool {
        if let digest = shown.signedDigest, digest != Digest.sha256(toBeSigned) { return false }
        if let key = shown.keyFingerprint, key != fields.key.fingerprint { return false }
        return fields.keyID == ExactText(shown.keyID)
    }
}

extension RevocationRecord {
    /// Whether a certificate is revoked by it.
    func concerns(_ certificate: UnsignedCertificate) -> Bool {
        let fields = certificate.fields
        switch target {
        case .serial(let serial, let authority):
            return serial == fields.serial && authority == fields.signatureKey
        case .keyID(let keyID, let authority):
            return keyID == fields.keyID && authority == fields.signatureKey
        case .key(let key): return key == fields.key || key == fields.signatureKey
        }
    }
}

extension HostEvent {
    fileprivate var isLoginByCertificate: Bool {
        if kind == .opened, case .certificate = proof { true } else { false }
    }

    fileprivate func record(
        of host: EnrolledHost, _ match: HostEventRecord.Match, issuance: UInt64? = nil
    ) -> HostEventRecord {
        var keyFingerprint = ""
        var shown: ShownCertificate?
        switch proof {
        case .certificate(let certificate):
            keyFingerprint = certificate.keyFingerprint ?? ""
            shown = certificate
        case .key(let fingerprint): keyFingerprint = fingerprint
        case .other, .unreadable, nil: break
        }
        return HostEventRecord(
            kind: kind, host: ExactText(host.id), sequence: sequence, recordHash: recordHash,
            happened: happened, session: ExactText(session.cut(64)), account: ExactText(account.cut(256)),
            sourceAddress: ExactText(sourceAddress.cut(64)), method: ExactText(method.cut(256)),
            keyFingerprint: ExactText(keyFingerprint.cut(256)),
            keyID: ExactText((shown?.keyID ?? "").cut(Limits.keyIDBytes)), serial: shown?.serial ?? 0,
            authority: ExactText((shown?.authority ?? "").cut(256)), match: match, issuance: issuance,
            reason: ExactText(reason.cut(512)))
    }
}

extension HostEventRecord {
    fileprivate func noting(gap: String) -> HostEventRecord {
        HostEventRecord(
            kind: kind, host: host, sequence: sequence, recordHash: recordHash, happened: happened,
            session: session, account: account, sourceAddress: sourceAddress, method: method,
            keyFingerprint: keyFingerprint, keyID: keyID, serial: serial, authority: authority, match: match,
            issuance: issuance, reason: reason, gap: ExactText(gap))
    }
}

extension String {
    /// As many whole characters as fit: a report is not refused for a text that is too long.
    func cut(_ maximumBytes: Int) -> String {
        guard utf8.count > maximumBytes else { return self }
        var text = Substring(self)
        while text.utf8.count > maximumBytes { text = text.dropLast() }
        return String(text)
    }
}
