// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// When the agent's loop has grants looked at.
@Suite struct GrantPartTests {
    private let machine: PretendMachine
    private let said = Said()

    final class Said: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    init() throws { machine = try PretendMachine() }

    private func part() -> GrantPart {
        GrantPart(
            layout: machine.layout, program: "/bin/echo", arguments: ["looked"], boot: "boot", say: said.add)
    }

    /// Ticks at a second, and waits for what was begun; true when something was.
    private func tick(_ part: GrantPart, at seconds: Int64) throws -> Bool {
        let moment = PretendMachine.moment(seconds)
        _ = try part.tick(at: moment)
        guard !part.descriptors.isEmpty else { return false }
        while !part.descriptors.isEmpty {
            _ = try part.ready(part.descriptors, at: moment)
            usleep(1_000)
        }
        return true
    }

    private func due(_ seconds: Int64) throws {
        let time = PretendMachine.moment(seconds).wall / 1_000_000_000
        try machine.folder.write("\(time)\n", to: "state/grants.due")
    }

    @Test func itLooksAtItsStartAndWhenSomethingIsDue() throws {
        let part = part()
        #expect(try tick(part, at: 0))
        #expect(said.all == ["grants: looked"])
        #expect(try !tick(part, at: 1))
        try due(10)
        #expect(try !tick(part, at: 9))
        #expect(try tick(part, at: 10))
        try SystemFiles().remove(machine.folder.path("state/grants.due"))
        #expect(try !tick(part, at: 11))
        #expect(try tick(part, at: 310))
    }

    @Test func whatDoesNotSucceedIsTriedMoreAndMoreSeldom() throws {
        let part = part()
        _ = try tick(part, at: 0)
        try due(0)
        let looks = try (1...200).filter { try tick(part, at: Int64($0)) }
        #expect(looks == [1, 3, 7, 15, 31, 63, 123, 183])
        // And said once.
        #expect(said.all == ["grants: looked"])
    }

    @Test func aClockThatIsSetBackDelaysNothing() throws {
        let part = part()
        _ = try tick(part, at: 0)
        try due(10)
        _ = try tick(part, at: 5)
        var moment = PretendMachine.moment(10)
        moment.wall -= 3_600 * 1_000_000_000
        _ = try part.tick(at: moment)
        #expect(!part.descriptors.isEmpty)
    }
}
