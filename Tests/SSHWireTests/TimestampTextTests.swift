// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@Suite struct TimestampTextTests {
    @Test(arguments: [
        ("20260102Z", "2026-01-02T00:00:00Z"), ("202601020304Z", "2026-01-02T03:04:00Z"),
        ("20260102030405z", "2026-01-02T03:04:05Z"), ("20240229Z", "2024-02-29T00:00:00Z"),
        ("19700102Z", "1970-01-02T00:00:00Z"), ("99991231235959Z", "9999-12-31T23:59:59Z"),
        ("20000229Z", "2000-02-29T00:00:00Z"), ("19700101000001Z", "1970-01-01T00:00:01Z"),
    ])
    func utcTextsAreTheirMoment(text: String, moment: String) throws {
        let parsed = try TimestampText(text)
        #expect(try parsed.time().description == moment)
        #expect(parsed.text == text.uppercased())
        let time = try parsed.time()
        #expect(try TimestampText(time).time() == time)
    }

    @Test(arguments: [
        "", "Z", "2026", "2026010", "202601021", "2026010203", "2026010203040", "202601020304050",
        "20260102ZZ",
        "20260102 ", " 20260102", "+2260102Z", "20261301Z", "20260001Z", "20260100Z", "20260132Z",
        "20250229Z",
        "21000229Z", "202601022400Z", "202601020060Z", "20260102000060Z", "19691231Z", "19700101Z",
        "00000000Z",
        "2026-01-02", "20260102UTC", "２０２６0102Z", "20260102\u{1b}",
    ])
    func otherFormsAndDatesThatDoNotExistAreRefused(text: String) {
        #expect(throws: SSHWireError(.invalidValue, "")) { try TimestampText(text) }
    }

    @Test func aTextWithoutZNeedsAZone() throws {
        let local = try TimestampText("202601020304")
        #expect(throws: SSHWireError(.invalidValue, "")) { try local.time() }
        #expect(try local.time(zoneOffset: 0).description == "2026-01-02T03:04:00Z")
        #expect(try local.time(zoneOffset: 7_200).description == "2026-01-02T01:04:00Z")
        #expect(try local.time(zoneOffset: -18_000).description == "2026-01-02T08:04:00Z")
        #expect(
            try TimestampText("202601020304Z").time(zoneOffset: 7_200).description == "2026-01-02T03:04:00Z")
    }

    @Test func attack54_noOffsetOverflows() throws {
        for offset in [86_400, -86_400, Int.max, Int.min] {
            #expect(throws: SSHWireError(.invalidValue, "")) {
                try TimestampText("20260102").time(zoneOffset: offset)
            }
        }
        #expect(throws: SSHWireError(.invalidValue, "")) {
            try TimestampText("197001010001").time(zoneOffset: 3_600)
        }
    }

    @Test func attack54_timesWithoutFourDigitsForTheYearAreRefused() throws {
        #expect(try TimestampText(UnixTime(seconds: 253_402_300_799)).text == "99991231235959Z")
        for seconds in [0, 253_402_300_800, .max - 1, .max] as [UInt64] {
            #expect(throws: SSHWireError(.invalidValue, "")) { try TimestampText(UnixTime(seconds: seconds)) }
        }
    }

    @Test func everyDayFrom1970ToTheYear2400ComesBack() throws {
        for day in 1...157_000 {
            let time = UnixTime(seconds: UInt64(day) * 86_400 + UInt64(day % 86_400))
            guard try TimestampText(TimestampText(time).text).time() == time else {
                Issue.record("day \(day)")
                return
            }
        }
    }
}
