// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// Who sees which requests, and which grants stand.
extension AccessAuthority {
    /// Whoever looks at requests, with what they may sign by.
    struct Viewer {
        let person: Person
        let keys: [PublicKey]
        let hasEnrolledKeys: Bool
        let address: IPAddress?
        let isAdministrator: Bool
        let now: UnixTime
    }

    func viewer(_ session: LoginSession, from address: IPAddress?) -> Viewer {
        let identity = session.person.identity
        let enrolled = state.withLock { state in
            state.keys.values.filter { $0.identity == identity }.map(\.key)
        }
        // Whoever has a key that an administrator enrolled signs with that: the session's lies in a file.
        return Viewer(
            person: session.person, keys: enrolled.isEmpty ? [session.key] : enrolled,
            hasEnrolledKeys: !enrolled.isEmpty, address: address,
            isAdministrator: isAdministrator(session.person, from: address), now: now)
    }

    /// A request that somebody may see: their own, one that they might approve or did, any as administrator.
    ///
    /// - Throws: `.notFound`, whether there is none or it is not theirs to see.
    func visible(_ id: String, to viewer: Viewer) throws(CertAuthorityError) -> GrantRequest {
        guard let request = book[id], isVisible(request, to: viewer, mayApprove: { mayApprove($0, viewer) })
        else {
            throw CertAuthorityError(.notFound, "there is no request \(id.escapedForTerminal)")
        }
        return request
    }

    private func isVisible(
        _ request: GrantRequest, to viewer: Viewer, mayApprove: (GrantRequest) -> Truth
    ) -> Bool {
        request.person == viewer.person.identity || viewer.isAdministrator
            || request.approvals.contains { $0.person.identity == viewer.person.identity }
            || mayApprove(request) != .no
    }

    /// The request of this id.
    ///
    /// - Throws: `.notFound`, as for those that may not know of it.
    public func request(
        _ id: String, for session: LoginSession, from address: IPAddress?
    ) throws(CertAuthorityError) -> GrantRequest {
        try visible(id, to: viewer(session, from: address))
    }

    /// Which requests are wanted.
    public enum RequestScope: Sendable {
        /// One's own.
        case mine
        /// Those that wait and that one might approve.
        case toApprove
        /// All that one may see.
        case all
    }

    /// The requests that somebody may see.
    public func requests(
        _ scope: RequestScope, for session: LoginSession, from address: IPAddress?
    ) -> [GrantRequest] {
        let viewer = viewer(session, from: address)
        // Thousands of requests are about a few rules, hosts and accounts, which are all that is judged.
        var judged: [JudgedKind: Truth] = [:]
        func mayApproveOnce(_ request: GrantRequest) -> Truth {
            guard request.person != viewer.person.identity else { return .no }
            let kind = JudgedKind(
                rule: ExactText(request.rule), login: ExactText(request.login),
                hosts: request.hosts.map { ExactText($0) })
            if let known = judged[kind] { return known }
            let answer = mayApprove(request, viewer)
            judged[kind] = answer
            return answer
        }
        switch scope {
        case .mine: return book.requests(of: viewer.person.identity)
        case .toApprove:
            return book.all.filter { request in
                request.status(at: viewer.now) == .pending && request.person != viewer.person.identity
                    && !request.approvals.contains { $0.person.identity == viewer.person.identity }
                    && mayApproveOnce(request) != .no
            }
        case .all: return book.all.filter { isVisible($0, to: viewer, mayApprove: mayApproveOnce) }
        }
    }

    /// What an approver is judged by: who may approve one request of a kind may approve all others' of it.
    private struct JudgedKind: Hashable {
        let rule: ExactText
        let login: ExactText
        let hosts: [ExactText]
    }

    /// Access without approval that nobody has looked at yet, as far as somebody may see it.
    public func openReviews(for session: LoginSession, from address: IPAddress?) -> [GrantRequest] {
        requests(.all, for: session, from: address).filter { $0.review?.isOpen == true }
    }

    /// How many requests wait, are granted, and are to be reviewed.
    public var requestCounts: (pending: Int, granted: Int, reviews: Int) {
        let (all, now) = (book.all, now)
        return (
            all.count { $0.status(at: now) == .pending }, all.count { $0.status(at: now) == .approved },
            all.count { $0.review?.isOpen == true }
        )
    }

    // MARK: For whoever acts on grants

    /// What becomes of requests from now on. Whoever is 1,024 changes behind loses the oldest: ``liveGrants`` is the
    /// whole truth at any time.
    public func grantChanges() -> AsyncStream<GrantChange> { book.changes() }

    /// The grants that open something now: approved, in their time, and by approvals that still stand.
    public var liveGrants: [GrantRequest] {
        let (policy, now) = (policy, now)
        return book.all.filter { $0.status(at: now) == .approved && fault(of: $0, policy) == nil }
    }

    /// Tells those who watch ``grantChanges()`` which requests and grants have run out of time: to be called now and
    /// then. Nothing opens for longer without it.
    public func sweepGrants() { book.sweep(at: now) }

    // MARK: Standing

    /// Whether somebody may approve a request, on every host of it that is still there.
    func mayApprove(_ request: GrantRequest, _ viewer: Viewer, signingWith key: PublicKey? = nil) -> Truth {
        guard request.person != viewer.person.identity else { return .no }
        let policy = policy
        return (key.map { [$0] } ?? viewer.keys).map { key in
            mayApprove(request, viewer.person, key, at: viewer.now, from: viewer.address, policy)
        }.max() ?? .no
    }

    private func mayApprove(
        _ request: GrantRequest, _ person: Person, _ key: PublicKey, at now: UnixTime,
        from address: IPAddress?, _ policy: AccessPolicy
    ) -> Truth {
        let hosts = state.withLock { state in request.hosts.compactMap { state.hosts[$0] } }
        return hosts.map { host in
            policy.mayApprove(
                rule: request.rule,
                AccessRequest(
                    person: person, key: key, login: request.login, host: host, sourceAddress: address,
                    now: now, reason: request.reason))
        }.min() ?? .no
    }

    /// How many people's approvals count under the policy, each once.
    func standingApprovals(of request: GrantRequest, _ policy: AccessPolicy) -> Int {
        Set(request.approvals.filter { stands($0, of: request, policy) }.map(\.person.identity)).count
    }

    /// Whether an approval still counts: its signature is over the request as it is kept, its key is still the
    /// approver's, and they might approve it with what is known of them now, at the time when they did.
    private func stands(_ approval: Approval, of request: GrantRequest, _ policy: AccessPolicy) -> Bool {
        guard case .key(let key) = approval.signature.signer, let person = currentPerson(of: approval),
            person.identity != request.person
        else { return false }
        // An enrolled key must still be theirs. A session's is nobody's, unless it was enrolled for somebody later.
        let owner = state.withLock { $0.keys[key]?.identity }
        guard owner == person.identity || owner == nil && approval.isBySessionKey else { return false }
        do {
            try approval.signature.verify(
                Array(request.text(origin: origin).utf8), namespace: Approval.namespace)
        } catch {
            return false
        }
        return mayApprove(request, person, key, at: approval.at, from: approval.sourceAddress, policy) == .yes
    }

    /// An approver with the groups that they have now, as far as they are known here: by the key that they had logged
    /// in by, or by their newest session from the same provider. Nil when that key is gone.
    private func currentPerson(of approval: Approval) -> Person? {
        let known = approval.person
        if let credential = approval.credential {
            let found = state.withLock { $0.keys.values.first { $0.key.fingerprint == credential } }
            guard let enrolled = found, enrolled.identity == known.identity else { return nil }
            return Person(
                identity: known.identity, provider: known.provider, subject: known.subject,
                email: enrolled.email, groups: enrolled.groups, claims: known.claims,
                authenticatedAt: known.authenticatedAt)
        }
        let newest = sessions.open(at: now).last {
            $0.person.identity == known.identity && $0.person.provider == known.provider
        }
        guard let newest else { return known }
        return Person(
            identity: known.identity, provider: known.provider, subject: newest.person.subject,
            email: newest.person.email, groups: newest.person.groups, claims: newest.person.claims,
            authenticatedAt: known.authenticatedAt)
    }

    /// When a grant ends: as it was granted, or earlier where the policy grants less by now. Nil where it is no grant,
    /// or the policy gives none any more.
    func grantEnd(of request: GrantRequest, _ policy: AccessPolicy) -> UnixTime? {
        guard let window = request.window,
            let longest = policy.longestGrant(rule: request.rule, isBreakGlass: request.isBreakGlass)
        else { return nil }
        return min(window.until, window.from.adding(longest) ?? .forever)
    }

    /// Why a grant opens nothing although its time is not up; nil where it does. Whether the person may still pass an
    /// approval by is judged when they do.
    func fault(of request: GrantRequest, _ policy: AccessPolicy) -> String? {
        guard let end = grantEnd(of: request, policy), let demand = policy.approvalDemand(rule: request.rule)
        else { return "the policy has nothing any more that rule \(request.rule) could grant like this" }
        guard now < end else { return "rule \(request.rule) does not grant it for so long any more" }
        guard !request.wantsSudo || policy.givesSudo(rule: request.rule) else {
            return "rule \(request.rule) gives no sudo any more"
        }
        guard !request.isBreakGlass else { return nil }
        let standing = standingApprovals(of: request, policy)
        guard standing < demand.count else { return nil }
        return "of its approvals \(standing) still count, rule \(request.rule) asks for \(demand.count)"
    }

    /// Tells whoever acts on grants that those which are open have to be looked at again: the policy, or a key of
    /// somebody who approved, is another.
    func reconsiderGrants() {
        for request in book.all where request.status(at: now) == .approved {
            book.put(request, .reconsidered)
        }
    }
}
