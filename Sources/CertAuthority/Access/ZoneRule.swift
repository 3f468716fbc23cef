// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The yearly rule of a time zone: POSIX.1's `TZ` with the extension of RFC 9636, section 3.3.1 (hours up to 167).
struct ZoneRule: Sendable {
    /// A day of the year.
    private enum Day: Sendable {
        /// 1 to 365; 29 February is not counted.
        case withoutLeapDay(Int64)
        /// 0 to 365.
        case counted(Int64)
        /// Day of the week (0 for Sunday), week (5 for the last) and month.
        case weekday(Int64, week: Int64, month: UInt64)
    }

    private struct Change: Sendable {
        let day: Day
        /// Seconds after that day's midnight.
        let time: Int64
    }

    private let standard: Int64
    private let summer: (offset: Int64, from: Change, until: Change)?

    /// True for what an offset from UTC may be (RFC 9636, section 3.2: a day and an hour, at most).
    static func isOffset(_ seconds: Int64) -> Bool { abs(seconds) < 26 * 3_600 }

    /// Nil for what is no such rule.
    init?(_ text: ArraySlice<UInt8>) {
        var text = text
        guard Self.skipName(&text), let west = Self.time(&text, maximumHours: 24) else { return nil }
        standard = -west
        guard !text.isEmpty else {
            summer = nil
            return
        }
        guard Self.skipName(&text) else { return nil }
        var offset = standard + 3_600
        if text.first != UInt8(ascii: ",") {
            guard let west = Self.time(&text, maximumHours: 24) else { return nil }
            offset = -west
        }
        guard let from = Self.change(&text), let until = Self.change(&text), text.isEmpty else { return nil }
        summer = (offset, from, until)
    }

    /// The offset from UTC, both in seconds.
    func offset(at seconds: Int64) -> Int64 {
        guard let summer else { return standard }
        let year = CivilTime(UnixTime(seconds: UInt64(max(0, seconds + standard)))).year
        let from = Self.moment(of: summer.from, in: year) - standard
        let until = Self.moment(of: summer.until, in: year) - summer.offset
        let isSummer =
            from < until ? (from..<until).contains(seconds) : !(until..<from).contains(seconds)
        return isSummer ? summer.offset : standard
    }

    /// When the offset changes in a year and to what, in order.
    func changes(in year: UInt64) -> [(time: Int64, offset: Int64)] {
        guard let summer else { return [] }
        let from = (time: Self.moment(of: summer.from, in: year) - standard, offset: summer.offset)
        let until = (time: Self.moment(of: summer.until, in: year) - summer.offset, offset: standard)
        return from.time < until.time ? [from, until] : [until, from]
    }

    /// Local seconds since 1970-01-01 00:00:00.
    private static func moment(of change: Change, in year: UInt64) -> Int64 {
        func day(_ month: UInt64) -> Int64 {
            let civil = CivilTime(year: min(max(year, 1970), 9999), month: month, day: 1)
            return Int64((civil?.unixTime.seconds ?? 0) / 86_400)
        }
        let start = day(1)
        let number: Int64
        switch change.day {
        case .counted(let days): number = start + days
        case .withoutLeapDay(let days):
            let isLeap = day(3) - start == 60
            number = start + days - 1 + (isLeap && days > 59 ? 1 : 0)
        case .weekday(let weekday, let week, let month):
            let first = day(month)
            let end = month == 12 ? first + 31 : day(month + 1)
            // 1970-01-01 was a Thursday: day 4, from Sunday.
            let candidate = first + (weekday - (first + 4) % 7 + 7) % 7 + (week - 1) * 7
            number = candidate < end ? candidate : candidate - 7
        }
        return number * 86_400 + change.time
    }

    private static func skipName(_ text: inout ArraySlice<UInt8>) -> Bool {
        let isQuoted = text.first == UInt8(ascii: "<")
        if isQuoted { text = text.dropFirst() }
        let name = text.prefix {
            isLetterOrDigit($0) && (isQuoted || $0 > 0x39) || isQuoted && "+-".utf8.contains($0)
        }
        text = text.dropFirst(name.count)
        if isQuoted {
            guard text.first == UInt8(ascii: ">") else { return false }
            text = text.dropFirst()
        }
        return name.count >= 3
    }

    private static func number(_ text: inout ArraySlice<UInt8>, _ range: ClosedRange<Int64>) -> Int64? {
        let digits = text.prefix { (0x30...0x39).contains($0) }
        guard (1...3).contains(digits.count) else { return nil }
        text = text.dropFirst(digits.count)
        let number = digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
        return range.contains(number) ? number : nil
    }

    /// `[+-]h[:m[:s]]` in seconds.
    private static func time(_ text: inout ArraySlice<UInt8>, maximumHours: Int64) -> Int64? {
        let isNegative = text.first == UInt8(ascii: "-")
        if let sign = text.first, "+-".utf8.contains(sign) { text = text.dropFirst() }
        guard var total = number(&text, 0...maximumHours).map({ $0 * 3_600 }) else { return nil }
        for unit in [60, 1] as [Int64] where text.first == UInt8(ascii: ":") {
            text = text.dropFirst()
            guard let part = number(&text, 0...59) else { return nil }
            total += part * unit
        }
        return isNegative ? -total : total
    }

    private static func change(_ text: inout ArraySlice<UInt8>) -> Change? {
        guard text.first == UInt8(ascii: ",") else { return nil }
        text = text.dropFirst()
        let day: Day
        switch text.first {
        case UInt8(ascii: "J"):
            text = text.dropFirst()
            guard let days = number(&text, 1...365) else { return nil }
            day = .withoutLeapDay(days)
        case UInt8(ascii: "M"):
            text = text.dropFirst()
            guard let month = number(&text, 1...12), text.popFirst() == UInt8(ascii: "."),
                let week = number(&text, 1...5), text.popFirst() == UInt8(ascii: "."),
                let weekday = number(&text, 0...6)
            else { return nil }
            day = .weekday(weekday, week: week, month: UInt64(month))
        default:
            guard let days = number(&text, 0...365) else { return nil }
            day = .counted(days)
        }
        guard text.first == UInt8(ascii: "/") else { return Change(day: day, time: 2 * 3_600) }
        text = text.dropFirst()
        guard let time = time(&text, maximumHours: 167) else { return nil }
        return Change(day: day, time: time)
    }
}
