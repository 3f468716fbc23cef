// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A point in time as certificates hold it: whole seconds since 1970-01-01 00:00:00 UTC.
public struct UnixTime: Sendable, Hashable, Comparable {
    /// Seconds since the epoch; `UInt64.max` means for ever.
    public let seconds: UInt64

    public init(seconds: UInt64) { self.seconds = seconds }

    /// The start of time, ssh-keygen's "always" as a lower bound.
    public static let always = UnixTime(seconds: 0)
    /// The end of time, ssh-keygen's "forever" as an upper bound.
    public static let forever = UnixTime(seconds: .max)

    public static func < (one: UnixTime, other: UnixTime) -> Bool { one.seconds < other.seconds }

    /// This time and `interval` seconds more, or nil when that is no time before ``forever``.
    public func adding(_ interval: UInt64) -> UnixTime? {
        let (sum, overflow) = seconds.addingReportingOverflow(interval)
        return overflow || sum == .max ? nil : UnixTime(seconds: sum)
    }

    /// This time and `interval` seconds less, or the epoch when that is before it.
    public func subtractingOrEpoch(_ interval: UInt64) -> UnixTime {
        UnixTime(seconds: seconds > interval ? seconds - interval : 0)
    }
}

extension UnixTime: CustomStringConvertible {
    /// RFC 3339 in UTC ("2026-11-21T05:21:32Z"); "forever" for the end of time, "@seconds" after the year 9999.
    public var description: String {
        if self == .forever { return "forever" }
        // 9999-12-31T23:59:59Z: later years would need a fifth digit, which RFC 3339 hasn't.
        guard seconds <= 253_402_300_799 else { return "@\(seconds)" }
        let civil = CivilTime(self)
        return "\(civil.year.padded(4))-\(civil.month.padded(2))-\(civil.day.padded(2))"
            + "T\(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2))Z"
    }
}

/// A UTC date and time of the proleptic Gregorian calendar.
public struct CivilTime: Sendable, Hashable {
    public let year, month, day, hour, minute, second: UInt64

    /// Takes apart a time up to the year 9999; later ones are held to its last second.
    public init(_ time: UnixTime) {
        let seconds = min(time.seconds, 253_402_300_799)
        // Days are counted from 0000-03-01 in eras of 400 years, so that a leap day is the last of its year.
        let days = seconds / 86_400 + 719_468
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + days / 146_097 * 400 + (month <= 2 ? 1 : 0)
        hour = seconds % 86_400 / 3_600
        minute = seconds % 3_600 / 60
        second = seconds % 60
    }

    /// Takes the parts of a date from 1970 to 9999 as written; nil when there is no such date or time.
    public init?(
        year: UInt64, month: UInt64, day: UInt64, hour: UInt64 = 0, minute: UInt64 = 0, second: UInt64 = 0
    ) {
        guard (1970...9999).contains(year), (1...12).contains(month), hour < 24, minute < 60, second < 60
        else {
            return nil
        }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [UInt64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day >= 1, day <= lengths[Int(month) - 1] else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second) = (hour, minute, second)
    }

    /// The same moment in seconds since the epoch.
    public var unixTime: UnixTime {
        let marchYear = month <= 2 ? year - 1 : year
        let yearOfEra = marchYear % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = marchYear / 400 * 146_097 + dayOfEra - 719_468
        return UnixTime(seconds: days * 86_400 + hour * 3_600 + minute * 60 + second)
    }
}

extension UInt64 {
    /// The decimal digits with zeros before them up to `width`.
    fileprivate func padded(_ width: Int) -> String {
        let digits = String(self)
        return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
    }
}
