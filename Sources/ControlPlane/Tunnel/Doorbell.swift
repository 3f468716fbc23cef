// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Rung by whoever changes something, for those who wait for it to be as they need it.
final class Doorbell: Sendable {
    private struct State {
        var number = 0
        var waiting: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    private let state = Mutex(State())

    func ring() {
        for waiting in state.withLock({ Array($0.waiting.values) }) { waiting.yield() }
    }

    /// Waits until `isDone`, which is asked now and after each ring; at most for `limit`, or until the task is cancelled.
    func wait(within limit: Duration, until isDone: () -> Bool) async {
        let (rings, continuation) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.number += 1
            state.waiting[state.number] = continuation
            return state.number
        }
        defer { state.withLock { $0.waiting[number] = nil } }
        let end = Task {
            try? await Task.sleep(for: limit)
            continuation.finish()
        }
        defer { end.cancel() }
        // Only now: what is rung from here on is heard.
        guard !isDone() else { return }
        for await _ in rings where isDone() { return }
    }
}
