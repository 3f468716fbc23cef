// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Certificate serials as ascending ranges that neither overlap nor touch; 0 is never among them.
///
/// A range costs the same whether it holds one serial or 2^63, and equal sets have equal ranges.
public struct SerialRanges: Sendable, Hashable {
    /// The ranges, ascending.
    public let ranges: [ClosedRange<UInt64>]

    /// No serial.
    public static let none = SerialRanges(ascending: [])

    /// Takes ranges in any order; those that overlap or touch become one. O(n log n), O(n) when they ascend.
    ///
    /// - Throws: `.invalidValue` when 0 is among them.
    public init(_ ranges: some Sequence<ClosedRange<UInt64>>) throws(SSHWireError) {
        var pending = PendingSerials()
        for range in ranges { _ = try pending.add(range) }
        self = pending.merged
    }

    fileprivate init(ascending ranges: [ClosedRange<UInt64>]) { self.ranges = ranges }

    /// True when there is no serial.
    public var isEmpty: Bool { ranges.isEmpty }

    /// How many serials there are. It can't overflow: 0 is not one.
    public var count: UInt64 {
        ranges.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) + 1 }
    }

    /// The range that holds `serial`. O(log n).
    public func range(holding serial: UInt64) -> ClosedRange<UInt64>? {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = low + (high - low) / 2
            if ranges[middle].upperBound < serial { low = middle + 1 } else { high = middle }
        }
        guard low < ranges.count, ranges[low].contains(serial) else { return nil }
        return ranges[low]
    }
}

/// Serials on their way into a list: appended in any order, sorted once at the end.
///
/// Keeping them sorted all the time would make a million single revocations quadratic.
struct PendingSerials {
    private var ranges: [ClosedRange<UInt64>] = []
    private var isAscending = true

    var isEmpty: Bool { ranges.isEmpty }

    /// Adds a range; true when it takes a place of its own.
    mutating func add(_ range: ClosedRange<UInt64>) throws(SSHWireError) -> Bool {
        guard range.lowerBound > 0 else {
            throw SSHWireError(
                .invalidValue, "serial: 0 can't be revoked, OpenSSH refuses it and never matches it")
        }
        if let last = ranges.last {
            if range.lowerBound < last.lowerBound {
                isAscending = false
            } else if range.lowerBound - 1 <= last.upperBound {
                ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
                return false
            }
        }
        ranges.append(range)
        return true
    }

    /// The serials, each once.
    var merged: SerialRanges {
        if isAscending { return SerialRanges(ascending: ranges) }
        var merged: [ClosedRange<UInt64>] = []
        merged.reserveCapacity(ranges.count)
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound - 1 <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return SerialRanges(ascending: merged)
    }
}
