// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension SshdLogTime {
    /// The moment, in nanoseconds since 1970.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970. A date without a year is the last one that is not over a day ahead of this.
    ///   - zoneOffset: how far local time is ahead of UTC, in seconds.
    public func nanoseconds(now: UInt64, zoneOffset: Int) -> UInt64? {
        switch self {
        case .wall(let nanoseconds): return nanoseconds
        case .local(let month, let day, let hour, let minute, let second):
            let year = CivilTime(UnixTime(seconds: now)).year
            for year in [year + 1, year, year - 1] {
                // A leap second is the next minute's first.
                guard
                    let civil = CivilTime(
                        year: year, month: month, day: day, hour: hour, minute: minute,
                        second: min(second, 59)),
                    let local = Int(exactly: civil.unixTime.seconds), abs(zoneOffset) < 86_400,
                    let seconds = UInt64(exactly: local - zoneOffset)
                else { continue }
                if seconds <= now.addingReportingOverflow(86_400).partialValue {
                    return seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue
                }
            }
            return nil
        }
    }

    /// Reads RFC 3339 ("2026-11-26T12:34:56.789012+01:00") or RFC 3164 ("Nov  6 12:34:56") at a line's start, and
    /// takes it and the blank behind off.
    init?(from line: inout ArraySlice<UInt8>) {
        guard let time = Self.exact(line) ?? Self.traditional(line) else {
            return nil
        }
        self = time.time
        line = line.dropFirst(time.count)
        guard line.popFirst() == UInt8(ascii: " ") else { return nil }
    }

    private static func exact(_ line: ArraySlice<UInt8>) -> (time: SshdLogTime, count: Int)? {
        let word = Array(line.prefix { $0 != UInt8(ascii: " ") }.prefix(40))
        guard word.count >= 20, word[4] == UInt8(ascii: "-"), word[7] == UInt8(ascii: "-"),
            word[10] == UInt8(ascii: "T"), word[13] == UInt8(ascii: ":"), word[16] == UInt8(ascii: ":"),
            let year = number(word[0..<4]), let month = number(word[5..<7]), let day = number(word[8..<10]),
            let hour = number(word[11..<13]), let minute = number(word[14..<16]),
            let second = number(word[17..<19]),
            let civil = CivilTime(
                year: year, month: month, day: day, hour: hour, minute: minute, second: min(second, 59))
        else { return nil }
        var rest = word[19...]
        var fraction: UInt64 = 0
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(digits.count), let value = number(digits) else { return nil }
            fraction = value
            for _ in digits.count..<9 { fraction *= 10 }
            rest = rest.dropFirst(1 + digits.count)
        }
        guard let ahead = zone(Array(rest)), let local = Int(exactly: civil.unixTime.seconds),
            let seconds = UInt64(exactly: local - ahead)
        else { return nil }
        // The year 9999 would not fit.
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = scaled.addingReportingOverflow(fraction)
        return overflow || carry ? nil : (.wall(sum), word.count)
    }

    private static func zone(_ text: [UInt8]) -> Int? {
        if text == [UInt8(ascii: "Z")] { return 0 }
        guard text.count == 6, text[3] == UInt8(ascii: ":"), let hours = number(text[1..<3]),
            let minutes = number(text[4..<6]), hours < 24, minutes < 60
        else { return nil }
        let seconds = Int(hours) * 3_600 + Int(minutes) * 60
        switch text[0] {
        case UInt8(ascii: "+"): return seconds
        case UInt8(ascii: "-"): return -seconds
        default: return nil
        }
    }

    private static func traditional(_ line: ArraySlice<UInt8>) -> (time: SshdLogTime, count: Int)? {
        let text = Array(line.prefix(15))
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard text.count == 15, text[3] == 0x20, text[6] == 0x20, text[9] == UInt8(ascii: ":"),
            text[12] == UInt8(ascii: ":"),
            let month = months.firstIndex(where: { $0.utf8.elementsEqual(text[0..<3]) }),
            let day = number(text[4] == 0x20 ? text[5..<6] : text[4..<6]), let hour = number(text[7..<9]),
            let minute = number(text[10..<12]), let second = number(text[13..<15]),
            (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        return (
            .local(month: UInt64(month) + 1, day: day, hour: hour, minute: minute, second: second), 15
        )
    }

    /// At most nine digits.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard (1...9).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return digits.reduce(0) { $0 * 10 + UInt64($1 - 0x30) }
    }
}
