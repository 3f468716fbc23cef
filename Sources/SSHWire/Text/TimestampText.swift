// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A time as `expiry-time`, `valid-after` and `valid-before` write it: `YYYYMMDD[HHMM[SS]][Z]`.
///
/// With `Z` it is UTC. Without, OpenSSH reads it in the time zone of whichever machine looks at it
/// (`parse_absolute_time` in misc.c), so such a text has no moment until a caller says which zone is meant.
public struct TimestampText: Sendable, Hashable, CustomStringConvertible {
    /// The text as it was written, in capitals.
    public let text: String
    /// True when the text ends in `Z`.
    public let isUTC: Bool
    private let civil: CivilTime

    /// Parses the text; years go from 1970 to 9999.
    ///
    /// - Throws: `.invalidValue` for another form, for dates and times that don't exist (a leap second among them),
    ///   and for the epoch itself, which OpenSSH takes for "not set".
    public init(_ text: String) throws(SSHWireError) {
        let bytes = Array(text.utf8)
        let isUTC = bytes.last?.lowercased == UInt8(ascii: "z")
        let digits = bytes.dropLast(isUTC ? 1 : 0)
        guard [8, 12, 14].contains(digits.count), digits.allSatisfy(\.isDigit) else {
            throw SSHWireError(
                .invalidValue,
                "time \"\(text.prefix(32).description.escapedForTerminal)\": YYYYMMDD[HHMM[SS]][Z] expected")
        }
        func number(_ range: Range<Int>) -> UInt64 {
            digits.count < range.upperBound
                ? 0 : digits[range].reduce(0) { $0 * 10 + UInt64($1 - UInt8(ascii: "0")) }
        }
        guard
            let civil = CivilTime(
                year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(8..<10),
                minute: number(10..<12), second: number(12..<14))
        else {
            throw SSHWireError(
                .invalidValue, "time \"\(text.escapedForTerminal)\": no such date or time from 1970 to 9999")
        }
        guard civil.unixTime > .always else {
            throw SSHWireError(.invalidValue, "time \"\(text)\": the epoch means \"not set\" to OpenSSH")
        }
        self.civil = civil
        self.isUTC = isUTC
        self.text = String(decoding: digits, as: UTF8.self) + (isUTC ? "Z" : "")
    }

    /// Writes a time in UTC, to the second.
    ///
    /// - Throws: `.invalidValue` for the epoch and for times after the year 9999, for ever among them: leave the
    ///   option away instead.
    public init(_ time: UnixTime) throws(SSHWireError) {
        let civil = CivilTime(time)
        guard time > .always, civil.unixTime == time else {
            throw SSHWireError(.invalidValue, "time \(time): cannot be written with four digits for the year")
        }
        self.civil = civil
        isUTC = true
        let parts = [civil.month, civil.day, civil.hour, civil.minute, civil.second]
        text = Self.padded(civil.year, 4) + parts.map { Self.padded($0, 2) }.joined() + "Z"
    }

    /// The moment that is meant.
    ///
    /// - Parameter zoneOffset: the seconds by which local time is ahead of UTC, used only for texts without `Z`.
    /// - Throws: `.invalidValue` for a text without `Z` when there is no offset, or when the moment lies before 1970.
    public func time(zoneOffset: Int? = nil) throws(SSHWireError) -> UnixTime {
        if isUTC { return civil.unixTime }
        guard let zoneOffset else {
            throw SSHWireError(
                .invalidValue, "time \(text): without a Z it depends on the reader's time zone")
        }
        // RFC 9557, section 4: no zone is as much as a day away.
        guard abs(zoneOffset.clamped) < 86_400, let local = Int(exactly: civil.unixTime.seconds),
            let seconds = UInt64(exactly: local - zoneOffset)
        else {
            throw SSHWireError(.invalidValue, "time \(text): before 1970, or an offset of a day or more")
        }
        return UnixTime(seconds: seconds)
    }

    public var description: String { text }

    private static func padded(_ number: UInt64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Int {
    /// The number itself, or one as small as `abs` can take.
    fileprivate var clamped: Int { self == .min ? .max : self }
}
