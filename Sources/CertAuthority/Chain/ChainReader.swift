// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Puts the entries of a certificate, a session or a request together: who asked, who approved, what the policy said,
/// what was issued, where it was used, and how it ended.
///
/// Each entry is found by what it is about; the log is never read through.
public struct ChainReader: Sendable {
    /// Who asks.
    public struct Viewer: Sendable {
        public let identity: Identity
        /// Administrators see every story, others their own.
        public let isAdministrator: Bool

        public init(_ identity: Identity, isAdministrator: Bool) {
            self.identity = identity
            self.isAdministrator = isAdministrator
        }
    }

    private let history: any EntryHistory
    private let fleet: any FleetStore

    /// The most reports of hosts in a story, and the most certificates of one request in it.
    static let maximumEvents = 1_000
    static let maximumCertificates = 100

    public init(history: any EntryHistory, fleet: any FleetStore) {
        self.history = history
        self.fleet = fleet
    }

    /// The story that is asked for.
    ///
    /// - Throws: `.notFound` for what there is not, and as well for what is not the viewer's; `.conflict` for a session's
    ///   name that several hosts have.
    public func chain(
        _ question: ChainQuestion, for viewer: Viewer
    ) async throws(CertAuthorityError) -> Chain {
        try question.check()
        var story = Story()
        switch question {
        case .serial(let serial):
            guard let index = try await history.issuance(serial: serial),
                try await add(certificate: index, to: &story, for: viewer)
            else {
                throw CertAuthorityError(.notFound, "no certificate with serial \(serial) was issued here")
            }
        case .keyID(let keyID):
            guard let index = try await history.issuance(keyID: keyID),
                try await add(certificate: index, to: &story, for: viewer)
            else {
                throw CertAuthorityError(
                    .notFound, "no certificate with key ID \"\(keyID.escapedForTerminal)\" was issued here")
            }
        case .session(let session, let host):
            try await add(session: session, host: host, to: &story, for: viewer)
        case .request(let id):
            guard try await add(request: ExactText(id), to: &story, for: viewer, withCertificates: true)
            else {
                throw CertAuthorityError(.notFound, "there is no request \(id.escapedForTerminal)")
            }
        }
        return story.chain
    }

    // MARK: Parts

    private struct Story {
        private var entries: [UInt64: LogEntry] = [:]
        private var eventCount = 0
        /// Sessions on hosts whose events are in it.
        var sessions: Set<[ExactText]> = []
        var isCut = false

        func contains(_ index: UInt64) -> Bool { entries[index] != nil }

        mutating func add(_ index: UInt64, _ entry: LogEntry) { entries[index] = entry }

        /// What hosts report has no bound of its own.
        mutating func add(event index: UInt64, _ entry: LogEntry) {
            guard entries[index] == nil else { return }
            guard eventCount < ChainReader.maximumEvents else { return isCut = true }
            eventCount += 1
            entries[index] = entry
        }

        var chain: Chain {
            Chain(
                steps: entries.sorted { $0.key < $1.key }.compactMap { ChainStep($0.key, $0.value) },
                isCut: isCut)
        }
    }

    /// - Returns: false where it is none of the viewer's.
    private func add(
        certificate index: UInt64, to story: inout Story, for viewer: Viewer
    ) async throws(CertAuthorityError) -> Bool {
        guard !story.contains(index) else { return true }
        guard let entry = try await history.entry(at: index), case .issuance(let certificate) = entry.event
        else {
            throw CertAuthorityError(
                .logInconsistent, "entry \(index) should record a certificate and does not")
        }
        guard viewer.isAdministrator || isOwn(entry, certificate, of: viewer.identity) else { return false }
        story.add(index, entry)
        if index > 0, let before = try await history.entry(at: index - 1),
            case .decision(let decision) = before.event, decision.verdict == .allowed
        {
            story.add(index - 1, before)
            for placed in try await history.entries(about: .session(decision.session), limit: 8) {
                story.add(placed.index, placed.entry)
            }
            if let request = decision.request, !request.isEmpty {
                _ = try await add(request: request, to: &story, for: viewer, withCertificates: false)
            }
        }
        let limit = Self.maximumEvents + 1
        for placed in try await history.entries(about: .serial(certificate.fields.serial), limit: limit) {
            story.add(event: placed.index, placed.entry)
            // The end of a session does not always name the certificate that it began by.
            if case .hostEvent(let record) = placed.entry.event, record.kind == .opened,
                story.sessions.insert([record.host, record.session]).inserted
            {
                try await add(eventsOf: record.session.string, host: record.host.string, to: &story)
            }
        }
        for placed in try await history.revocations() {
            guard case .revocation(let record) = placed.entry.event, record.concerns(certificate) else {
                continue
            }
            story.add(placed.index, placed.entry)
        }
        return true
    }

    private func isOwn(_ entry: LogEntry, _ certificate: UnsignedCertificate, of identity: Identity) -> Bool {
        let prefix = Array("\(identity.text.string)#".utf8)
        return certificate.fields.kind == .user && entry.requester == identity
            && Array(certificate.fields.keyID.string.utf8).starts(with: prefix)
    }

    private func add(
        request id: ExactText, to story: inout Story, for viewer: Viewer, withCertificates: Bool
    ) async throws(CertAuthorityError) -> Bool {
        let found = try await history.entries(about: .request(id), limit: 10 * Self.maximumCertificates)
        guard let first = found.first(where: { if case .request = $0.entry.event { true } else { false } }),
            viewer.isAdministrator || first.entry.requester == viewer.identity
        else { return false }
        var certificates = 0
        for placed in found {
            guard case .decision = placed.entry.event else {
                story.add(placed.index, placed.entry)
                continue
            }
            // The next entry is what was issued by the grant.
            guard withCertificates else { continue }
            guard certificates < Self.maximumCertificates else {
                story.isCut = true
                continue
            }
            certificates += 1
            if let next = try await history.entry(at: placed.index + 1), case .issuance = next.event {
                _ = try await add(certificate: placed.index + 1, to: &story, for: viewer)
            }
        }
        return true
    }

    private func add(
        session: String, host: String?, to story: inout Story, for viewer: Viewer
    ) async throws(CertAuthorityError) {
        let name = (host.map { "\($0)/" } ?? "") + session
        let unknown = CertAuthorityError(.notFound, "no session \(name.escapedForTerminal) was reported")
        var filter = HostEventFilter()
        (filter.host, filter.session) = (host, session)
        let found = try await fleet.hostEvents(filter, before: nil, limit: Self.maximumEvents)
        guard !found.isEmpty else { throw unknown }
        var certificates: [UInt64] = []
        for (_, _, event) in found {
            guard let issuance = event.issuance, !certificates.contains(issuance) else { continue }
            certificates.append(issuance)
        }
        var isSeen = viewer.isAdministrator
        for index in certificates.prefix(Self.maximumCertificates) {
            if try await add(certificate: index, to: &story, for: viewer) { isSeen = true }
        }
        // Whose the session of a static key is, nobody knows.
        guard isSeen else { throw unknown }
        let hosts = Set(found.map(\.event.host))
        guard hosts.count == 1 || host != nil else {
            let names = hosts.map { "\($0.string.escapedForTerminal)/\(session.escapedForTerminal)" }.sorted()
            throw CertAuthorityError(
                .conflict, "several hosts have a session of this name",
                hint: "one of: \(names.joined(separator: ", "))")
        }
        add(found, to: &story)
    }

    private func add(
        eventsOf session: String, host: String, to story: inout Story
    ) async throws(CertAuthorityError) {
        var filter = HostEventFilter()
        (filter.host, filter.session) = (host, session)
        add(try await fleet.hostEvents(filter, before: nil, limit: 100), to: &story)
    }

    /// - Parameter events: the newest first.
    private func add(
        _ events: [(index: UInt64, milliseconds: UInt64, event: HostEventRecord)], to story: inout Story
    ) {
        for (index, milliseconds, event) in events.reversed() {
            guard let requester = try? Identity(event.host.string) else { continue }
            story.add(
                event: index,
                LogEntry(milliseconds: milliseconds, requester: requester, event: .hostEvent(event)))
        }
    }
}
