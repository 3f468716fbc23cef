// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A moment as records write it: RFC 3339 in UTC with nine digits behind the point, so that texts sort as times do.
public struct RecordTime: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Nanoseconds since 1970; 64 bits end in the year 2554.
    public let nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The whole milliseconds.
    public var milliseconds: UInt64 { nanoseconds / 1_000_000 }

    /// The whole seconds.
    public var unixTime: UnixTime { UnixTime(seconds: nanoseconds / 1_000_000_000) }

    public static func < (one: Self, other: Self) -> Bool { one.nanoseconds < other.nanoseconds }

    public var description: String {
        let fraction = String(nanoseconds % 1_000_000_000)
        return unixTime.description.dropLast() + "." + String(repeating: "0", count: 9 - fraction.count)
            + fraction + "Z"
    }

    /// Parses exactly what ``description`` writes; nil for every other text.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 30, bytes[19] == UInt8(ascii: "."), bytes[29] == UInt8(ascii: "Z"),
            let seconds = UnixTime(rfc3339: bytes[..<19]), let fraction = decimal(bytes[20..<29])
        else { return nil }
        let (product, tooLarge) = seconds.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow) = product.addingReportingOverflow(fraction)
        guard !tooLarge, !overflow else { return nil }
        nanoseconds = sum
    }
}

extension UnixTime {
    /// Parses what ``UnixTime/description`` writes; nil for every other text.
    init?(recordText text: String) {
        if text == "forever" {
            self = .forever
            return
        }
        let bytes = Array(text.utf8)
        if bytes.first == UInt8(ascii: "@"), bytes.count <= 21, let seconds = decimal(bytes[1...]) {
            self = UnixTime(seconds: seconds)
        } else if bytes.count == 20, bytes[19] == UInt8(ascii: "Z"),
            let time = UnixTime(rfc3339: bytes[..<19])
        {
            self = time
        } else {
            return nil
        }
        guard description.utf8.elementsEqual(bytes) else { return nil }
    }

    /// `YYYY-MM-DDTHH:MM:SS` in UTC, 19 bytes.
    fileprivate init?(rfc3339 bytes: ArraySlice<UInt8>) {
        let text = Array(bytes)
        guard text.count == 19, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] == UInt8(ascii: "T"), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let year = decimal(text[0..<4]), let month = decimal(text[5..<7]),
            let day = decimal(text[8..<10]),
            let hour = decimal(text[11..<13]), let minute = decimal(text[14..<16]),
            let second = decimal(text[17..<19]),
            let civil = CivilTime(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        else { return nil }
        self = civil.unixTime
    }
}

/// A number of decimal digits and nothing else; nil when it exceeds 64 bits.
func decimal(_ digits: some Collection<UInt8>) -> UInt64? {
    guard !digits.isEmpty, digits.count <= 20 else { return nil }
    var number: UInt64 = 0
    for digit in digits {
        guard (0x30...0x39).contains(digit) else { return nil }
        let (product, tooLarge) = number.multipliedReportingOverflow(by: 10)
        let (sum, overflow) = product.addingReportingOverflow(UInt64(digit - 0x30))
        guard !tooLarge, !overflow else { return nil }
        number = sum
    }
    return number
}
