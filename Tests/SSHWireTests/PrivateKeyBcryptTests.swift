// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import SSHWire

@Suite struct PrivateKeyBcryptTests {
    /// pi = 16 arctan(1/5) - 4 arctan(1/239) (Machin), in fixed point.
    @Test func blowfishStartsFromPi() {
        let words = BlowfishTables.initial.count
        #expect(words == 18 + 4 * 256)
        // Two words more than are compared take up what the divisions round off.
        var pi = FixedPoint(0, words: words + 2)
        pi.addArctangent(ofOneOver: 5, times: 16)
        pi.addArctangent(ofOneOver: 239, times: 4, subtracting: true)
        #expect(pi.words[0] == 3)
        #expect(Array(pi.words[1...words]) == BlowfishTables.initial)
    }

    /// The output does not depend on how much of it is asked for by more than its interleaving.
    @Test func lengthsAreRefusedThatNoCipherHas() throws {
        let passphrase = try secret("x")
        for count in [0, -1, 1_025] {
            #expect(throws: SSHWireError(.invalidValue, "")) {
                try BcryptPBKDF.derive(passphrase, salt: [1], rounds: 1, count: count)
            }
        }
        #expect(try BcryptPBKDF.derive(passphrase, salt: [1], rounds: 1, count: 1).count == 1)
    }

    @Test func whatIsMissingForADerivationIsRefused() throws {
        let passphrase = try secret("x")
        let empty = try secret("")
        for (passphrase, salt, rounds) in [
            (empty, [1 as UInt8], 1 as UInt32), (passphrase, [], 1), (passphrase, [1], 0),
        ] {
            #expect(throws: SSHWireError(.invalidValue, "")) {
                try BcryptPBKDF.derive(passphrase, salt: salt, rounds: rounds, count: 32)
            }
        }
        #expect(throws: SSHWireError(.tooLong, "")) {
            try BcryptPBKDF.derive(passphrase, salt: [1], rounds: UInt32(Limits.bcryptRounds) + 1, count: 32)
        }
    }
}

/// A number of 32-bit words, the first before the point.
private struct FixedPoint {
    var words: [UInt32]

    init(_ whole: UInt32, words count: Int) { words = [whole] + [UInt32](repeating: 0, count: count) }

    var isZero: Bool { words.allSatisfy { $0 == 0 } }

    mutating func divide(by divisor: UInt64) {
        var remainder: UInt64 = 0
        for index in words.indices {
            let value = remainder << 32 | UInt64(words[index])
            words[index] = UInt32(value / divisor)
            remainder = value % divisor
        }
    }

    mutating func add(_ other: FixedPoint, subtracting: Bool) {
        var carry: Int64 = 0
        for index in words.indices.reversed() {
            let sum =
                Int64(words[index]) + (subtracting ? -Int64(other.words[index]) : Int64(other.words[index]))
                + carry
            words[index] = UInt32(truncatingIfNeeded: sum)
            carry = sum >> 32
        }
    }

    /// x - x^3/3 + x^5/5 and so on, for x = 1/n.
    mutating func addArctangent(ofOneOver n: UInt64, times factor: UInt32, subtracting: Bool = false) {
        var power = FixedPoint(factor, words: words.count - 1)
        power.divide(by: n)
        var odd: UInt64 = 1
        var isNegative = subtracting
        while !power.isZero {
            var term = power
            term.divide(by: odd)
            add(term, subtracting: isNegative)
            power.divide(by: n * n)
            odd += 2
            isNegative.toggle()
        }
    }
}
