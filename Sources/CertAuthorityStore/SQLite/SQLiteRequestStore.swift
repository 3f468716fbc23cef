// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire

/// Requests for approval, in the ledger's own file.
public struct SQLiteRequestStore: RequestStore {
    private let database: SQLiteAccess
    private let ledger: SQLiteLedger

    /// - Parameter ledger: opened for writing.
    public init(_ ledger: SQLiteLedger) {
        database = ledger.access
        self.ledger = ledger
    }

    public func requests() async throws(CertAuthorityError) -> [GrantRequest] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM access_requests").map { try $0.grantRequest() }
        }
    }

    public func save(_ request: GrantRequest) async throws(CertAuthorityError) {
        try await database.write(try Self.saving(request))
    }

    public func save(
        _ request: GrantRequest, recording drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError) {
        let batch = LedgerBatch(
            drafts: drafts, milliseconds: milliseconds, alongside: try Self.saving(request))
        _ = try await ledger.append(batch)
    }

    /// What a transaction does to keep a request.
    private static func saving(
        _ request: GrantRequest
    ) throws(CertAuthorityError) -> @Sendable (Database) throws -> Void {
        try request.checkStorable()
        let (hosts, permissions) = (
            try storedJSON(request.hosts), try storedJSON(request.permissions.map(\.rawValue).sorted())
        )
        let approvals = try storedJSON(request.approvals.map(StoredApproval.init))
        let outcome = try storedJSON(StoredOutcome(request))
        return { db in
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO access_requests (id, person, hosts, login, sudo, permissions,
                        force_command, key, duration, reason, ticket, rule, break_glass, created, expires,
                        approvals, outcome)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    request.id, request.person.text.string, hosts, request.login, request.wantsSudo,
                    permissions, request.forceCommand, request.key.map { Data($0.encoded) },
                    Int64(bitPattern: request.duration), request.reason, request.ticket, request.rule,
                    request.isBreakGlass, Int64(bitPattern: request.created.seconds),
                    Int64(bitPattern: request.expires.seconds), approvals, outcome,
                ])
        }
    }

    public func removeRequests(_ ids: [String]) async throws(CertAuthorityError) {
        // SQLite would read an id up to its NUL, and take another one away.
        let ids = ids.filter { !$0.utf8.contains(0) }
        guard !ids.isEmpty else { return }
        try await database.write { db in
            let statement = try db.cachedStatement(sql: "DELETE FROM access_requests WHERE id = ?")
            for id in ids { try statement.execute(arguments: [id]) }
        }
    }
}

/// Somebody's approval as JSON in a column.
struct StoredApproval: Codable {
    let identity: String
    let provider: String
    let subject: String
    let email: String?
    let groups: [String]
    let claims: StoredClaim
    let authenticated: UInt64
    let credential: String?
    let signature: String
    let isBySessionKey: Bool
    let source: String?
    let at: UInt64

    init(_ approval: Approval) {
        let person = approval.person
        identity = person.identity.text.string
        provider = person.provider
        subject = person.subject
        email = person.email
        groups = person.groups
        claims = StoredClaim(person.claims)
        authenticated = person.authenticatedAt.seconds
        credential = approval.credential
        signature = approval.signature.armoured
        isBySessionKey = approval.isBySessionKey
        source = approval.sourceAddress?.description
        at = approval.at.seconds
    }

    var approval: Approval {
        get throws {
            Approval(
                person: Person(
                    identity: try Identity(identity), provider: provider, subject: subject, email: email,
                    groups: groups, claims: claims.claim,
                    authenticatedAt: UnixTime(seconds: authenticated)), credential: credential,
                signature: try SSHSignature(armoured: Array(signature.utf8)), isBySessionKey: isBySessionKey,
                sourceAddress: try source.map { try IPAddress($0) }, at: UnixTime(seconds: at))
        }
    }
}

/// What became of a request, as JSON in a column.
struct StoredOutcome: Codable {
    struct End: Codable {
        let status: String
        let by: String
        let at: UInt64
        let reason: String
    }

    struct Review: Codable {
        let by: String?
        let at: UInt64?
        let note: String
    }

    let from: UInt64?
    let until: UInt64?
    let end: End?
    let review: Review?
    /// Serials and ends, one after the other.
    let certificates: [UInt64]

    init(_ request: GrantRequest) {
        from = request.window?.from.seconds
        until = request.window?.until.seconds
        end = request.end.map { end in
            End(
                status: end.status.rawValue, by: end.by.text.string, at: end.at.seconds, reason: end.reason)
        }
        review = request.review.map { review in
            Review(by: review.acknowledgedBy?.text.string, at: review.at?.seconds, note: review.note)
        }
        certificates = request.certificates.flatMap { [$0.serial, $0.expires.seconds] }
    }

    /// Puts it into the request whose outcome it is.
    func apply(to request: inout GrantRequest) throws {
        if let from, let until {
            request.window = GrantRequest.Window(
                from: UnixTime(seconds: from), until: UnixTime(seconds: until))
        }
        if let end {
            guard let status = GrantRequest.Status(rawValue: end.status), !status.isOpen else {
                throw CertAuthorityError(.storeDamaged, "end \(end.status) is not known")
            }
            request.end = GrantRequest.End(
                status: status, by: try Identity(end.by), at: UnixTime(seconds: end.at), reason: end.reason,
                isRecorded: true)
        }
        request.review = try review.map { review in
            GrantRequest.Review(
                acknowledgedBy: try review.by.map { try Identity($0) },
                at: review.at.map { UnixTime(seconds: $0) }, note: review.note)
        }
        guard certificates.count.isMultiple(of: 2) else {
            throw CertAuthorityError(.storeDamaged, "a serial without an end")
        }
        request.certificates = stride(from: 0, to: certificates.count, by: 2).map { place in
            GrantRequest.IssuedUnder(
                serial: certificates[place], expires: UnixTime(seconds: certificates[place + 1]))
        }
    }
}
