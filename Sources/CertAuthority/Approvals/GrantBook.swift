// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Synchronization

/// Something that became of a request, for whoever acts on grants or waits for one.
public struct GrantChange: Sendable {
    /// What happened.
    public enum Kind: String, Sendable {
        /// Somebody asks.
        case asked
        /// One approval of several, or a review that was acknowledged.
        case noted
        /// It is granted from now on.
        case granted
        /// It is granted, and something by which it stands changed: it may be void, which ``AccessAuthority/liveGrants``
        /// says.
        case reconsidered
        /// It is over: denied, withdrawn, revoked, expired, or its time is up.
        case over
    }

    public let kind: Kind
    /// As it is from now on.
    public let request: GrantRequest
}

/// The requests that are kept, in memory: a copy of the store's.
final class GrantBook: Sendable {
    fileprivate struct State {
        var requests: [String: GrantRequest] = [:]
        /// Ids by whom they are for.
        var byPerson: [Identity: Set<String>] = [:]
        var watchers: [Int: AsyncStream<GrantChange>.Continuation] = [:]
        var nextWatcher = 0
        /// Until when it was last looked for what is over.
        var swept = UnixTime(seconds: 0)
    }

    private let state: Mutex<State>

    /// How many changes wait for a watcher that is busy; older ones are dropped, and it has to look at all again.
    private static let bufferedChanges = 1_024

    init(_ requests: [GrantRequest], sweptAt now: UnixTime) {
        var state = State(swept: now)
        for request in requests { state.put(request) }
        self.state = Mutex(state)
    }

    var all: [GrantRequest] { state.withLock { Array($0.requests.values) } }

    subscript(_ id: String) -> GrantRequest? { state.withLock { $0.requests[id] } }

    func requests(of person: Identity) -> [GrantRequest] {
        state.withLock { state in
            // Most people have none, and this is asked for every certificate.
            guard let ids = state.byPerson[person] else { return [] }
            return ids.compactMap { state.requests[$0] }
        }
    }

    func requests(on host: String) -> [GrantRequest] {
        state.withLock { $0.requests.values.filter { $0.hosts.contains(host) } }
    }

    /// Puts a request in the place of the one with its id, and tells watchers.
    func put(_ request: GrantRequest, _ kind: GrantChange.Kind?) {
        let watchers = state.withLock { state in
            state.put(request)
            return Array(state.watchers.values)
        }
        guard let kind else { return }
        for watcher in watchers { watcher.yield(GrantChange(kind: kind, request: request)) }
    }

    func remove(_ ids: [String]) {
        state.withLock { state in
            for id in ids {
                guard let request = state.requests.removeValue(forKey: id) else { continue }
                state.byPerson[request.person]?.remove(id)
                if state.byPerson[request.person]?.isEmpty == true { state.byPerson[request.person] = nil }
            }
        }
    }

    /// Every change from now on.
    func changes() -> AsyncStream<GrantChange> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: GrantChange.self, bufferingPolicy: .bufferingNewest(Self.bufferedChanges))
        let number = state.withLock { state in
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = continuation
            return state.nextWatcher
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.watchers[number] = nil }
        }
        return stream
    }

    /// Tells watchers of requests whose time has run out since the last look.
    func sweep(at now: UnixTime) {
        let (over, watchers) = state.withLock { state in
            let since = state.swept
            state.swept = max(now, since)
            let over = state.requests.values.filter { request in
                guard request.end == nil, let end = request.over(at: now) else { return false }
                return since < end
            }
            return (over, Array(state.watchers.values))
        }
        for request in over {
            for watcher in watchers { watcher.yield(GrantChange(kind: .over, request: request)) }
        }
    }
}

extension GrantBook.State {
    fileprivate mutating func put(_ request: GrantRequest) {
        requests[request.id] = request
        byPerson[request.person, default: []].insert(request.id)
    }
}
