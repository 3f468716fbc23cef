// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import Testing

@Suite("Times in certificates") struct CertificateTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:01Z"), (86_399, "1970-01-01T23:59:59Z"),
            (86_400, "1970-01-02T00:00:00Z"), (68_169_599, "1972-02-28T23:59:59Z"),
            (68_169_600, "1972-02-29T00:00:00Z"), (68_256_000, "1972-03-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"), (1_709_164_800, "2024-02-29T00:00:00Z"),
            (2_147_483_647, "2038-01-19T03:14:07Z"), (2_147_483_648, "2038-01-19T03:14:08Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (4_294_967_296, "2106-02-07T06:28:16Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, "@253402300800"), (UInt64(Int64.max), "@9223372036854775807"),
            (UInt64(Int64.max) + 1, "@9223372036854775808"), (.max - 1, "@18446744073709551614"),
            (.max, "forever"),
        ] as [(UInt64, String)])
    func attack54_everyNumberIsShown(seconds: UInt64, text: String) {
        #expect(UnixTime(seconds: seconds).description == text)
    }

    @Test func aTimeAndItsPartsAreTheSame() throws {
        for seconds in stride(from: UInt64(0), through: 253_402_300_799, by: 86_400 * 13 + 3_601) {
            let civil = CivilTime(UnixTime(seconds: seconds))
            #expect(civil.unixTime == UnixTime(seconds: seconds))
            let again = CivilTime(
                year: civil.year, month: civil.month, day: civil.day, hour: civil.hour, minute: civil.minute,
                second: civil.second)
            #expect(again == civil)
        }
    }

    @Test func randomTimesAgreeWithFoundation() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        var numbers = RepeatableNumbers(state: 54)
        for _ in 0..<5_000 {
            let seconds = UInt64.random(in: 0...253_402_300_799, using: &numbers)
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second],
                from: Date(timeIntervalSince1970: TimeInterval(seconds)))
            let civil = CivilTime(UnixTime(seconds: seconds))
            let ours = [civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second]
            let theirs = [
                parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second,
            ].map { $0.flatMap { UInt64(exactly: $0) } }
            #expect(ours.map(Optional.some) == theirs, "\(seconds)")
        }
    }

    @Test(arguments: [
        (1972, true), (2000, true), (2024, true), (2400, true), (1971, false), (2100, false), (2200, false),
    ])
    func leapDaysAreThereInLeapYearsOnly(year: UInt64, isLeap: Bool) {
        #expect((CivilTime(year: year, month: 2, day: 29) != nil) == isLeap)
        #expect(CivilTime(year: year, month: 2, day: 28) != nil)
        #expect(CivilTime(year: year, month: 2, day: 30) == nil)
    }

    @Test(
        arguments: [
            (1969, 12, 31, 0, 0, 0), (10_000, 1, 1, 0, 0, 0), (2026, 0, 1, 0, 0, 0), (2026, 13, 1, 0, 0, 0),
            (2026, 1, 0, 0, 0, 0), (2026, 1, 32, 0, 0, 0), (2026, 4, 31, 0, 0, 0), (2026, 1, 1, 24, 0, 0),
            (2026, 1, 1, 0, 60, 0), (2026, 1, 1, 0, 0, 60), (.max, .max, .max, .max, .max, .max),
            (2026, .max, 1, 0, 0, 0),
        ] as [(UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)])
    func whatIsNoDateIsRefused(
        year: UInt64, month: UInt64, day: UInt64, hour: UInt64, minute: UInt64, second: UInt64
    ) {
        let civil = CivilTime(
            year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        #expect(civil == nil)
    }

    @Test(
        arguments: [
            (0, 0, 0), (0, 1, 1), (1, .max - 2, .max - 1), (1, .max - 1, nil), (.max - 1, 0, .max - 1),
            (.max - 1, 1, nil),
            (.max - 1, 2, nil), (.max, 0, nil), (.max, .max, nil), (5, .max, nil),
        ] as [(UInt64, UInt64, UInt64?)])
    func attack54_additionEndsBeforeForever(start: UInt64, interval: UInt64, sum: UInt64?) {
        #expect(UnixTime(seconds: start).adding(interval)?.seconds == sum)
    }

    @Test(
        arguments: [
            (0, 0, 0), (0, 1, 0), (60, 60, 0), (61, 60, 1), (5, .max, 0), (.max, .max, 0),
            (.max, 1, .max - 1),
        ] as [(UInt64, UInt64, UInt64)])
    func attack54_subtractionEndsAtTheEpoch(start: UInt64, interval: UInt64, difference: UInt64) {
        #expect(UnixTime(seconds: start).subtractingOrEpoch(interval).seconds == difference)
    }
}
