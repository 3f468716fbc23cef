// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium
import SSHWire
import Testing

@testable import CertAuthority

@Suite("Serials")
struct SerialSequenceTests {
    static let key = [UInt8](0..<16)
    /// The last position that fits a database's signed number.
    static let last = UInt64(Int64.max)
    /// Where a clock at the end of time leads.
    static let beyond: UInt64 = 0x4000_0000_0000_0000
    static let orders: [SerialSequence.Order] = [.sequential, .random(key: key)]

    /// The position whose serial is `serial`: the network's rounds backwards, written a second time.
    static func position(of serial: UInt64, key: [UInt8] = key) -> UInt64 {
        var left = UInt32(serial >> 32)
        var right = UInt32(truncatingIfNeeded: serial)
        for round in (UInt8(0)..<8).reversed() {
            var input: [UInt8] = [round]
            for shift: UInt32 in [0, 8, 16, 24] { input.append(UInt8(truncatingIfNeeded: left >> shift)) }
            var hash = [UInt8](repeating: 0, count: 8)
            _ = unsafe crypto_shorthash(&hash, input, 5, key)
            let mixed =
                UInt32(hash[0]) << 24 | UInt32(hash[1]) << 16 | UInt32(hash[2]) << 8 | UInt32(hash[3])
            (left, right) = (right ^ mixed, left)
        }
        return UInt64(left) << 32 | UInt64(right)
    }

    @Test func aSequenceStartsAtItsSecondAndCountsUp() throws {
        var serials = SerialSequence(.sequential, position: 0)
        let first = (sampleNow.seconds - SerialSequence.epoch) << 20
        #expect(try serials.next(at: sampleNow) == first)
        #expect(try serials.next(at: sampleNow) == first + 1)
        let second = UnixTime(seconds: sampleNow.seconds + 1)
        #expect(try serials.next(at: second) == first + (1 << 20))
    }

    @Test(arguments: orders)
    func serialsOfOneSecondAreUniqueAlsoBeyondItsShare(order: SerialSequence.Order) throws {
        // The second's share of positions ends after 1,000 of these, and the next second's are used.
        let share = (sampleNow.seconds - SerialSequence.epoch + 1) << 20
        var serials = SerialSequence(order, position: share - 1_000)
        var seen: Set<UInt64> = []
        for _ in 0..<2_000 { seen.insert(try serials.next(at: sampleNow)) }
        for _ in 0..<2_000 {
            seen.insert(try serials.next(at: UnixTime(seconds: sampleNow.seconds + 1)))
        }
        #expect(seen.count == 4_000)
    }

    @Test(arguments: orders)
    func aClockThatIsSetBackRepeatsNoSerial(order: SerialSequence.Order) throws {
        var serials = SerialSequence(order, position: 0)
        var seen: Set<UInt64> = []
        for seconds in [sampleNow.seconds, sampleNow.seconds - 3_600, 0, sampleNow.seconds, .max, 0] {
            for _ in 0..<100 { seen.insert(try serials.next(at: UnixTime(seconds: seconds))) }
        }
        #expect(seen.count == 600)
    }

    @Test func attack61_noSerialIsZero() throws {
        for order in Self.orders {
            var serials = SerialSequence(order, position: 0)
            // Before the epoch the floor is 0, and so would be the first position.
            for _ in 0..<1_000 { #expect(try serials.next(at: UnixTime(seconds: 0)) != 0) }
        }
    }

    @Test func attack61_thePositionThatWouldGiveSerialZeroIsSkipped() throws {
        // Half of all keys have it among the positions that a sequence comes to, those under 2^63.
        let keys = (UInt8(0)..<64).map { [UInt8](repeating: $0, count: 16) }
        let reachable = keys.filter { (2..<Self.last).contains(Self.position(of: 0, key: $0)) }
        try #require(reachable.count > 10)
        let now = UnixTime(seconds: 0)
        for key in reachable {
            let zero = Self.position(of: 0, key: key)
            #expect(SerialSequence.permute(zero, key) == 0)
            var serials = SerialSequence(.random(key: key), position: zero - 1)
            #expect(try serials.next(at: now) == SerialSequence.permute(zero + 1, key))
            #expect(serials.position == zero + 1)
            // Its neighbour is not skipped.
            var neighbour = SerialSequence(.random(key: key), position: zero - 2)
            #expect(try neighbour.next(at: now) == SerialSequence.permute(zero - 1, key))
        }
    }

    @Test func randomSerialsAreAPermutationOfPositions() {
        let start = (sampleNow.seconds - SerialSequence.epoch) << 20
        var seen: Set<UInt64> = []
        for position in start..<(start + 200_000) {
            let serial = SerialSequence.permute(position, Self.key)
            seen.insert(serial)
            if position % 1_000 == 0 { #expect(Self.position(of: serial) == position) }
        }
        #expect(seen.count == 200_000)
    }

    @Test func randomSerialsDependOnTheKeyAndDoNotCountUp() throws {
        var one = SerialSequence(.random(key: Self.key), position: 0)
        var other = SerialSequence(.random(key: [UInt8](repeating: 9, count: 16)), position: 0)
        let ones = try (0..<100).map { _ in try one.next(at: sampleNow) }
        let others = try (0..<100).map { _ in try other.next(at: sampleNow) }
        #expect(Set(ones).isDisjoint(with: others))
        #expect(ones != ones.sorted())
    }

    @Test(arguments: orders)
    func theLastPositionIsFollowedByAnError(order: SerialSequence.Order) throws {
        var nearest = SerialSequence(order, position: Self.last - 1)
        _ = try nearest.next(at: sampleNow)
        #expect(nearest.position == Self.last)
        #expect(try refusalCode { _ = try nearest.next(at: sampleNow) } == .logInconsistent)
        var beyond = SerialSequence(order, position: .max)
        #expect(try refusalCode { _ = try beyond.next(at: sampleNow) } == .logInconsistent)
    }

    @Test(arguments: [0, 1, 15, 17])
    func aKeyOfAnotherLengthGivesNoSerials(count: Int) throws {
        var serials = SerialSequence(.random(key: [UInt8](repeating: 1, count: count)), position: 0)
        #expect(try refusalCode { _ = try serials.next(at: sampleNow) } == .storeDamaged)
        #expect(serials.position == 0)
    }

    @Test func aClockAtTheEndOfTimeDoesNotTrap() throws {
        var serials = SerialSequence(.sequential, position: 0)
        #expect(try serials.next(at: .forever) == SerialSequenceTests.beyond)
        #expect(try serials.next(at: .forever) == SerialSequenceTests.beyond + 1)
    }
}
