// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@Suite("Login challenges") struct ChallengeTableTests {
    private let table = ChallengeTable(randomBytes: SystemRandom.bytes)
    private let now = UnixTime(seconds: 1_000_000)

    @Test func aChallengeIsGoodOnceAndForAWhile() {
        let (challenge, expires) = table.issue(at: now)
        #expect(challenge.utf8.count == 43)
        #expect(expires.seconds == now.seconds + ChallengeTable.lifetime)
        #expect(table.redeem(challenge, at: now))
        #expect(!table.redeem(challenge, at: now))
    }

    @Test func oneThatIsTooOldIsGone() {
        let (first, expires) = table.issue(at: now)
        let (second, _) = table.issue(at: now)
        #expect(table.redeem(first, at: UnixTime(seconds: expires.seconds - 1)))
        #expect(!table.redeem(second, at: expires))
        #expect(!table.redeem(second, at: now), "an attempt takes it out of use")
    }

    @Test func whatWasNeverGivenOutIsNone() {
        #expect(!table.redeem("", at: now))
        #expect(!table.redeem(String(repeating: "A", count: 43), at: now))
    }

    @Test func attack55_anyNumberOfRequestsForChallengesTakesBoundedMemory() {
        let first = table.issue(at: now).challenge
        var last = ""
        for _ in 0..<ChallengeTable.capacity { last = table.issue(at: now).challenge }
        #expect(!table.redeem(first, at: now), "the oldest go")
        #expect(table.redeem(last, at: now))
    }

    @Test func attack54_atTheEndOfTimeAChallengeHasAnEnd() {
        let end = UnixTime(seconds: .max - 10)
        let (challenge, expires) = table.issue(at: end)
        #expect(expires >= end)
        #expect(!table.redeem(challenge, at: UnixTime(seconds: .max)))
    }
}
