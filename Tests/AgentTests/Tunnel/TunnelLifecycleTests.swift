// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Agent

@Suite struct TunnelLifecycleTests {
    static let second: UInt64 = 1_000_000_000

    /// Dice that always show one side: `.max` the highest, 256 the lowest. (Swift draws again for ever where it gets 0.)
    private struct Loaded: RandomNumberGenerator {
        let value: UInt64
        mutating func next() -> UInt64 { value }
    }

    /// Everything that is due at a time.
    private func due(_ lifecycle: inout TunnelLifecycle, at now: UInt64) -> [TunnelLifecycle.Action] {
        var actions: [TunnelLifecycle.Action] = []
        while let action = lifecycle.next(at: now) {
            actions.append(action)
            if case .giveUp = action { break }
        }
        return actions
    }

    @Test func itConnectsAtOncePingsEveryFiveSecondsAndGivesUpASilentPeerAfterFifteen() {
        var lifecycle = TunnelLifecycle()
        #expect(due(&lifecycle, at: 0) == [.connect])
        lifecycle.opened(at: 1 * Self.second)
        #expect(due(&lifecycle, at: 5 * Self.second) == [])
        #expect(lifecycle.dueAt == 6 * Self.second)
        #expect(due(&lifecycle, at: 6 * Self.second) == [.ping])
        #expect(due(&lifecycle, at: 11 * Self.second) == [.ping])
        #expect(due(&lifecycle, at: 16 * Self.second) == [.giveUp("silent for 15 s")])
    }

    @Test func aPeerThatSaysAnythingIsNotSilent() {
        var lifecycle = TunnelLifecycle()
        _ = due(&lifecycle, at: 0)
        lifecycle.opened(at: 0)
        for time in 1...100 {
            lifecycle.heard(at: UInt64(time) * Self.second)
            #expect(
                !due(&lifecycle, at: UInt64(time) * Self.second).contains {
                    if case .giveUp = $0 { true } else { false }
                })
        }
    }

    @Test func anAttemptThatTakesTooLongIsGivenUp() {
        var lifecycle = TunnelLifecycle()
        _ = due(&lifecycle, at: 0)
        #expect(due(&lifecycle, at: 20 * Self.second - 1) == [])
        #expect(due(&lifecycle, at: 20 * Self.second) == [.giveUp("no tunnel within 20 s")])
    }

    // P0's agent adds its jitter after the cap, so that half of all delays are exactly 30 s; and it stops for good after a
    // dropped connection or a 401.
    @Test func p0Defect26_delaysDoubleToThirtySecondsWithFullJitterForEver() {
        var lifecycle = TunnelLifecycle()
        var now: UInt64 = 0
        var longest: [UInt64] = []
        for _ in 0..<100 {
            #expect(due(&lifecycle, at: now) == [.connect])
            var highest = Loaded(value: .max)
            longest.append(lifecycle.lost(at: now, random: &highest))
            now += longest.last ?? 0
        }
        #expect(longest.prefix(6) == [1, 2, 4, 8, 16, 30].map { $0 * Self.second }[...])
        #expect(longest.dropFirst(6).allSatisfy { $0 == 30 * Self.second })
        var lowest = Loaded(value: 256)
        _ = due(&lifecycle, at: now)
        #expect(lifecycle.lost(at: now, random: &lowest) == Self.second / 10)
    }

    @Test func delaysAreSpreadOverTheirWholeRange() {
        var lifecycle = TunnelLifecycle()
        var random = SystemRandomNumberGenerator()
        for _ in 0..<10 { lifecycle.lost(at: 0, random: &random) }
        let delays = (0..<2_000).map { _ in lifecycle.lost(at: 0, random: &random) }
        #expect(delays.allSatisfy { $0 <= 30 * Self.second })
        // Ten equal parts: each gets its share, give or take.
        for part in 0..<10 {
            let count = delays.filter { Int($0 * 10 / (30 * Self.second + 1)) == part }.count
            #expect((100...320).contains(count))
        }
    }

    @Test func aServerThatTakesAndDropsAtOnceIsNoStableOne() {
        var lifecycle = TunnelLifecycle()
        var highest = Loaded(value: .max)
        var now: UInt64 = 0
        for expected in [1, 2, 4] as [UInt64] {
            _ = due(&lifecycle, at: now)
            lifecycle.opened(at: now)
            #expect(lifecycle.lost(at: now + Self.second, random: &highest) == expected * Self.second)
            now += 40 * Self.second
        }
        _ = due(&lifecycle, at: now)
        lifecycle.opened(at: now)
        #expect(lifecycle.lost(at: now + 10 * Self.second, random: &highest) == 1 * Self.second)
    }

    @Test func otherSettingsAreTriedAtOnceAndAStoppedOneStays() {
        var lifecycle = TunnelLifecycle()
        var highest = Loaded(value: .max)
        _ = due(&lifecycle, at: 0)
        lifecycle.lost(at: 0, random: &highest)
        lifecycle.beginAnew(at: 5)
        #expect(due(&lifecycle, at: 5) == [.connect])
        lifecycle.stop()
        #expect(lifecycle.dueAt == nil)
        lifecycle.lost(at: 6, random: &highest)
        lifecycle.beginAnew(at: 7)
        #expect(lifecycle.phase == .stopped)
        #expect(due(&lifecycle, at: .max) == [])
    }
}
