// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// What came of something that somebody did to a request.
public enum GrantOutcome: Sendable {
    /// The request as it is now.
    case done(GrantRequest)
    /// Why not, and what would help.
    case refused(AccessDecision)
}

/// Asking for what others have to approve.
extension AccessAuthority {
    /// Takes a request, records it, and lets it wait for approval; or grants it at once where the policy lets somebody
    /// pass in an emergency.
    ///
    /// - Throws: `.notFound` for a host that is not known, `.conflict` where no approval is needed, `.invalidRequest`
    ///   where hosts fall under several rules, `.full` when too many are open.
    public func ask(
        _ wish: GrantWish, for session: LoginSession, from address: IPAddress?
    ) async throws(CertAuthorityError) -> GrantOutcome {
        try await changes.run { () async throws(CertAuthorityError) in
            let now = now
            let policy = policy
            let meant: Meant
            switch try meantHosts(wish, policy, session, address, now) {
            case .refused(let decision, let host):
                try await record(
                    draft(
                        decision, try plainWish(wish, host, session), hostID: host, session, address,
                        policy.digest))
                return .refused(decision)
            case .meant(let found): meant = found
            }
            func refuse(_ reason: String) async throws(CertAuthorityError) -> GrantOutcome {
                let decision = AccessDecision(verdict: .denied, rule: meant.rule, reasons: [reason])
                let host = meant.hosts.first ?? ""
                try await record(
                    draft(
                        decision, try plainWish(wish, host, session), hostID: host, session, address,
                        policy.digest))
                return .refused(decision)
            }
            if wish.wantsSudo, !policy.givesSudo(rule: meant.rule) {
                return try await refuse("rule \(meant.rule) gives no sudo: ask without --sudo")
            }
            guard let demand = policy.approvalDemand(rule: meant.rule) else {
                return try await refuse("rule \(meant.rule) asks for no approval")
            }
            var longest = demand.longestGrant
            if wish.isBreakGlass {
                guard let allowed = meant.breakGlass else {
                    return try await refuse(
                        "the policy lets you pass rule \(meant.rule) only with approval: ask without --break-glass"
                    )
                }
                longest = allowed
            }
            let duration = wish.duration ?? longest
            guard duration <= longest else {
                return try await refuse(
                    "for \(spell(duration)): rule \(meant.rule) grants \(spell(longest)) at most")
            }
            var request = GrantRequest(
                id: newSessionID(), person: session.person.identity, hosts: meant.hosts, login: wish.login,
                wantsSudo: wish.wantsSudo, permissions: meant.grant.options.permissions,
                forceCommand: meant.grant.options.forceCommand, key: wish.key, duration: duration,
                reason: wish.reason, ticket: wish.ticket, rule: meant.rule, isBreakGlass: wish.isBreakGlass,
                created: now, expires: now.adding(wish.isBreakGlass ? duration : demand.waits) ?? now)
            // Asked twice, it is one request.
            if let same = book.requests(of: request.person).first(where: {
                $0.status(at: now) == .pending && $0.asksTheSame(as: request)
            }) {
                return .done(same)
            }
            try await makeRoom(for: session.person.identity, at: now)
            if wish.isBreakGlass {
                request.window = GrantRequest.Window(from: now, until: now.adding(duration) ?? now)
                request.review = GrantRequest.Review()
            }
            let asked = RequestRecord(
                request: ExactText(request.id), session: ExactText(session.id),
                sourceAddress: ExactText(address?.description ?? ""), policyDigest: policy.digest,
                grantedUntil: request.window?.until ?? UnixTime(seconds: 0),
                text: ExactText(request.text(origin: origin)))
            try await keep(
                request, wish.isBreakGlass ? .granted : .asked,
                recording: [.request(asked, requester: session.person.identity)])
            return .done(request)
        }
    }

    /// What a wish is about, as policy sees it.
    private struct Meant {
        let hosts: [String]
        let rule: String
        /// What the rule gives on the first of them, once it is approved.
        let grant: AccessGrant
        /// For how long the policy lets them pass in an emergency, on all of them.
        let breakGlass: UInt64?
    }

    private enum MeantHosts {
        case meant(Meant)
        case refused(AccessDecision, host: String)
    }

    private func meantHosts(
        _ wish: GrantWish, _ policy: AccessPolicy, _ session: LoginSession, _ address: IPAddress?,
        _ now: UnixTime
    ) throws(CertAuthorityError) -> MeantHosts {
        let hosts = try hosts(wish.target)
        if let reason = addressRefusal(session, from: address) {
            return .refused(
                AccessDecision(verdict: .denied, rule: nil, reasons: [reason]), host: hosts.first?.id ?? "")
        }
        var chosen: [(host: String, rule: String, request: AccessRequest)] = []
        var other: (decision: AccessDecision, host: String)?
        for host in hosts {
            let request = policyRequest(wish, host, session, address, now)
            let decision = policy.decide(request)
            if case .needsApproval = decision.verdict, let rule = decision.rule {
                chosen.append((host.id, rule, request))
            } else {
                other = other ?? (decision, host.id)
            }
        }
        guard let first = chosen.first else {
            let (decision, host) = other ?? (unknownHost(""), "")
            if case .allowed = decision.verdict {
                throw CertAuthorityError(
                    .conflict, "rule \(decision.rule ?? "") lets you in without approval",
                    hint: "daypass ssh \(wish.login.escapedForTerminal)@\(host)")
            }
            return .refused(decision, host: host)
        }
        if let odd = chosen.first(where: { $0.rule != first.rule }) {
            throw CertAuthorityError(
                .invalidRequest,
                "host \(first.host) falls under rule \(first.rule), host \(odd.host) under rule \(odd.rule)",
                hint: "ask for them one by one")
        }
        guard chosen.count <= GrantRequest.maximumHosts else {
            throw CertAuthorityError(
                .invalidRequest,
                "\(chosen.count) hosts, at most \(GrantRequest.maximumHosts) can be asked for at once",
                hint: "name more labels")
        }
        let approved = policy.decide(first.request, approvedUnder: first.rule)
        guard case .allowed(let grant) = approved.verdict else { return .refused(approved, host: first.host) }
        let emergency = chosen.map { policy.breakGlass(rule: $0.rule, $0.request) }
        return .meant(
            Meant(
                hosts: chosen.map(\.host).sorted(), rule: first.rule, grant: grant,
                breakGlass: emergency.contains(nil) ? nil : emergency.compactMap { $0 }.min()))
    }

    private func hosts(_ target: GrantWish.Target) throws(CertAuthorityError) -> [ManagedHost] {
        switch target {
        case .host(let name):
            guard let host = state.withLock({ $0.host(called: name) }) else {
                throw CertAuthorityError(
                    .notFound, "host \"\(name.escapedForTerminal)\" is not known to this authority",
                    hint: "daypass status lists those that you may reach")
            }
            return [host]
        case .labels(let labels):
            let found = state.withLock { state in
                state.hosts.values.filter { host in
                    labels.allSatisfy { name, value in
                        host.labels[name].map { $0.utf8.elementsEqual(value.utf8) } ?? false
                    }
                }
            }
            guard !found.isEmpty else {
                throw CertAuthorityError(
                    .notFound, "no host has these labels",
                    hint: "daypass status lists those that you may reach")
            }
            return found.sorted { $0.id < $1.id }
        }
    }

    private func policyRequest(
        _ wish: GrantWish, _ host: ManagedHost, _ session: LoginSession, _ address: IPAddress?,
        _ now: UnixTime
    ) -> AccessRequest {
        // Without a key it is about those that daypass makes: of the session's kind.
        AccessRequest(
            person: session.person, key: wish.key ?? session.key, login: wish.login, host: host,
            sourceAddress: address, now: now, permissions: wish.permissions, forceCommand: wish.forceCommand,
            reason: wish.reason)
    }

    private func plainWish(
        _ wish: GrantWish, _ host: String, _ session: LoginSession
    ) throws(CertAuthorityError) -> AccessWish {
        try AccessWish(
            host: host.isEmpty ? "none" : host, login: wish.login, key: wish.key ?? session.key,
            reason: wish.reason)
    }

    /// Forgets what has been over for long, and refuses where there is no room for more.
    ///
    /// - Throws: `.full`.
    private func makeRoom(for person: Identity, at now: UnixTime) async throws(CertAuthorityError) {
        let mine = book.requests(of: person).count { $0.status(at: now).isOpen }
        guard mine < GrantRequest.maximumOpen else {
            throw CertAuthorityError(
                .full, "\(mine) requests of yours are open, and no more are taken",
                hint: "withdraw those that are not needed: daypass requests --mine")
        }
        var kept = book.all
        let limit = now.subtractingOrEpoch(GrantRequest.keptSeconds)
        let removable = kept.filter { !$0.mustBeKept(at: now) }.sorted {
            ($0.over(at: now) ?? now, $0.id) < ($1.over(at: now) ?? now, $1.id)
        }
        let surplus = max(0, kept.count - (GrantRequest.maximumCount - 1))
        let forgotten = removable.enumerated().filter { place, request in
            place < surplus || (request.over(at: now) ?? now) < limit
        }.map(\.element.id)
        if !forgotten.isEmpty {
            try await requestStore.removeRequests(forgotten)
            book.remove(forgotten)
            kept = book.all
        }
        guard kept.count < GrantRequest.maximumCount else {
            throw CertAuthorityError(
                .full, "\(kept.count) requests are open or not reviewed, and no more are taken",
                hint: "ask an administrator to look at daypass requests --all")
        }
    }
}
