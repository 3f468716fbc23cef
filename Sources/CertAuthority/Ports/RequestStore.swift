// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Where requests for approval and what became of them are kept.
///
/// Every change is durable when the call returns, or has not happened. What it means is decided elsewhere. Every
/// implementation passes one conformance suite. Text is kept and compared byte by byte.
public protocol RequestStore: Sendable {
    func requests() async throws(CertAuthorityError) -> [GrantRequest]
    /// Keeps a request in the place of the one with its id.
    ///
    /// - Throws: what ``GrantRequest/checkStorable()`` throws.
    func save(_ request: GrantRequest) async throws(CertAuthorityError)
    /// Keeps a request and records what made it what it is, in one step: both are durable when the call returns, or neither
    /// has happened.
    ///
    /// - Throws: what ``save(_:)`` and ``Ledger/append(_:at:)`` throw.
    func save(
        _ request: GrantRequest, recording drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError)
    /// Takes requests away, all of them or none; ids that there aren't do no harm.
    func removeRequests(_ ids: [String]) async throws(CertAuthorityError)
}

extension GrantRequest {
    /// Refuses what not every store can keep as it is.
    ///
    /// - Throws: `.invalidRequest`.
    public func checkStorable() throws(CertAuthorityError) {
        for approval in approvals {
            try LoginSession(
                id: id, person: approval.person, key: approval.signature.signer.subject,
                credential: approval.credential, sourceAddress: "", created: created, expires: expires
            ).checkStorable()
        }
    }
}

/// A store that forgets everything when its process ends: for tests and trials.
public actor InMemoryRequestStore: RequestStore {
    private var kept: [String: GrantRequest] = [:]
    private let ledger: any Ledger

    /// - Parameter ledger: where it is recorded what becomes of requests.
    public init(_ ledger: any Ledger) { self.ledger = ledger }

    public func requests() -> [GrantRequest] { Array(kept.values) }

    public func save(_ request: GrantRequest) throws(CertAuthorityError) {
        try request.checkStorable()
        kept[request.id] = request
    }

    public func save(
        _ request: GrantRequest, recording drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError) {
        try request.checkStorable()
        _ = try await ledger.append(drafts, at: milliseconds)
        kept[request.id] = request
    }

    public func removeRequests(_ ids: [String]) {
        for id in ids { kept[id] = nil }
    }
}
