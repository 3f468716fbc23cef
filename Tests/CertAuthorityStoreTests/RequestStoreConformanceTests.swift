// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import SSHWire
import TestSupport
import Testing

private let moment = UnixTime(seconds: 1_795_237_200)

/// What every store of requests promises; a new one is added to ``Kind``.
@Suite("Every store of requests", .serialized)
struct RequestStoreConformanceTests {
    enum Kind: String, CaseIterable, Sendable { case memory, sqlite }

    /// A store, and a way to look at what is kept as the next process would.
    struct Subject: Sendable {
        let store: any RequestStore
        let reopened: @Sendable () throws -> any RequestStore
        /// How many entries the log has.
        let recorded: @Sendable () async throws -> Int
        private let folder: TemporaryFolder?

        init(_ kind: Kind) throws {
            switch kind {
            case .memory:
                let ledger = InMemoryLedger()
                let memory = InMemoryRequestStore(ledger)
                store = memory
                reopened = { memory }
                recorded = { await ledger.entries.count }
                folder = nil
            case .sqlite:
                let folder = try TemporaryFolder()
                let sqlite = try Sample.database(in: folder)
                store = SQLiteRequestStore(sqlite)
                reopened = {
                    SQLiteRequestStore(try SQLiteLedger(opening: sqlite.path, signer: try Sample.noteSigner))
                }
                recorded = { try await Int(sqlite.publishedSize()) }
                self.folder = folder
            }
        }
    }

    static func request(
        _ id: String = String(repeating: "a", count: 32), reason: String = "disk full",
        _ change: (inout GrantRequest) throws -> Void = { _ in }
    ) throws -> GrantRequest {
        var request = GrantRequest(
            id: id, person: try Identity("alice@example.com"), hosts: ["db1", "web1"], login: "root",
            wantsSudo: true, permissions: [.pty, .portForwarding], forceCommand: "uptime",
            key: try SampleKey(seed: 70).publicKey, duration: .max, reason: reason, ticket: "OPS-1",
            rule: "on-approval", isBreakGlass: false, created: moment, expires: .forever)
        try change(&request)
        return request
    }

    static func approval(_ claims: Claim = .mapping([:])) throws -> Approval {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        return Approval(
            person: try Sample.person(
                "bob@example.com", email: "b@example.com", groups: ["leads"], claims: claims),
            credential: "SHA256:x",
            signature: try SSHSignature.sign(
                [1, 2, 3], namespace: Approval.namespace, signer: .key(key.publicKey)
            ) {
                (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm)
            }, isBySessionKey: true, sourceAddress: try IPAddress("2001:db8::1"), at: moment)
    }

    @Test(arguments: Kind.allCases)
    func requestsComeBackAsTheyWere(kind: Kind) async throws {
        let subject = try Subject(kind)
        var requests: [GrantRequest] = [try Self.request()]
        requests.append(
            GrantRequest(
                id: String(repeating: "b", count: 32), person: try Identity("b'; --"), hosts: ["web1"],
                login: "root", wantsSudo: false, permissions: [], forceCommand: nil, key: nil, duration: 1,
                reason: "e\u{301} \u{e9} '; DROP TABLE access_requests; --", ticket: nil, rule: "r",
                isBreakGlass: true, created: UnixTime(seconds: 0), expires: UnixTime(seconds: 0)))
        for (place, claims) in Sample.claims.enumerated() {
            requests.append(
                try Self.request("\(100 + place)" + String(repeating: "c", count: 29)) {
                    $0.approvals = [try Self.approval(claims), try Self.approval()]
                    $0.window = .init(from: moment, until: .forever)
                    $0.certificates = [
                        .init(serial: .max, expires: .forever), .init(serial: 1, expires: moment),
                    ]
                })
        }
        let by = try Identity("bob@example.com")
        for status in GrantRequest.Status.allCases where !status.isOpen {
            requests.append(
                try Self.request(
                    "d" + String(repeating: "0", count: 31 - status.rawValue.count) + status.rawValue
                ) {
                    $0.end = .init(
                        status: status, by: by, at: moment, reason: "", isRecorded: true)
                    $0.review = .init(acknowledgedBy: by, at: moment, note: "seen")
                })
        }
        requests.append(try Self.request("e") { $0.review = .init() })
        for request in requests { try await subject.store.save(request) }
        #expect(try await Set(subject.reopened().requests()) == Set(requests))
    }

    @Test(arguments: Kind.allCases)
    func savingPutsItInThePlaceOfTheOneBefore(kind: Kind) async throws {
        let subject = try Subject(kind)
        let first = try Self.request()
        try await subject.store.save(first)
        var second = first
        second.approvals = [try Self.approval()]
        second.window = .init(from: moment, until: .forever)
        try await subject.store.save(second)
        #expect(try await subject.reopened().requests() == [second])
        try await subject.store.save(try Self.request("f"))
        try await subject.store.removeRequests(["none", first.id, first.id, "f\0"])
        #expect(try await subject.reopened().requests().map(\.id) == ["f"])
        try await subject.store.removeRequests([])
    }

    @Test(arguments: Kind.allCases)
    func itIsKeptAndRecordedOrNeither(kind: Kind) async throws {
        let subject = try Subject(kind)
        let before = try await subject.recorded()
        let person = try Identity("alice@example.com")
        func asked(_ text: String) -> LedgerDraft {
            .request(
                RequestRecord(
                    request: "1", session: "2", sourceAddress: "",
                    policyDigest: [UInt8](repeating: 0, count: 32),
                    grantedUntil: UnixTime(seconds: 0), text: ExactText(text)), requester: person)
        }
        let request = try Self.request()
        let deep = try Self.request("b") { $0.approvals = [try Self.approval(Sample.nested(65))] }
        #expect(
            try await refusalCode {
                try await subject.store.save(deep, recording: [asked("text")], at: 1_795_237_200_000)
            } == .invalidRequest)
        // The second of two entries is too large.
        let tooLong = asked(String(repeating: "x", count: 70_000))
        #expect(
            try await refusalCode {
                try await subject.store.save(
                    request, recording: [asked("text"), tooLong], at: 1_795_237_200_000)
            } == .invalidRequest)
        #expect(try await subject.reopened().requests().isEmpty)
        #expect(try await subject.recorded() == before)
        try await subject.store.save(
            request, recording: [asked("text"), asked("more")], at: 1_795_237_200_000)
        #expect(try await subject.reopened().requests() == [request])
        #expect(try await subject.recorded() == before + 2)
    }

    @Test(arguments: Kind.allCases)
    func whatCannotBeKeptAsItIsIsRefused(kind: Kind) async throws {
        let subject = try Subject(kind)
        let deep = try Self.request { $0.approvals = [try Self.approval(Sample.nested(65))] }
        #expect(try await refusalCode { try await subject.store.save(deep) } == .invalidRequest)
        #expect(try await subject.reopened().requests().isEmpty)
    }
}
