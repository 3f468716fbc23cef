// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Testing

@Suite struct SshdLogLineTests {
    private func entry(_ line: String) -> SshdLogEntry? { SshdLogEntry(line: Array(line.utf8), origin: "o") }

    @Test func bothFormsOfTimesAreRead() throws {
        let old = try #require(entry("Nov  6 12:34:56 web1 sshd[123]: hello"))
        #expect(old.time == .local(month: 11, day: 6, hour: 12, minute: 34, second: 56))
        #expect(old.pid == 123)
        #expect(old.message == Array("hello".utf8))
        let new = try #require(entry("2026-11-26T12:34:56.789012+01:00 web1 sshd-session[7]: hello"))
        #expect(new.time == .wall(1_795_692_896_789_012_000))
        #expect(new.program == "sshd-session")
        #expect(entry("2026-11-26T11:34:56Z web1 sshd-auth[7]: x")?.time == .wall(1_795_692_896_000_000_000))
    }

    @Test func aDateWithoutAYearIsTheLastOneThatIsNotAhead() {
        let time = SshdLogTime.local(month: 12, day: 31, hour: 23, minute: 59, second: 59)
        // 2027-01-01T00:00:05Z and 2026-12-31T23:59:59Z.
        #expect(time.nanoseconds(now: 1_798_761_605, zoneOffset: 0) == 1_798_761_599_000_000_000)
        #expect(time.nanoseconds(now: 1_798_761_605, zoneOffset: 3_600) == 1_798_757_999_000_000_000)
    }

    @Test(arguments: [
        "Nov 26 12:00:00 web1 su[1]: hello", "Nov 26 12:00:00 web1 sshd: hello",
        "Nov 26 12:00:00 web1 sshd[0]: x",
        "Nov 26 12:00:00 web1 sshd[99999999999]: x", "Nov 26 12:00:00 sshd[1]: x", "sshd[1]: x",
        "Nov 26 12:00:00 web1 x sshd[1]: hello", "Nov 32 12:00:00 web1 sshd[1]: x",
        "2026-11-26 12:00:00 web1 sshd[1]: x",
        "Nov 26 12:00:00 web1 sshd[1] x", "Nov 26 12:00:00 web1 sshd-agent[1]: x", "",
    ])
    func attack40_whatIsNoLineOfSshdIsNone(line: String) { #expect(entry(line) == nil) }

    @Test func foldedMessagesAreCounted() throws {
        let folded = try #require(
            entry(
                "Nov 26 12:00:00 web1 sshd[1]: message repeated 3 times: [ Failed password for root from 1.2.3.4 port 5 ssh2]"
            ))
        #expect(folded.repeats == 3)
        #expect(folded.message == Array("Failed password for root from 1.2.3.4 port 5 ssh2".utf8))
    }

    private func journal(_ members: String) throws -> SshdLogEntry? {
        try SshdLogEntry(
            journalLine: Array(
                #"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795697625676891",\#(members)}"#.utf8))
    }

    @Test func aJournalEntryIsItsTrustedFields() throws {
        let entry = try #require(
            try journal(#""_COMM":"sshd","_PID":"5","_UID":"0","SYSLOG_PID":"9","MESSAGE":"hello""#))
        #expect(entry.pid == 5)
        #expect(entry.sender == .user(0))
        #expect(entry.time == .wall(1_795_697_625_676_891_000))
        #expect(entry.origin == "s=1;i=2")
        // Bytes that are not UTF-8.
        let bytes = try #require(try journal(#""_COMM":"sshd","_PID":"5","_UID":"0","MESSAGE":[104,255,10]"#))
        #expect(bytes.message == [104, 255, 10])
    }

    @Test func attack40_anEntryOfAnotherProgramIsNotSshds() throws {
        #expect(
            try journal(#""_COMM":"logger","SYSLOG_IDENTIFIER":"sshd","_PID":"5","_UID":"0","MESSAGE":"x""#)
                == nil)
        // Gone before the journal could look: the user alone is known.
        #expect(
            try journal(#""SYSLOG_IDENTIFIER":"sshd","_PID":"5","_UID":"1000","MESSAGE":"x""#)?.sender
                == .goneUser(1_000))
        #expect(try journal(#""_COMM":"sshd","_PID":"5","MESSAGE":"x""#) == nil)
        #expect(try journal(#""_COMM":"sshd","_PID":"5","_UID":"0","MESSAGE":[256]"#) == nil)
        #expect(try journal(#""_COMM":"sshd","_PID":"5","_UID":"0","MESSAGE":null"#) == nil)
        #expect(throws: ControlProtocolError.self) { try journal(#""_COMM":"sshd""_PID":"5""#) }
    }

    @Test func aPositionComesBackAsItWas() throws {
        let positions: [SshdLogPosition] = [
            .cursor("s=52fd;i=4;b=ccba"), .files([]),
            .files([.init(device: .max, inode: 2, offset: 3), .init(device: 4, inode: .max, offset: .max)]),
        ]
        for position in positions { #expect(try SshdLogPosition(parsing: position.encoded) == position) }
        for text in ["", "{}", #"{"format":2,"files":[]}"#, #"{"format":1,"files":[{"device":"1"}]}"#, "[1]"]
        {
            #expect(throws: ControlProtocolError.self) { try SshdLogPosition(parsing: Array(text.utf8)) }
        }
    }
}
