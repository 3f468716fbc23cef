// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import GRDB
import SSHWire
import TestSupport
import Testing

@testable import CertAuthorityStore

/// What every store of alerts and every history of entries promise; a new one is added to ``Kind``.
@Suite("Every store of alerts and history of entries", .serialized)
struct AlertStoreConformanceTests {
    enum Kind: String, CaseIterable, Sendable { case memory, sqlite }

    struct Subject: Sendable {
        let store: any AlertStore
        let history: any EntryHistory
        let ledger: any Ledger
        /// What the next process would see.
        let reopened: @Sendable () throws -> any AlertStore
        private let folder: TemporaryFolder?

        init(_ kind: Kind) throws {
            switch kind {
            case .memory:
                let memory = InMemoryLedger()
                let store = InMemoryAlertStore { await memory.entries }
                (self.store, ledger, folder) = (store, memory, nil)
                history = InMemoryEntryHistory { await memory.entries }
                reopened = { store }
            case .sqlite:
                let folder = try TemporaryFolder()
                let sqlite = try Sample.database(in: folder)
                (store, ledger, self.folder) = (SQLiteAlertStore(sqlite), sqlite, folder)
                history = SQLiteEntryHistory(sqlite)
                reopened = {
                    SQLiteAlertStore(try SQLiteLedger(opening: sqlite.path, signer: try Sample.noteSigner))
                }
            }
        }

        func append(_ drafts: LedgerDraft...) async throws {
            _ = try await ledger.append(drafts, at: sampleNow)
        }
    }

    static func event(
        _ sequence: UInt64, _ match: HostEventRecord.Match = .none, serial: UInt64 = 0, gap: ExactText = ""
    ) throws -> LedgerDraft {
        .hostEvent(
            HostEventRecord(
                kind: .opened, host: "web1", sequence: sequence, recordHash: Digest.sha256([1]), happened: 1,
                session: ExactText("s\(sequence)"), account: "deploy", sourceAddress: "", method: "publickey",
                keyFingerprint: "", keyID: "", serial: serial, authority: "", match: match, issuance: nil,
                reason: "", gap: gap), requester: try Identity("web1"))
    }

    static func alert(
        _ subject: AlertRecord.Subject, _ isPresent: Bool = true, host: ExactText = "web1", since: UInt64 = 7
    ) throws -> LedgerDraft {
        .alert(
            AlertRecord(
                subject: subject, isPresent: isPresent, host: host, since: since, amount: 600, detail: "d"),
            requester: try Identity("daypassd"))
    }

    static func request(_ id: ExactText, until: UInt64 = 0) throws -> LedgerDraft {
        .request(
            RequestRecord(
                request: id, session: "5e55", sourceAddress: "",
                policyDigest: [UInt8](repeating: 1, count: 32),
                grantedUntil: UnixTime(seconds: until), text: "daypass approval\nreason r\n"),
            requester: try Identity("alice"))
    }

    static func decision(_ request: ExactText?) throws -> LedgerDraft {
        .decision(
            DecisionRecord(
                verdict: .allowed, session: "5e55", host: "web1", login: "deploy", keyFingerprint: "",
                sourceAddress: "", policyDigest: [UInt8](repeating: 1, count: 32), rule: "r", reasons: [],
                request: request), requester: try Identity("alice"))
    }

    static func login(_ session: ExactText) throws -> LedgerDraft {
        .login(
            LoginRecord(
                change: .started, identity: try Identity("alice"), session: session, provider: "keys",
                keyFingerprint: "", sourceAddress: "", expires: UnixTime(seconds: 9), reason: ""),
            requester: try Identity("alice"))
    }

    @Test(arguments: Kind.allCases)
    func whatSomebodyShouldLookAtIsFoundInOrderFromBothEndsAndNothingElse(kind: Kind) async throws {
        let subject = try Subject(kind)
        try await subject.append(
            Self.event(1, .issued), Self.event(2, .staticKey), Self.event(3, gap: "records are missing"),
            Sample.draft("alice"), Self.request("aa"), Self.request("bb", until: 5), Self.alert(.test),
            Self.alert(.hostSilent), Self.alert(.hostSilent, false))
        let all = try await subject.reopened().alerts(from: 0, limit: 100)
        #expect(all.map(\.index) == [1, 2, 5, 6, 7, 8])
        #expect(all.map(\.event) == [.staticKey, .gap, .breakGlass, .test, .hostSilent, .hostBack])
        #expect(try await subject.store.alerts(from: 2, limit: 2).map(\.index) == [2, 5])
        #expect(try await subject.store.alerts(from: 9, limit: 2).isEmpty)
        #expect(try await subject.store.alerts(from: .max, limit: 2).isEmpty)
        #expect(try await subject.store.alerts(before: nil, limit: 3).map(\.index) == [8, 7, 6])
        #expect(try await subject.store.alerts(before: 6, limit: 3).map(\.index) == [5, 2, 1])
        #expect(try await subject.store.alertCount(from: 2, of: Set(AlertEvent.allCases)) == 5)
        #expect(try await subject.store.alertCount(from: 0, of: [.gap, .test]) == 2)
        #expect(try await subject.store.alertCount(from: 0, of: []) == 0)
        #expect(try await subject.store.logSize() == 9)
    }

    @Test(arguments: Kind.allCases)
    func whatBeganIsOpenUntilItIsOver(kind: Kind) async throws {
        let subject = try Subject(kind)
        try await subject.append(
            Self.alert(.hostSilent), Self.alert(.clockOff, since: 8), Self.alert(.hostSilent, host: "web2"),
            Self.alert(.test), Self.alert(.undelivered), Self.alert(.hostSilent, false, host: "web2"))
        #expect(
            try await Set(subject.reopened().openConditions()) == [
                OpenCondition(host: "web1", subject: .hostSilent, recorded: sampleNow, since: 7),
                OpenCondition(host: "web1", subject: .clockOff, recorded: sampleNow, since: 8),
            ])
    }

    @Test(arguments: Kind.allCases)
    func howFarAWebhookHasGotIsKept(kind: Kind) async throws {
        let subject = try Subject(kind)
        #expect(try await subject.store.deliveryPlace(of: "a") == nil)
        try await subject.store.setDeliveryPlace(3, of: "a")
        try await subject.store.setDeliveryPlace(9, of: "b")
        try await subject.store.setDeliveryPlace(4, of: "a")
        #expect(try await subject.reopened().deliveryPlace(of: "a") == 4)
        #expect(try await subject.reopened().deliveryPlace(of: "b") == 9)
    }

    @Test(arguments: Kind.allCases)
    func entriesAreFoundByWhatTheyAreAbout(kind: Kind) async throws {
        let subject = try Subject(kind)
        try await subject.append(
            Self.login("5e55"), Self.request("aa"), Self.decision("aa"), Sample.draft("alice"),
            Self.event(1, .issued, serial: 42), Self.decision(""), Self.decision(nil), Self.request("aab"),
            Sample.revocation(3), Self.event(2, .issued, serial: 42))
        let history = subject.history
        func places(_ about: EntrySubject, limit: Int = 100) async throws -> [UInt64] {
            try await history.entries(about: about, limit: limit).map(\.index)
        }
        #expect(try await places(.request("aa")) == [1, 2])
        #expect(try await places(.request("aab")) == [7])
        #expect(try await places(.request("")) == [])
        #expect(try await places(.serial(42)) == [4, 9])
        #expect(try await places(.serial(42), limit: 1) == [4])
        #expect(try await places(.serial(0)) == [])
        #expect(try await places(.session("5e55")) == [0])
        #expect(try await places(.session("aa")) == [])
        #expect(try await history.revocations().map(\.index) == [8])
        guard case .issuance(let certificate)? = try await history.entry(at: 3)?.event else {
            Issue.record("no issuance")
            return
        }
        #expect(try await history.issuance(serial: certificate.fields.serial) == 3)
        #expect(try await history.issuance(keyID: certificate.fields.keyID.string) == 3)
        #expect(try await history.issuance(serial: 1) == nil)
        #expect(try await history.issuance(keyID: "alice\0#1") == nil)
        #expect(try await history.entry(at: 10) == nil)
        #expect(try await history.entry(at: .max) == nil)
    }

    @Test func aDatabaseOfAnEarlierVersionIsIndexedAsIfItHadBeenWrittenSo() async throws {
        let folder = try TemporaryFolder()
        let ledger = try Sample.database(in: folder)
        _ = try await ledger.append(
            [
                try Self.login("5e55"), try Self.request("aa"), try Self.event(1, .staticKey, serial: 42),
                try Self.alert(.hostSilent), try Sample.draft("alice"), try Self.decision("aa"),
            ], at: sampleNow)
        let tables = ["entry_subjects", "alerts", "host_conditions"]
        func rows() async throws -> [[String]] {
            try await ledger.pool.read { db in
                try tables.map { try Row.fetchAll(db, sql: "SELECT * FROM \($0)").map(\.description) }
            }
        }
        let before = try await rows()
        #expect(before.allSatisfy { !$0.isEmpty })
        try await ledger.pool.write { db in
            for table in tables + ["delivery_places"] { try db.execute(sql: "DROP TABLE \(table)") }
            try db.execute(
                sql: "DELETE FROM grdb_migrations WHERE identifier = ?", arguments: [Schema.alerts])
        }
        let again = try SQLiteLedger(opening: ledger.path, signer: try Sample.noteSigner)
        #expect(try await rows() == before)
        #expect(try await SQLiteAlertStore(again).alerts(from: 0, limit: 9).map(\.index) == [2, 3])
    }
}
