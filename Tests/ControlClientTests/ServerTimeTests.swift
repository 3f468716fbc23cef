// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ControlClient

@Suite("A server's clock") struct ServerTimeTests {
    private static let here: Int64 = 1_795_237_200_000

    @Test func isFollowedToTheMillisecond() {
        #expect(ControlClient.offset(to: Self.here + 7, from: Self.here) == 7)
        #expect(ControlClient.offset(to: Self.here - 86_400_000, from: Self.here) == -86_400_000)
        #expect(ControlClient.offset(to: nil, from: Self.here) == 0)
    }

    @Test(arguments: [Int64.min, -1, 253_402_300_800_000, .max])
    func attack54_aTimeThatIsNoneIsNotFollowed(time: Int64) {
        #expect(ControlClient.offset(to: time, from: Self.here) == 0)
        #expect(ControlClient.offset(to: Self.here, from: time) == 0)
    }
}
