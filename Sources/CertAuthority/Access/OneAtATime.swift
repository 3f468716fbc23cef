// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Lets one change through at a time, in the order in which they came.
///
/// A change is checked, recorded, stored and then used, with waits in between: two at a time could both pass the check
/// for what only one of them may have. An actor does not do, it lets another call in at each wait.
final class OneAtATime: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func run<Value>(
        _ body: () async throws(CertAuthorityError) -> Value
    ) async throws(CertAuthorityError) -> Value {
        await enter()
        defer { leave() }
        return try await body()
    }

    private func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.isTaken else {
                    state.isTaken = true
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            if state.waiting.isEmpty {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
