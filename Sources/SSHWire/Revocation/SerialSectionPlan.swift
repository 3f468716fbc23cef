// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Which kind of section names which run of serials, so that all of them together take the fewest bytes.
///
/// A run of consecutive serials goes whole into the one list (8 bytes a serial), a range of its own (21 bytes) or a
/// bitmap that it may share with neighbours (one bit for every serial from its first to its last, and 18 bytes).
/// Sections may come in any order, so one list is enough, and what remains is to cut the ascending runs into
/// bitmaps: the cheapest way to write the first n runs is the cheapest way to write the first m and then a bitmap
/// over the rest, or all but the last and then the last alone. Of all plans that split no run the result is the
/// smallest; ssh-keygen's greedy choice (`choose_next_state` in krl.c) is one of those plans wherever it is valid.
struct SerialSectionPlan {
    /// Indexes of the runs that the list names, ascending.
    private(set) var listed: [Int] = []
    /// Indexes of the runs that have a range of their own, ascending.
    private(set) var ranges: [Int] = []
    /// Indexes of the runs that share a bitmap, for each bitmap, ascending.
    private(set) var bitmaps: [Range<Int>] = []
    /// The size of all sections, in bytes.
    let byteCount: Int

    /// A section's type and length.
    private static let sectionBytes = 1 + 4
    private static let rangeBytes = sectionBytes + 8 + 8
    /// A bitmap's offset, its number's length and the byte that is left after dividing its bits by 8: the sign bit
    /// makes that one byte whether or not there is a remainder.
    private static let bitmapBytes = sectionBytes + 8 + 4 + 1

    private enum Choice {
        static let list: Int32 = -1
        static let range: Int32 = -2
    }

    /// Plans for ascending runs that neither touch nor overlap, as ``SerialRanges`` has them. O(n).
    init(for runs: [ClosedRange<UInt64>]) {
        let withList = Self.choose(for: runs, listAllowed: true)
        let withoutList = Self.choose(for: runs, listAllowed: false)
        let isListWorthIt = withList.bytes + Self.sectionBytes < withoutList.bytes
        byteCount = isListWorthIt ? withList.bytes + Self.sectionBytes : withoutList.bytes
        let choices = isListWorthIt ? withList.choices : withoutList.choices
        var end = runs.count
        while end > 0 {
            switch choices[end - 1] {
            case Choice.list:
                end -= 1
                listed.append(end)
            case Choice.range:
                end -= 1
                ranges.append(end)
            case let start:
                bitmaps.append(Int(start)..<end)
                end = Int(start)
            }
        }
        listed.reverse()
        ranges.reverse()
        bitmaps.reverse()
    }

    /// The fewest bytes for all runs, the list's header not counted, and for each run how the cheapest way ends that
    /// covers the runs up to it: its own section, or the first run of its bitmap.
    private static func choose(
        for runs: [ClosedRange<UInt64>], listAllowed: Bool
    ) -> (bytes: Int, choices: [Int32]) {
        var choices: [Int32] = []
        choices.reserveCapacity(runs.count)
        // A bitmap from run i to run j has hi(j) - before(i) bits, where before(i) is the serial before the run's
        // first. Its bytes are hi/8 - before/8, less 1 when hi mod 8 < before mod 8. So among starts with equal
        // before mod 8 the one with the least (cost up to i) - before/8 is best for every j that it reaches.
        var starts = (0..<8).map { _ in MinimumWindow() }
        var bytes = 0
        for (index, run) in runs.enumerated() {
            let before = run.lowerBound - 1
            starts[Int(before % 8)].append(
                .init(index: Int32(index), before: before, weight: Int64(bytes) - Int64(before / 8)))

            let length = run.upperBound - before
            let isListed = listAllowed && length <= rangeBytes / 8
            var best = bytes + (isListed ? Int(length) * 8 : rangeBytes)
            var choice = isListed ? Choice.list : Choice.range
            for residue in 0..<8 {
                guard let start = starts[residue].first(reaching: run.upperBound) else { continue }
                let carry: Int64 = Int(run.upperBound % 8) < residue ? 1 : 0
                let cost = Int(start.weight + Int64(run.upperBound / 8) - carry) + bitmapBytes
                if cost < best {
                    best = cost
                    choice = start.index
                }
            }
            bytes = best
            choices.append(choice)
        }
        return (bytes, choices)
    }
}

/// A queue of places where a bitmap can start: its first is the cheapest that is near enough.
private struct MinimumWindow {
    struct Start {
        let index: Int32
        let before: UInt64
        let weight: Int64
    }

    private var starts: [Start] = []
    private var head = 0

    /// Adds a start; dearer ones before it can never be chosen again.
    mutating func append(_ start: Start) {
        while starts.count > head, let last = starts.last, last.weight >= start.weight { starts.removeLast() }
        starts.append(start)
    }

    /// The cheapest start of a bitmap that may still end at `serial`; those too far back are dropped.
    mutating func first(reaching serial: UInt64) -> Start? {
        while head < starts.count, serial - starts[head].before > UInt64(Limits.krlBitmapBits) { head += 1 }
        return head < starts.count ? starts[head] : nil
    }
}
