// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Testing

@Suite struct SessionTrackerTests {
    static let boot = "boot-1"
    static let second: UInt64 = 1_000_000_000

    /// A moment; the wall clock may be off.
    static func at(_ seconds: UInt64, wallAhead: Int64 = 0) -> Moment {
        Moment(wall: UInt64(Int64(1_000_000 + seconds) + wallAhead) * second, boot: seconds * second)
    }

    static func report(
        _ event: SessionReport.Event, pid: Int32 = 10, start: UInt64 = 100, at moment: Moment,
        boot: String = boot
    ) -> SessionEvent {
        let report = SessionReport(
            event: event, service: "sshd", account: "alice", remoteHost: "", terminal: "ssh",
            connection: "192.0.2.1 1 192.0.2.2 22",
            authentication: "password\n", pid: pid, processStart: start, bootID: boot,
            wallNanoseconds: moment.wall,
            bootNanoseconds: moment.boot)
        return SessionEvent(report, via: .pam, authorities: .none)
    }

    private func record(_ event: SessionEvent) -> SessionRecord {
        SessionRecord(sequence: 1, previous: "", host: "h", event: event)
    }

    @Test func aCloseBelongsToItsOpen() {
        var tracker = SessionTracker(boot: Self.boot)
        #expect(tracker.take(Self.report(.open, at: Self.at(5))).count == 1)
        #expect(tracker.live.count == 1)
        let close = tracker.take(Self.report(.close, at: Self.at(8)))
        #expect(close.map(\.durationMicroseconds) == [3_000_000])
        #expect(tracker.live.isEmpty)
    }

    @Test(arguments: [-500_000, 500_000] as [Int64]) func aWallClockThatJumpsDoesNotChangeADuration(
        jump: Int64
    ) {
        var tracker = SessionTracker(boot: Self.boot)
        _ = tracker.take(Self.report(.open, at: Self.at(5)))
        let close = tracker.take(Self.report(.close, at: Self.at(8, wallAhead: jump)))
        #expect(close.first?.durationMicroseconds == 3_000_000)
    }

    @Test(arguments: [-500_000, 500_000] as [Int64]) func aWallClockThatJumpsDoesNotChangeTheGrace(
        jump: Int64
    ) {
        var tracker = SessionTracker(boot: Self.boot)
        _ = tracker.take(Self.report(.open, at: Self.at(5)))
        tracker.look(at: Self.at(6, wallAhead: jump)) { _ in nil }
        #expect(tracker.missedCloses(at: Self.at(15, wallAhead: jump)).isEmpty)
        let missed = tracker.missedCloses(at: Self.at(16, wallAhead: jump))
        #expect(missed.count == 1)
        if let from = missed[0].notBefore, let to = missed[0].notAfter { #expect(from <= to) }
    }

    @Test func nothingIsRecordedTwice() {
        var tracker = SessionTracker(boot: Self.boot)
        let open = Self.report(.open, at: Self.at(5))
        let close = Self.report(.close, at: Self.at(6))
        #expect(tracker.take(open).count == 1)
        #expect(tracker.take(open).isEmpty)
        #expect(tracker.take(close).count == 1)
        #expect(tracker.take(close).isEmpty)
        #expect(tracker.take(open).isEmpty)
        #expect(tracker.live.isEmpty)
    }

    @Test func aCloseBeforeItsOpenLeavesNobodyLoggedIn() {
        var tracker = SessionTracker(boot: Self.boot)
        #expect(tracker.take(Self.report(.close, at: Self.at(6))).count == 1)
        #expect(tracker.take(Self.report(.open, at: Self.at(5))).count == 1)
        #expect(tracker.live.isEmpty)
        #expect(tracker.take(Self.report(.open, at: Self.at(5))).isEmpty)
        #expect(tracker.take(Self.report(.close, at: Self.at(6))).isEmpty)
    }

    @Test func aNumberThatPassesToAnotherProcessIsAnotherSession() {
        var tracker = SessionTracker(boot: Self.boot)
        #expect(tracker.take(Self.report(.open, start: 100, at: Self.at(5))).count == 1)
        #expect(tracker.take(Self.report(.open, start: 200, at: Self.at(6))).count == 1)
        #expect(tracker.live.count == 2)
        tracker.look(at: Self.at(7)) { _ in 200 }
        #expect(tracker.live.values.filter { $0.ended != nil }.map { $0.open.processStart } == [100])
    }

    @Test func aHookThatTellsWithinTheGraceHasMissedNothing() {
        var tracker = SessionTracker(boot: Self.boot)
        let open = Self.report(.open, at: Self.at(5))
        _ = tracker.take(open)
        tracker.processEnded(open.session ?? "", at: Self.at(10))
        #expect(tracker.missedCloses(at: Self.at(19)).isEmpty)
        #expect(tracker.take(Self.report(.close, at: Self.at(10))).map(\.kind) == [.close])
        #expect(tracker.missedCloses(at: Self.at(60)).isEmpty)
    }

    @Test func aCloseThatComesAfterAllIsRecordedAndAgainOnlyOnce() {
        var tracker = SessionTracker(boot: Self.boot)
        let open = Self.report(.open, at: Self.at(5))
        _ = tracker.take(open)
        tracker.processEnded(open.session ?? "", at: Self.at(10))
        let missed = tracker.missedCloses(at: Self.at(30))
        #expect(missed.map(\.kind) == [.missedClose])
        #expect(missed[0].durationMicroseconds == 5_000_000)
        #expect((missed[0].notBefore, missed[0].notAfter) == (Self.at(5).time, Self.at(10).time))
        #expect(tracker.take(Self.report(.close, at: Self.at(9))).count == 1)
        #expect(tracker.take(Self.report(.close, at: Self.at(9))).isEmpty)
    }

    // MARK: After a restart

    @Test func sessionsAreFoundAgainFromTheRecords() {
        let open = Self.report(.open, pid: 10, at: Self.at(5))
        let other = Self.report(.open, pid: 11, at: Self.at(6))
        var carried = Self.report(.open, pid: 12, at: Self.at(7))
        carried.kind = .carried
        var tracker = SessionTracker(boot: Self.boot)
        for event in [open, other, carried, Self.report(.close, pid: 11, at: Self.at(8))] {
            tracker.restore(record(event))
        }
        #expect(tracker.live.count == 2)
        #expect(tracker.take(other).isEmpty)
        #expect(tracker.take(Self.report(.close, pid: 11, at: Self.at(8))).isEmpty)
        tracker.look(at: Self.at(20)) { $0 == 10 ? 100 : nil }
        #expect(tracker.missedCloses(at: Self.at(31)).map(\.pid) == [12])
        #expect(tracker.live.values.map(\.open.pid) == [10])
        #expect(
            tracker.take(Self.report(.close, pid: 10, at: Self.at(40))).map(\.durationMicroseconds) == [
                35_000_000
            ])
    }

    @Test func whatWasOpenWhenTheMachineRestartedEndedThen() {
        var tracker = SessionTracker(boot: "boot-2")
        tracker.restore(record(Self.report(.open, at: Self.at(500))))
        let now = Moment(wall: Self.at(900).wall, boot: 60 * Self.second)
        tracker.look(at: now) { _ in 100 }
        let missed = tracker.missedCloses(at: now)
        #expect(missed.map(\.reason) == ["the machine was restarted"])
        #expect(missed[0].notBefore == Self.at(500).time)
        #expect(missed[0].notAfter == Self.at(840).time)
        #expect(missed[0].durationMicroseconds == nil)
    }

    @Test func anAgentThatWasToldToStopHadSeenItsSessionsRun() {
        var tracker = SessionTracker(boot: Self.boot)
        tracker.restore(record(Self.report(.open, at: Self.at(5))))
        tracker.restore(
            record(
                SessionEvent(.agentStop, via: .agent, time: Self.at(50).time, uptimeMicroseconds: 50_000_000))
        )
        tracker.look(at: Self.at(80)) { _ in nil }
        let missed = tracker.missedCloses(at: Self.at(91))
        #expect(missed.map(\.notBefore) == [Self.at(50).time])
        #expect(missed.map(\.notAfter) == [Self.at(80).time])
    }

    // MARK: The process table

    @Test func aSessionThatNobodyToldOfIsRecordedAfterAWhile() {
        var tracker = SessionTracker(boot: Self.boot)
        let process = SshdProcess(
            pid: 10, start: 100, account: "alice", connection: "192.0.2.1 1 192.0.2.2 22")
        #expect(tracker.compare([process], at: Self.at(5)).isEmpty)
        #expect(tracker.compare([process], at: Self.at(19)).isEmpty)
        let found = tracker.compare([process], at: Self.at(20))
        #expect(found.map(\.via) == [.processTable])
        #expect(found[0].source == .init(address: "192.0.2.1", port: 1))
        #expect(tracker.compare([process], at: Self.at(60)).isEmpty)
        // What the hook says later completes it.
        #expect(tracker.take(Self.report(.open, at: Self.at(4))).count == 1)
        #expect(tracker.take(Self.report(.open, at: Self.at(4))).isEmpty)
        #expect(
            tracker.take(Self.report(.close, at: Self.at(70))).map(\.durationMicroseconds) == [66_000_000])
        #expect(tracker.compare([process], at: Self.at(71)).isEmpty)
    }

    @Test func aSessionThatTheHookReportsInTimeIsNotFoundTwice() {
        var tracker = SessionTracker(boot: Self.boot)
        let process = SshdProcess(pid: 10, start: 100, account: "alice", connection: nil)
        _ = tracker.compare([process], at: Self.at(5))
        _ = tracker.take(Self.report(.open, at: Self.at(6)))
        #expect(tracker.compare([process], at: Self.at(30)).isEmpty)
    }

    @Test func whoIsLoggedInIsCarriedOver() {
        var tracker = SessionTracker(boot: Self.boot)
        _ = tracker.take(Self.report(.open, pid: 11, at: Self.at(6)))
        _ = tracker.take(Self.report(.open, pid: 10, at: Self.at(5)))
        _ = tracker.take(Self.report(.close, pid: 11, at: Self.at(7)))
        #expect(tracker.carried.map(\.kind) == [.carried])
        #expect(tracker.carried.map(\.pid) == [10])
    }
}
