// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// Clocks that are set back, and machines that start anew.
@Suite struct GrantClockTests {
    private static let second: UInt64 = 1_000_000_000

    private func moment(_ wall: UInt64, _ boot: UInt64) -> Moment {
        Moment(wall: wall * Self.second, boot: boot * Self.second)
    }

    @Test func timeGoesOnWhileTheClockIsSetBack() {
        let clock = GrantClock(latest: moment(1_000, 50), boot: "a")
        #expect(clock.seen(at: moment(1_010, 60), boot: "a").time.seconds == 1_010)
        #expect(clock.seen(at: moment(400, 60), boot: "a").time.seconds == 1_010)
        #expect(clock.lag(at: moment(400, 60), boot: "a") == 610)
        #expect(clock.seen(at: moment(2_000, 60), boot: "a").time.seconds == 2_000)
    }

    @Test func aNewStartOfTheMachineDoesNotBringTimeBack() {
        let clock = GrantClock(latest: moment(1_000, 50), boot: "a")
        #expect(clock.seen(at: moment(0, 1), boot: "b").time.seconds == 1_000)
        #expect(clock.seen(at: moment(1_200, 1), boot: "b").time.seconds == 1_200)
    }

    @Test func attack54_timesAtTheirEndsDoNotOverflow() {
        let last = Moment(wall: .max, boot: .max)
        let clock = GrantClock(latest: Moment(wall: .max, boot: 0), boot: "a")
        #expect(clock.seen(at: last, boot: "a").latest.wall == .max)
        #expect(clock.seen(at: Moment(wall: 0, boot: 0), boot: "a").latest.wall == .max)
        #expect(GrantClock(latest: last, boot: "a").lag(at: Moment(wall: 0, boot: 0), boot: "a") > 0)
    }

    @Test func aGrantIsNotProlongedByAClockThatIsSetBack() throws {
        let machine = try PretendMachine()
        let text =
            "{\"command\":\"grant\",\"id\":\"r\",\"user\":\"alice\",\"sudo\":true,\"until\":\(PretendMachine.noon + 600)}"
        let provisioner = Provisioner(machine.host(), lockSeconds: 2)
        try machine.perform(text)
        let start = PretendMachine.moment(0)
        // An hour back on the wall, ten minutes on by the machine's own count.
        let later = Moment(wall: start.wall - 3_600 * Self.second, boot: start.boot + 600 * Self.second)
        try provisioner.sweep(at: later)
        #expect(try machine.names("sudoers.d").isEmpty)
    }

    @Test func aGrantThatEndedBeforeAStartStaysEndedWhateverTheClockSays() throws {
        let machine = try PretendMachine()
        let text =
            "{\"command\":\"grant\",\"id\":\"r\",\"user\":\"alice\",\"sudo\":true,\"until\":\(PretendMachine.noon + 600)}"
        try machine.perform(text)
        try machine.sweep(at: 590)
        let reborn = Provisioner(machine.host(boot: "another"), lockSeconds: 2)
        // The clock's battery is empty: 1970. What was seen counts, and goes on.
        try reborn.sweep(at: Moment(wall: 5 * Self.second, boot: 5 * Self.second))
        #expect(try machine.names("sudoers.d") == ["daypass-r"])
        try reborn.sweep(at: Moment(wall: 20 * Self.second, boot: 20 * Self.second))
        #expect(try machine.names("sudoers.d").isEmpty)
    }
}
