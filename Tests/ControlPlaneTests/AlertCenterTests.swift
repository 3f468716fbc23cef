// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import NIOCore
import SSHWire
import Testing

@testable import ControlPlane

@Suite("Alerts about hosts") struct AlertCenterTests {
    private let parts: TestAuthority
    private let store: InMemoryAlertStore

    init() async throws {
        parts = try await TestAuthority()
        let ledger = parts.ledger
        store = InMemoryAlertStore { await ledger.kept.entries }
    }

    private func center(_ change: (inout ServerConfiguration.Alerts) -> Void = { _ in }) async throws
        -> AlertCenter
    {
        var settings = ServerConfiguration.Alerts()
        change(&settings)
        return try await AlertCenter(parts.authority, store: store, settings: settings)
    }

    private var now: UnixTime { parts.authority.now }

    private func sign(_ host: String = "web1", connected: Bool = true, seen: UnixTime?) -> HostSign {
        HostSign(host: host, isConnected: connected, lastSeen: seen)
    }

    private func events(_ alerts: [Alert]) -> [AlertEvent] { alerts.map(\.event) }

    @Test func aHostThatStopsReportingIsToldOnceAndSoIsItsReturn() async throws {
        let center = try await center()
        let seen = now
        #expect(try await center.sweep([sign(seen: seen)]).isEmpty)
        parts.clock.advance(seconds: 599)
        #expect(try await center.sweep([sign(connected: false, seen: seen)]).isEmpty)
        parts.clock.advance(seconds: 1)
        let begun = try await center.sweep([sign(connected: false, seen: seen)])
        #expect(events(begun) == [.hostSilent] && begun.first?.host == "web1")
        #expect(begun.first?.sentence == "web1 has not reported for 10m: its tunnel is gone")
        parts.clock.advance(seconds: 600)
        #expect(try await center.sweep([sign(connected: false, seen: seen)]).isEmpty)
        let back = try await center.sweep([sign(seen: now)])
        #expect(events(back) == [.hostBack] && back.first?.sentence == "web1 reports again, after 20m")
        #expect(try await center.sweep([sign(seen: now)]).isEmpty)
    }

    @Test func theTimeIsTheSettings() async throws {
        let center = try await center { $0.hostSilentAfter = 30 }
        let seen = now
        parts.clock.advance(seconds: 29)
        #expect(try await center.sweep([sign(connected: false, seen: seen)]).isEmpty)
        parts.clock.advance(seconds: 1)
        #expect(events(try await center.sweep([sign(connected: false, seen: seen)])) == [.hostSilent])
    }

    @Test func aServerThatStartsGivesHostsTheirTimeAndKnowsWhatWasOpen() async throws {
        let first = try await center()
        parts.clock.advance(seconds: 600)
        let silent = sign(connected: false, seen: nil)
        let begun = try await first.sweep([silent])
        #expect(begun.first?.sentence == "web1 has not reported for 10m: not seen since the server began")
        // The next process: neither is it told again, nor forgotten.
        let second = try await center()
        #expect(try await second.sweep([silent]).isEmpty)
        parts.clock.advance(seconds: 3_600)
        #expect(try await second.sweep([silent]).isEmpty)
        #expect(events(try await second.sweep([sign(seen: now)])) == [.hostBack])
        let third = try await center()
        parts.clock.advance(seconds: 599)
        #expect(try await third.sweep([silent]).isEmpty)
    }

    @Test func aHostWhoseAgentWasRemovedIsNotWatchedAnyMore() async throws {
        let center = try await center()
        parts.clock.advance(seconds: 600)
        let signs = [sign(connected: false, seen: nil), sign("web2", connected: false, seen: nil)]
        #expect(try await center.sweep(signs).count == 2)
        let over = try await center.sweep([signs[1]])
        #expect(events(over) == [.hostBack])
        #expect(over.first?.sentence == "web1 reports again, after 0s: it is not watched any more")
        #expect(try await store.openConditions().map(\.host) == ["web2"])
    }

    @Test func aConnectedAgentMaySayNothingForItsLongestHeartbeat() async throws {
        let center = try await center()
        let seen = now
        parts.clock.advance(seconds: 3_659)
        #expect(try await center.sweep([sign(seen: seen)]).isEmpty)
        parts.clock.advance(seconds: 1)
        #expect(events(try await center.sweep([sign(seen: seen)])) == [.hostSilent])
    }

    @Test func aHostWhoseRecordsAreRefusedForLongIsSilent() async throws {
        let center = try await center()
        center.heardRecords(from: "web1", areTaken: false)
        parts.clock.advance(seconds: 300)
        center.heardRecords(from: "web1", areTaken: false)
        #expect(try await center.sweep([sign(seen: now)]).isEmpty)
        parts.clock.advance(seconds: 300)
        let begun = try await center.sweep([sign(seen: now)])
        #expect(begun.first?.sentence == "web1 has not reported for 10m: its records can't be taken")
        center.heardRecords(from: "web1", areTaken: true)
        #expect(events(try await center.sweep([sign(seen: now)])) == [.hostBack])
    }

    @Test(arguments: [(31, "ahead"), (-31, "behind"), (86_400 * 365, "ahead")] as [(Int64, String)])
    func aClockThatIsOffIsToldOnceAndWhenItIsRight(offset: Int64, word: String) async throws {
        let center = try await center()
        func hear(_ seconds: Int64) {
            center.heard(clock: (Int64(parts.clock.seconds) + seconds) * 1_000_000, from: "web1")
        }
        hear(30)
        #expect(try await center.sweep([sign(seen: now)]).isEmpty)
        hear(offset)
        let begun = try await center.sweep([sign(seen: now)])
        #expect(events(begun) == [.clockOff])
        #expect(begun.first?.sentence.hasSuffix("off: it is \(word)") == true)
        hear(offset)
        #expect(try await center.sweep([sign(seen: now)]).isEmpty)
        hear(-2)
        let over = try await center.sweep([sign(seen: now)])
        #expect(events(over) == [.clockRight] && over.first?.event.isAllClear == true)
    }

    @Test(arguments: [Int64.max, 0, 1])
    func attack54_noClockThatAHostTellsIsATrap(microseconds: Int64) async throws {
        let center = try await center()
        center.heard(clock: microseconds, from: "web1")
        #expect(events(try await center.sweep([sign(seen: now)])) == [.clockOff])
    }

    @Test func aHostThatChangesItsMindEverySecondFillsNoLog() async throws {
        let center = try await center()
        var count = 0
        for second in 0..<120 {
            let offset = second.isMultiple(of: 2) ? Int64(100) : 0
            center.heard(clock: (Int64(parts.clock.seconds) + offset) * 1_000_000, from: "web1")
            count += try await center.sweep([sign(seen: now)]).count
            parts.clock.advance(seconds: 1)
        }
        #expect((2...6).contains(count), "\(count)")
    }

    @Test func aHostThatSawAnotherLogIsToldOnceHoweverItsWordsChange() async throws {
        let center = try await center()
        var all: [Alert] = []
        for size in 10..<15 {
            center.heardOfLog(
                from: "web1", refusal: "\(size) entries\u{0}\n" + String(repeating: "é", count: 2_000))
            all += try await center.sweep([sign(seen: now)])
            parts.clock.advance(seconds: 61)
        }
        #expect(events(all) == [.logRefused])
        #expect(all.first?.sentence.hasPrefix("web1 saw another log than this one: 10 entries") == true)
        center.heardOfLog(from: "web1", refusal: nil)
        #expect(events(try await center.sweep([sign(seen: now)])) == [.logCosigned])
        #expect(try await center.sweep([sign(seen: now)]).isEmpty)
    }

    @Test func whatCannotBeRecordedIsToldOnceItCan() async throws {
        let center = try await center()
        parts.clock.advance(seconds: 600)
        parts.ledger.fail(true)
        await #expect(throws: CertAuthorityError.self) {
            try await center.sweep([sign(connected: false, seen: nil)])
        }
        parts.ledger.fail(false)
        #expect(events(try await center.sweep([sign(connected: false, seen: nil)])) == [.hostSilent])
    }

    @Test func aGapIsAnAlertOfItsOwnAndOldEntriesKeepTheirMeaning() throws {
        func record(_ reason: ExactText, gap: ExactText?, match: HostEventRecord.Match = .issued)
            -> HostEventRecord
        {
            HostEventRecord(
                kind: .opened, host: "web1", sequence: 5, recordHash: [UInt8](repeating: 1, count: 32),
                happened: 1, session: "s", account: "deploy", sourceAddress: "", method: "publickey",
                keyFingerprint: "", keyID: "", serial: 0, authority: "", match: match, issuance: nil,
                reason: reason, gap: gap)
        }
        #expect(AlertEvent(.hostEvent(record("", gap: ""))) == nil)
        #expect(AlertEvent(.hostEvent(record("", gap: "records 3 to 4 are missing"))) == .gap)
        #expect(AlertEvent(.hostEvent(record("gap: records 3 to 4 are missing", gap: nil))) == .gap)
        // A host's own words raise nothing.
        #expect(AlertEvent(.hostEvent(record("gap: nothing", gap: ""))) == nil)
        #expect(AlertEvent(.hostEvent(record("", gap: "x", match: .staticKey))) == .staticKey)
    }

    @Test func overTheTunnelClocksAndSilenceBecomeAlertsThatAreListed() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.open(plane, host)
            let watch = HostWatch(plane.hub)
            await watch.sweep()
            let wrong = (Int64(plane.parts.clock.seconds) + 95) * 1_000_000
            try await tunnel.say(
                .request(
                    id: .number(1), method: Tunnel.state, params: .object([.init("clock", .number(wrong))])))
            guard case .result = try await tunnel.hear() else { throw UnexpectedOutcome(what: "no answer") }
            await watch.sweep()
            let right = Int64(plane.parts.clock.seconds) * 1_000_000
            try await tunnel.say(
                .request(
                    id: .number(2), method: Tunnel.report,
                    params: .object([.init("records", .array([])), .init("clock", .number(right))])))
            guard case .result = try await tunnel.hear() else { throw UnexpectedOutcome(what: "no answer") }
            await watch.sweep()
            try await tunnel.connection.channel.close()
            for _ in 0..<2_000 where plane.hub.count > 0 { try await Task.sleep(for: .milliseconds(10)) }
            plane.parts.clock.advance(seconds: 600)
            await watch.sweep()
            let admin = try await plane.parts.session("admin@example.com")
            let answer = try await plane.send(TestRequest("GET", "/v1/alerts", by: admin))
            let items = try #require(answer.json?["items"]?.array).map { try AlertInfo(json: $0) }
            #expect(items.map(\.event) == ["host-silent", "clock-right", "clock-off"])
            #expect(items.last?.text == "web1: the clock is 1m35s off: it is ahead")
            let part = try await plane.send(TestRequest("GET", "/v1/alerts?limit=2", by: admin))
            let next = try #require(part.json?["next"]?.string)
            let rest = try await plane.send(TestRequest("GET", "/v1/alerts?after=\(next)", by: admin))
            #expect(rest.json?["items"]?.array?.count == 1)
            let alice = try await plane.parts.session("alice@example.com")
            #expect(try await plane.send(TestRequest("GET", "/v1/alerts", by: alice)).code == "denied")
            #expect(try await plane.send(TestRequest("POST", "/v1/alerts/test", by: alice)).code == "denied")
            let made = try await plane.send(TestRequest("POST", "/v1/alerts/test", by: admin))
            #expect(made.status == 201 && made.json?["event"]?.string == "test")
        }
    }
}
