// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import SSHWire

@Suite struct RevocationSerialTests {
    @Test func rangesThatOverlapOrTouchBecomeOne() throws {
        #expect(try SerialRanges([5...9, 1...4]).ranges == [1...9])
        #expect(try SerialRanges([5...9, 1...3]).ranges == [1...3, 5...9])
        #expect(try SerialRanges([1...100, 3...4, 50...200]).ranges == [1...200])
        #expect(try SerialRanges([3...4, 1...100, 2...2]).ranges == [1...100])
        #expect(try SerialRanges([(.max)...(.max), 1...(.max - 1)]).ranges == [1...UInt64.max])
        #expect(try SerialRanges([]) == .none)
    }

    @Test func hugeRangesAreCountedAndSearchedWithoutBeingExpanded() throws {
        let half = UInt64(1) << 63
        let serials = try SerialRanges([1...(half - 1), (half + 1)...(.max)])
        #expect(serials.count == UInt64.max - 1)
        #expect(serials.range(holding: half) == nil)
        #expect(serials.range(holding: half - 1) == 1...(half - 1))
        #expect(serials.range(holding: .max) == (half + 1)...UInt64.max)
        #expect(serials.range(holding: 0) == nil)
        #expect(SerialSectionPlan(for: serials.ranges).byteCount == 42)
    }

    @Test func mergingAgreesWithASetOfNumbers() throws {
        var numbers = RepeatableNumbers(state: 1)
        for _ in 0..<200 {
            let ranges = (0..<Int.random(in: 0...12, using: &numbers)).map { _ in
                let first = UInt64.random(in: 1...60, using: &numbers)
                return first...(first + UInt64.random(in: 0...5, using: &numbers))
            }
            let serials = try SerialRanges(ranges)
            let expected = Set(ranges.flatMap { Array($0) })
            #expect(Set(serials.ranges.flatMap { Array($0) }) == expected)
            #expect(serials.count == UInt64(expected.count))
            for (one, next) in zip(serials.ranges, serials.ranges.dropFirst()) {
                #expect(one.upperBound + 1 < next.lowerBound)
            }
            for serial in 0...UInt64(70) {
                #expect((serials.range(holding: serial) != nil) == expected.contains(serial))
            }
        }
    }

    @Test(arguments: [2, 12, 60, 300, 2_000, 9_000] as [UInt64])
    func noChoiceOfSectionsIsSmaller(largestGap: UInt64) throws {
        var numbers = RepeatableNumbers(state: largestGap)
        for round in 0..<40 {
            var ranges: [ClosedRange<UInt64>] = []
            var next = UInt64.random(in: 1...1_000_000, using: &numbers)
            for _ in 0..<Int.random(in: 0...6, using: &numbers) {
                let longest: UInt64 = round % 3 == 0 ? 400 : 4
                let last = next + UInt64.random(in: 0..<longest, using: &numbers)
                ranges.append(next...last)
                next = last + 1 + UInt64.random(in: 1...largestGap, using: &numbers)
            }
            let plan = SerialSectionPlan(for: ranges)
            #expect(plan.byteCount == smallestByTrying(ranges), "\(ranges)")
            #expect(plan.byteCount == (try encodedSerialBytes(ranges)), "\(ranges)")
        }
    }

    @Test func bitmapsAreCutWhereSSHDStopsReading() throws {
        for bits: UInt64 in [16_383, 16_384, 16_385] {
            // Every second serial, and the last one so that it takes exactly so many bits.
            let serials = Array(stride(from: UInt64(1), to: bits, by: 2)) + [bits]
            let plan = SerialSectionPlan(for: try SerialRanges(serials.map { $0...$0 }).ranges)
            #expect(plan.bitmaps.count == 1 || bits > 16_384)
            #expect(plan.byteCount == (bits > 16_384 ? 18 + 2_047 + 5 + 8 : 18 + Int(bits) / 8))
        }
    }

    @Test func aMillionScatteredSerialsReadBack() throws {
        var numbers = RepeatableNumbers(state: 5)
        let serials = (0..<1_000_000).map { _ in UInt64.random(in: 1...(.max), using: &numbers) }
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        try builder.revoke(eachOf: serials, of: .everyAuthority)
        let list = builder.build()
        #expect(try list.checkedEncoding().count == 44 + 5 + 8 + 5 + 8 * 1_000_000)
        #expect(list.certificates.first?.serials.range(holding: serials[77]) != nil)
    }

    /// The size of the sections that a list with these serials really has.
    private func encodedSerialBytes(_ ranges: [ClosedRange<UInt64>]) throws -> Int {
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        for range in ranges { try builder.revoke(serials: range, of: .everyAuthority) }
        let encoded = try builder.build().checkedEncoding()
        return ranges.isEmpty ? encoded.count - 44 : encoded.count - 44 - 5 - 8
    }

    /// Tries every way to put each run into the list, a range, the current bitmap or a new one.
    private func smallestByTrying(_ runs: [ClosedRange<UInt64>]) -> Int {
        var smallest = Int.max
        var ways = 1
        for _ in runs { ways *= 4 }
        for way in 0..<ways {
            var listed: UInt64 = 0
            var total = 0
            var bitmaps: [(first: UInt64, last: UInt64)] = []
            var isPossible = true
            var remaining = way
            for run in runs {
                defer { remaining /= 4 }
                switch remaining % 4 {
                case 0: listed += UInt64(run.count)
                case 1: total += 1 + 4 + 16
                case 2: bitmaps.append((run.lowerBound, run.upperBound))
                default:
                    guard let last = bitmaps.last else {
                        isPossible = false
                        continue
                    }
                    bitmaps[bitmaps.count - 1] = (last.first, run.upperBound)
                }
            }
            for bitmap in bitmaps {
                let bits = bitmap.last - bitmap.first + 1
                if bits > 16_384 { isPossible = false }
                let bytes = (bits + 7) / 8 + (bits % 8 == 0 ? 1 : 0)
                total += 1 + 4 + 8 + 4 + Int(bytes)
            }
            guard isPossible else { continue }
            if listed > 0 { total += 1 + 4 + 8 * Int(listed) }
            smallest = min(smallest, total)
        }
        return smallest
    }
}
