// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol

/// What hosts have of what they are to have, grants and principals, and what is to be asked of each next. Nothing is sent in
/// here, and nothing waits.
///
/// It begins empty at each start: what the authority says is the truth. Each host says which grants it has when it connects,
/// and is told its principals anew, which changes nothing where they are in place.
struct DeliveryBook {
    /// What is asked of a host.
    enum Action: Sendable {
        /// Which grants it has.
        case compare
        case takeBack(String)
        case set(HostPrincipals)
        case give(GrantRequest)
    }

    /// What a host is asked about, one thing after the other.
    enum Subject: Sendable, Hashable {
        /// By its id.
        case grant(String)
        /// Those of an account.
        case principals(login: String)
    }

    /// What came of it.
    enum Outcome: Sendable {
        /// - Parameter held: the grants that it has, by their ids, where that was asked.
        case done(held: Set<String> = [])
        /// The host said no, and why.
        case refused(String)
        /// It didn't answer, and why.
        case unanswered(String)
    }

    /// What a host is to have, as the authority says.
    struct Wanted: Sendable {
        var live: [GrantRequest] = []
        /// Grants of the host that were taken back before their time was up.
        var void: Set<String> = []
        /// Grants whose time has just run out: the host's own clock ends them.
        var ending: Set<String> = []
        var principals: [HostPrincipals] = []
    }

    /// When something that failed is tried again: after 2 seconds, then twice as long each time, 5 minutes at most.
    struct Retry: Sendable {
        private(set) var failures = 0
        private(set) var due: ContinuousClock.Instant?

        private static let longest: Duration = .seconds(300)

        func isDue(at now: ContinuousClock.Instant) -> Bool { due.map { $0 <= now } ?? true }

        mutating func fail(at now: ContinuousClock.Instant) {
            failures += 1
            due = now + min(.seconds(1 << min(failures, 10)), Self.longest)
        }
    }

    /// One subject on one host.
    struct Item: Sendable {
        var state = HostDelivery.State.pending
        /// What it was asked to have, where that can become another.
        var principals: HostPrincipals?
        var reason: String?
        /// Whether the host has said so in this connection.
        var isConfirmed = false
        var retry = Retry()
    }

    struct Host: Sendable {
        /// The tunnel that is open, after its revocation list was answered.
        var link: TunnelLink?
        /// One thing is asked at a time.
        var isBusy = false
        /// Whether what is wanted may have changed since the last look.
        var isStale = true
        var isCompared = false
        var comparison = Retry()
        /// What the host has, or may have got by a call that was not answered.
        var mayHave: Set<String> = []
        var items: [Subject: Item] = [:]
        /// When something is to be tried again.
        var due: ContinuousClock.Instant?
    }

    private(set) var hosts: [String: Host] = [:]

    // MARK: What is next

    /// A host's tunnel is open: everything about it is asked anew.
    mutating func opened(_ link: TunnelLink) {
        var host = hosts[link.host.id] ?? Host()
        host.link = link
        host.isStale = true
        host.isCompared = false
        host.comparison = Retry()
        for subject in host.items.keys {
            host.items[subject]?.isConfirmed = false
            host.items[subject]?.retry = Retry()
        }
        hosts[link.host.id] = host
    }

    /// Says that what a host is to have may be another by now.
    ///
    /// - Returns: true when somebody should look; false where it isn't there, or that is being done.
    mutating func touch(_ id: String) -> Bool {
        guard let host = hosts[id], host.link?.isOpen == true else { return false }
        hosts[id]?.isStale = true
        return !host.isBusy
    }

    /// The hosts for which something is to be tried again.
    func due(at now: ContinuousClock.Instant) -> [String] {
        hosts.filter { $0.value.due.map { $0 <= now } ?? false }.map(\.key)
    }

    /// The hosts that have something which could be over.
    var holders: [String] { hosts.filter { !$0.value.mayHave.isEmpty }.map(\.key) }

    /// Begins to settle what a host is to have; nil where somebody does already, or it isn't connected.
    mutating func begin(_ id: String) -> TunnelLink? {
        guard let host = hosts[id], !host.isBusy, let link = host.link, link.isOpen else { return nil }
        hosts[id]?.isBusy = true
        hosts[id]?.isStale = true
        hosts[id]?.due = nil
        return link
    }

    /// Whether what is wanted has to be looked up again; asked once, it doesn't any more.
    mutating func takeStaleness(_ id: String) -> Bool {
        let isStale = hosts[id]?.isStale ?? false
        hosts[id]?.isStale = false
        return isStale
    }

    /// What to ask of a host now; nil when there is nothing, or another tunnel has taken this one's place.
    ///
    /// What is over goes before anything comes.
    mutating func next(
        _ id: String, _ wanted: Wanted, through link: TunnelLink, at now: ContinuousClock.Instant
    ) -> Action? {
        guard let host = hosts[id], host.link === link, link.isOpen else { return nil }
        if !host.isCompared, host.comparison.isDue(at: now) { return .compare }
        let live = Set(wanted.live.map(\.id))
        // A host that doesn't say what it has may have these.
        let candidates = host.isCompared ? host.mayHave : host.mayHave.union(wanted.void)
        func isDue(_ grant: String) -> Bool { host.items[.grant(grant)]?.retry.isDue(at: now) ?? true }
        let over = candidates.sorted().first { grant in
            let isGone = host.items[.grant(grant)].map { $0.state == .removed && $0.isConfirmed } ?? false
            return !live.contains(grant) && !wanted.ending.contains(grant) && !isGone && isDue(grant)
        }
        if let over { return .takeBack(over) }
        let unset = wanted.principals.first { said in
            guard let item = host.items[.principals(login: said.login)], item.principals == said else {
                return true
            }
            return !(item.state == .delivered && item.isConfirmed) && item.retry.isDue(at: now)
        }
        if let unset { return .set(unset) }
        let missing = wanted.live.first { grant in
            let isThere =
                host.items[.grant(grant.id)].map { $0.state == .delivered && $0.isConfirmed } ?? false
            return !isThere && isDue(grant.id)
        }
        guard let missing else { return nil }
        hosts[id]?.mayHave.insert(missing.id)
        return .give(missing)
    }

    /// Keeps what came of an action.
    mutating func note(
        _ action: Action, _ outcome: Outcome, of id: String, at now: ContinuousClock.Instant
    ) {
        guard var host = hosts[id] else { return }
        defer { hosts[id] = host }
        let subject: Subject
        switch action {
        case .compare:
            guard case .done(let held) = outcome else { return host.comparison.fail(at: now) }
            host.isCompared = true
            host.comparison = Retry()
            host.mayHave.formUnion(held)
            return
        case .takeBack(let id): subject = .grant(id)
        case .set(let said): subject = .principals(login: said.login)
        case .give(let request): subject = .grant(request.id)
        }
        var item = host.items[subject] ?? Item()
        if case .set(let said) = action, item.principals != said { item = Item(principals: said) }
        let isGiving = if case .takeBack = action { false } else { true }
        switch outcome {
        case .done:
            item = Item(
                state: isGiving ? .delivered : .removed, principals: item.principals, isConfirmed: true)
            if case .takeBack(let id) = action { host.mayHave.remove(id) }
        case .refused(let reason):
            item.state = isGiving ? .refused : .removing
            item.reason = reason
            item.retry.fail(at: now)
        case .unanswered(let reason):
            if item.state != .refused { item.state = isGiving ? .pending : .removing }
            item.reason = reason
            item.retry.fail(at: now)
        }
        host.items[subject] = item
    }

    /// Ends what ``begin(_:)`` began.
    ///
    /// - Parameters:
    ///   - isKept: whether a subject's state is still of interest.
    ///   - due: when to look again, beside what failed.
    ///   - now: what was due before has been done, or is of no interest any more.
    /// - Returns: true when it has to begin anew at once.
    mutating func finish(
        _ id: String, through link: TunnelLink, due: ContinuousClock.Instant?,
        at now: ContinuousClock.Instant, isKept: (Subject, Item) -> Bool
    ) -> Bool {
        guard var host = hosts[id] else { return false }
        host.isBusy = false
        host.items = host.items.filter { isKept($0.key, $0.value) }
        let retries = host.items.values.compactMap(\.retry.due) + [host.comparison.due].compactMap { $0 }
        host.due = (retries + [due].compactMap { $0 }).filter { $0 > now }.min()
        hosts[id] = host
        return host.link?.isOpen == true && (host.isStale || host.link !== link)
    }
}
