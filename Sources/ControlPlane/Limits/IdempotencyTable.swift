// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Synchronization

/// What was answered to wishes that came with an `Idempotency-Key`, so that one that comes again gets the same answer
/// and makes nothing a second time.
///
/// In memory: a restart forgets it. That is harmless, because what is made a second time is recorded like the first:
/// another certificate on the same key that says the same, or a key that is enrolled already and refused as such.
final class IdempotencyTable: Sendable {
    /// How long an answer is kept, in seconds.
    static let lifetime: UInt64 = 600
    /// The most answers of one identity; its oldest go first.
    static let perIdentity = 512
    /// The most of all: what comes beyond is answered and not remembered.
    static let capacity = 16_384

    /// One wish of one session.
    struct Wish: Hashable {
        let session: String
        let key: String
    }

    fileprivate enum Entry {
        case underway([CheckedContinuation<Result<Answer, any Error>, Never>])
        case answered(Answer)
    }

    fileprivate struct Kept {
        /// Method, path and digest of the body.
        let request: String
        let seconds: UInt64
        var entry: Entry
    }

    fileprivate struct Owner {
        var wishes: [Wish: Kept] = [:]
        /// In the order in which they came.
        var order: [Wish] = []
    }

    fileprivate struct State {
        var owners: [Identity: Owner] = [:]
        var count = 0
    }

    private enum Next {
        case make(remember: Bool)
        case wait
        case answer(Answer)
        case conflict
    }

    private let state = Mutex(State())

    /// The answer to a wish, made by `make` unless the same one was answered before or is being answered now.
    ///
    /// - Throws: `.conflict` when the key came with another request, and what `make` throws: a failure is not
    ///   remembered, the next try is a new one.
    func answer(
        to wish: Wish, of identity: Identity, request: String, at now: UnixTime,
        make: () async throws -> Answer
    ) async throws -> Answer {
        switch begin(wish, identity, request, now.seconds) {
        case .answer(let answer): return answer
        case .conflict:
            throw Problem(
                .conflict, "Idempotency-Key: it came with another request before",
                hint: "take a new key for each new request")
        case .wait: return try await wait(wish, identity)
        case .make(false): return try await make()
        case .make(true):
            do {
                let answer = try await make()
                finish(wish, identity, .success(answer))
                return answer
            } catch {
                finish(wish, identity, .failure(error))
                throw error
            }
        }
    }

    /// How many are remembered.
    var count: Int { state.withLock { $0.count } }

    private func begin(
        _ wish: Wish, _ identity: Identity, _ request: String, _ now: UInt64
    ) -> Next {
        state.withLock { state in
            if let kept = state.owners[identity]?.wishes[wish], now < kept.seconds &+ Self.lifetime {
                guard kept.request.utf8.elementsEqual(request.utf8) else { return .conflict }
                switch kept.entry {
                case .answered(let answer): return .answer(answer)
                case .underway: return .wait
                }
            }
            state.makeRoom(for: identity, at: now)
            guard state.count < Self.capacity else { return .make(remember: false) }
            let kept = Kept(request: request, seconds: now, entry: .underway([]))
            if state.owners[identity, default: Owner()].wishes.updateValue(kept, forKey: wish) == nil {
                state.owners[identity]?.order.append(wish)
                state.count += 1
            }
            return .make(remember: true)
        }
    }

    private func wait(_ wish: Wish, _ identity: Identity) async throws -> Answer {
        let result: Result<Answer, any Error> = await withCheckedContinuation { continuation in
            let ready: Result<Answer, any Error>? = state.withLock { state in
                switch state.owners[identity]?.wishes[wish]?.entry {
                case .answered(let answer): return .success(answer)
                case .underway(let waiting):
                    state.owners[identity]?.wishes[wish]?.entry = .underway(waiting + [continuation])
                    return nil
                case nil:
                    // It failed a moment ago.
                    return .failure(
                        Problem(.conflict, "the same request failed meanwhile", hint: "make it again"))
                }
            }
            if let ready { continuation.resume(returning: ready) }
        }
        return try result.get()
    }

    private func finish(_ wish: Wish, _ identity: Identity, _ result: Result<Answer, any Error>) {
        let waiting: [CheckedContinuation<Result<Answer, any Error>, Never>] = state.withLock { state in
            guard case .underway(let waiting)? = state.owners[identity]?.wishes[wish]?.entry else {
                return []
            }
            if case .success(let answer) = result {
                state.owners[identity]?.wishes[wish]?.entry = .answered(answer)
            } else {
                state.remove(wish, of: identity)
            }
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: result) }
    }
}

extension IdempotencyTable.State {
    /// Forgets what is too old, of this identity, or of all when there is no room.
    fileprivate mutating func makeRoom(for identity: Identity, at now: UInt64) {
        let all = count >= IdempotencyTable.capacity ? Array(owners.keys) : [identity]
        for owner in all {
            while let oldest = owners[owner]?.order.first, let kept = owners[owner]?.wishes[oldest] {
                let isFull =
                    owner == identity
                    && (owners[owner]?.order.count ?? 0) >= IdempotencyTable.perIdentity
                guard isFull || now >= kept.seconds &+ IdempotencyTable.lifetime else { break }
                // What is being answered stays: somebody may be waiting for it.
                if case .underway = kept.entry { break }
                remove(oldest, of: owner)
            }
        }
    }

    fileprivate mutating func remove(_ wish: IdempotencyTable.Wish, of identity: Identity) {
        guard owners[identity]?.wishes.removeValue(forKey: wish) != nil else { return }
        if let place = owners[identity]?.order.firstIndex(of: wish) {
            owners[identity]?.order.remove(at: place)
        }
        if owners[identity]?.order.isEmpty == true { owners[identity] = nil }
        count -= 1
    }
}
