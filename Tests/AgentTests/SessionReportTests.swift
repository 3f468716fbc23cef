// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Testing

@Suite struct SessionReportTests {
    static let sample = SessionReport(
        event: .open, service: "sshd", account: "deploy", remoteHost: "192.0.2.7", terminal: "ssh",
        connection: "192.0.2.7 50222 198.51.100.10 22", authentication: "password\n", pid: 4_711,
        processStart: 8_640_000, bootID: "ccbabe09-d208-446c-bc9a-c5658171b936",
        wallNanoseconds: 1_795_237_200_123_456_789, bootNanoseconds: 86_400_000_000_000)

    @Test func whatIsSentIsRead() throws {
        #expect(try SessionReport(parsing: Self.sample.encoded) == Self.sample)
    }

    @Test func noPrefixIsTakenForTheWhole() {
        let bytes = Self.sample.encoded
        for count in 0..<bytes.count {
            #expect(throws: ControlProtocolError.self) { try SessionReport(parsing: Array(bytes[..<count])) }
        }
    }

    @Test func everyChangedByteIsReadOrRefused() {
        let bytes = Self.sample.encoded
        for index in bytes.indices {
            for byte in [0, 1, 0x0a, 0x30, 0x39, 0x3d, 0x41, 0x7f, 0x80, 0xff] as [UInt8] {
                var changed = bytes
                changed[index] = byte
                guard let report = try? SessionReport(parsing: changed) else { continue }
                #expect((try? SessionReport(parsing: report.encoded)) == report)
            }
        }
    }

    @Test func anAccountThatIsNoTextIsKeptWithReplacementCharacters() throws {
        let bytes =
            Array("daypass-session=1\0".utf8)
            + Self.sample.encoded.dropFirst(18).split(separator: 0, omittingEmptySubsequences: false)
            .dropLast()
            .flatMap {
                ($0.starts(with: Array("account=".utf8))
                    ? Array("account=a".utf8) + [0xff, 0x0a] : Array($0)) + [0]
            }
        #expect(try SessionReport(parsing: bytes).account == "a\u{fffd}\n")
    }

    @Test(arguments: [
        "pid=0", "pid=2147483648", "pid=-1", "start=18446744073709551615", "uptime=x", "event=opened",
        "wall=",
    ])
    func aNumberOutOfItsRangeIsRefused(field: String) {
        let name = field.prefix { $0 != "=" } + "="
        let fields = Self.sample.encoded.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            .map { $0.hasPrefix(name) ? field : $0 }
        #expect(throws: ControlProtocolError(.invalidValue, "")) {
            try SessionReport(parsing: fields.flatMap { Array($0.utf8) + [0] })
        }
    }

    @Test func fieldsThatAreUnknownOrTwiceOrTooManyAreRefused() {
        let bytes = Self.sample.encoded
        #expect(throws: ControlProtocolError(.unexpected, "")) {
            try SessionReport(parsing: bytes + Array("more=1\0".utf8))
        }
        #expect(throws: ControlProtocolError(.unexpected, "")) {
            try SessionReport(parsing: bytes + Array("pid=1\0".utf8))
        }
        #expect(throws: ControlProtocolError.self) { try SessionReport(parsing: bytes + [0]) }
        #expect(throws: ControlProtocolError(.tooLong, "")) {
            try SessionReport(parsing: bytes + (0..<100).flatMap { Array("x\($0)=\0".utf8) })
        }
        #expect(throws: ControlProtocolError(.tooLong, "")) {
            try SessionReport(parsing: bytes + [UInt8](repeating: 0, count: SessionReport.maximumBytes))
        }
    }

    @Test func aSessionsNameIsThatOfItsProcess() {
        #expect(
            Self.sample.sessionID
                == SessionID.make(
                    boot: "ccbabe09-d208-446c-bc9a-c5658171b936", pid: 4_711, processStart: 8_640_000))
        #expect(Self.sample.sessionID.count == 32)
        #expect(
            Self.sample.sessionID
                != SessionID.make(boot: Self.sample.bootID, pid: 4_711, processStart: 8_640_001))
    }

    @Test func aKillRequestIsReadBackAndNothingElseIs() throws {
        let request = KillRequest(session: "0f3c", reason: "left the company", actor: "SUDO_USER=bob")
        #expect(try KillRequest(parsing: request.encoded) == request)
        for wrong in [
            KillRequest(session: "", reason: "r", actor: ""),
            KillRequest(session: "xyz", reason: "r", actor: ""),
            KillRequest(session: "0f", reason: "", actor: ""),
            KillRequest(session: "0F", reason: "r", actor: ""),
        ] {
            #expect(throws: ControlProtocolError(.invalidValue, "")) {
                try KillRequest(parsing: wrong.encoded)
            }
        }
    }
}
