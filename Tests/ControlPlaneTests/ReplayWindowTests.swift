// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CertAuthority

@Suite("Sequence numbers of a session") struct ReplayWindowTests {
    @Test func aNumberIsSpentOnce() {
        let window = Window(after: 10)
        #expect(window.spend(11))
        #expect(!window.spend(11))
    }

    @Test func whatMayHaveBeenSpentBeforeIsRefused() {
        let window = Window(after: 10)
        #expect(!window.spend(10))
        #expect(!window.spend(0))
        #expect(window.spend(.max))
    }

    @Test func requestsMayOvertakeEachOther() {
        let window = Window(after: 0)
        for number in (1...UInt64(ReplayWindow.size)).reversed() { #expect(window.spend(number)) }
        // What is behind all that are remembered may have been spent.
        #expect(window.spend(1_000))
        #expect(!window.spend(1))
    }

    /// Whatever the order, no number is taken twice, and what is newer than all others is taken.
    @Test(arguments: UInt64(1)...20) func noNumberIsTakenTwice(seed: UInt64) {
        var random = SplitMix(state: seed)
        let window = Window(after: 0)
        var taken: Set<UInt64> = []
        var largest: UInt64 = 0
        for _ in 0..<4_000 {
            let number = largest &+ 40 &- random.next() % 200
            guard number < 1 << 40 else { continue }
            let isTaken = window.spend(number)
            if isTaken { #expect(taken.insert(number).inserted, "\(number) was taken twice") }
            if number > largest {
                #expect(isTaken, "\(number) is the newest")
                largest = number
            }
        }
        #expect(taken.count > 1_000)
    }

    @Test func itsMemoryIsBounded() {
        #expect(MemoryLayout<ReplayWindow>.size <= 16)
        let window = Window(after: 0)
        for number in UInt64(1)...10_000 { _ = window.spend(number) }
        #expect(
            Mirror(reflecting: window.value).children.contains {
                ($0.value as? [UInt64])?.count == ReplayWindow.size
            })
    }
}

/// One that expectations can change.
private final class Window {
    var value: ReplayWindow

    init(after floor: UInt64) { value = ReplayWindow(after: floor) }

    func spend(_ number: UInt64) -> Bool { value.spend(number) }
}

/// Numbers that are the same for the same seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
