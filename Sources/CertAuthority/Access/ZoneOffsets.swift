// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// By how much the clocks of a time zone are ahead of UTC, at every moment.
struct ZoneOffsets: Sendable {
    let name: String
    /// When the offset changes, and to what; in order.
    private var changes: [(time: Int64, offset: Int64)] = []
    private var first: Int64
    /// What holds after the last change.
    private var rule: ZoneRule?

    /// The most changes; the zones of tzdata have under 250.
    private static let maximumChanges = 4_096
    /// The last year whose changes are looked up; later ones are reckoned from the yearly rule.
    private static let lastYearWrittenOut: UInt64 = 2_100
    /// The most kinds of local time (RFC 9636, section 3.1: an index is one byte).
    private static let maximumTypes = 256

    /// A zone without changes; `offset` in seconds.
    init(name: String, fixed offset: Int64) {
        self.name = name
        first = offset
    }

    /// A zone from a TZif file of version 2 or later (RFC 9636, section 3); nil when it is none.
    init?(name: String, file: [UInt8]) {
        var reader = Reader(bytes: file[...])
        // The block of version 1 has 32-bit times; the same follows with 64 bits.
        guard let old = Header(&reader), old.version >= UInt8(ascii: "2"),
            reader.skip(old.bytes(timeBytes: 4)), let header = Header(&reader),
            header.times <= Self.maximumChanges, (1...Self.maximumTypes).contains(header.types)
        else { return nil }
        var times: [Int64] = []
        for _ in 0..<header.times {
            guard let time = reader.number(bytes: 8), times.last.map({ $0 < time }) ?? true else {
                return nil
            }
            times.append(time)
        }
        var indices: [Int] = []
        for _ in 0..<header.times {
            guard let index = reader.number(bytes: 1) else { return nil }
            indices.append(Int(UInt8(truncatingIfNeeded: index)))
        }
        var offsets: [Int64] = []
        for _ in 0..<header.types {
            guard let offset = reader.number(bytes: 4), reader.skip(2), ZoneRule.isOffset(offset) else {
                return nil
            }
            offsets.append(offset)
        }
        let rest = header.bytes(timeBytes: 8) - header.times * 9 - header.types * 6
        guard reader.skip(rest), reader.bytes.first == UInt8(ascii: "\n"),
            reader.bytes.last == UInt8(ascii: "\n"),
            reader.bytes.count >= 2
        else { return nil }
        self.name = name
        first = offsets[0]
        for (time, index) in zip(times, indices) {
            guard index < offsets.count else { return nil }
            changes.append((time, offsets[index]))
        }
        let footer = reader.bytes.dropFirst().dropLast()
        if !footer.isEmpty {
            guard let rule = ZoneRule(footer) else { return nil }
            self.rule = rule
            writeOut(rule)
        }
    }

    /// Writes the changes of the coming years out: finding one among them is a tenth of reckoning it.
    private mutating func writeOut(_ rule: ZoneRule) {
        let last = changes.last?.time ?? 0
        let first = CivilTime(UnixTime(seconds: UInt64(max(0, last)))).year
        guard first <= Self.lastYearWrittenOut else { return }
        for year in first...Self.lastYearWrittenOut {
            for change in rule.changes(in: year) where change.time > changes.last?.time ?? 0 {
                changes.append(change)
            }
        }
    }

    /// In seconds, positive to the east.
    func offset(at time: UnixTime) -> Int64 {
        // Up to the year 9999; later times are held to its end, as CivilTime does.
        let seconds = Int64(min(time.seconds, 253_402_300_799))
        guard let last = changes.last, seconds < last.time else {
            return rule?.offset(at: seconds) ?? changes.last?.offset ?? first
        }
        var (low, high) = (0, changes.count)
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].time <= seconds { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? first : changes[low - 1].offset
    }

    /// The zone's time of day, in seconds since midnight, and day of the week, 0 for Monday.
    func clock(at time: UnixTime) -> (second: Int64, weekday: Int) {
        let local = Int64(min(time.seconds, 253_402_300_799)) + offset(at: time)
        let day = local.flooredQuotient(by: 86_400)
        // 1970-01-01 was a Thursday.
        return (local - day * 86_400, Int((day + 3) - (day + 3).flooredQuotient(by: 7) * 7))
    }

    private struct Header {
        let version: UInt8
        let times, types: Int
        private let universal, standard, leaps, characters: Int

        init?(_ reader: inout Reader) {
            guard reader.bytes.starts(with: "TZif".utf8), reader.bytes.count >= 44 else { return nil }
            version = reader.bytes[reader.bytes.startIndex + 4]
            _ = reader.skip(20)
            var counts: [Int] = []
            for _ in 0..<6 {
                guard let count = reader.number(bytes: 4), count >= 0 else { return nil }
                counts.append(Int(count))
            }
            (universal, standard, leaps) = (counts[0], counts[1], counts[2])
            (times, types, characters) = (counts[3], counts[4], counts[5])
        }

        /// How long the block is; counts have 31 bits, so that nothing overflows.
        func bytes(timeBytes: Int) -> Int {
            times * (timeBytes + 1) + types * 6 + characters + leaps * (timeBytes + 4) + standard + universal
        }
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func skip(_ count: Int) -> Bool {
            guard (0...bytes.count).contains(count) else { return false }
            bytes = bytes.dropFirst(count)
            return true
        }

        /// A signed number, big-endian.
        mutating func number(bytes count: Int) -> Int64? {
            guard bytes.count >= count, let head = bytes.first else { return nil }
            var number: Int64 = head >= 0x80 ? -1 : 0
            for byte in bytes.prefix(count) { number = number << 8 | Int64(byte) }
            bytes = bytes.dropFirst(count)
            return number
        }
    }
}

extension Int64 {
    /// Rounded down; `divisor` is positive.
    fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
