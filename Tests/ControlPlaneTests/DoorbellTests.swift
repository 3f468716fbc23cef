// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import ControlPlane

@Suite("Waiting for what somebody else changes") struct DoorbellTests {
    private let bell = Doorbell()

    @Test func whatIsSoAlreadyIsNotWaitedFor() async {
        await bell.wait(within: .seconds(600)) { true }
    }

    /// How often somebody looked.
    private final class Looks: Sendable {
        private let count = Mutex(0)

        var now: Int { count.withLock { $0 } }

        func look() -> Int {
            count.withLock { count in
                count += 1
                return count
            }
        }
    }

    @Test func aRingThatChangesNothingIsWaitedThroughAndTheNextEndsIt() async {
        let looks = Looks()
        let waiting = Task { await bell.wait(within: .seconds(600)) { looks.look() == 3 } }
        // Whoever does not wait yet hears nothing.
        while looks.now < 3 {
            bell.ring()
            await Task.yield()
        }
        await waiting.value
        #expect(looks.now == 3)
    }

    @Test func timeAndCancellationEndIt() async {
        await bell.wait(within: .milliseconds(20)) { false }
        let waiting = Task { await bell.wait(within: .seconds(600)) { false } }
        waiting.cancel()
        await waiting.value
    }
}
