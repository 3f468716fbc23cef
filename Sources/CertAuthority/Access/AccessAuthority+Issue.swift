// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// What somebody who is logged in wants.
public struct AccessWish: Sendable {
    /// A host's id, name or address.
    public var host: String
    public var login: String
    public var key: PublicKey
    public var lifetime: UInt64?
    public var permissions: Set<Permission>?
    public var forceCommand: String?
    public var reason: String?

    /// The longest account, host name and reason, in bytes.
    public static let maximumLoginBytes = 255
    public static let maximumHostBytes = 253
    public static let maximumReasonBytes = 1_024

    /// - Throws: `.invalidRequest` naming the field.
    public init(
        host: String, login: String, key: PublicKey, lifetime: UInt64? = nil,
        permissions: Set<Permission>? = nil, forceCommand: String? = nil, reason: String? = nil
    ) throws(CertAuthorityError) {
        try checkText(host, field: "host", maximumBytes: Self.maximumHostBytes)
        try checkText(login, field: "login", maximumBytes: Self.maximumLoginBytes)
        if let reason { try checkText(reason, field: "reason", maximumBytes: Self.maximumReasonBytes) }
        if let forceCommand {
            try checkText(forceCommand, field: "force-command", maximumBytes: UserOptions.maximumTextBytes)
        }
        self.host = host
        self.login = login
        self.key = key
        self.lifetime = lifetime
        self.permissions = permissions
        self.forceCommand = forceCommand
        self.reason = reason
    }
}

/// What became of a wish.
public enum AccessOutcome: Sendable {
    case issued(Certificate, index: UInt64, host: ManagedHost, rule: String)
    case refused(AccessDecision)
}

extension AccessAuthority {
    /// Decides over a wish, records the answer, and issues the certificate that policy gives.
    ///
    /// A certificate never outlives the session that asked for it, nor the grant that it needs.
    public func issue(
        _ wish: AccessWish, for session: LoginSession, from address: IPAddress?
    ) async throws(CertAuthorityError) -> AccessOutcome {
        let now = now
        let (policy, host) = state.withLock { ($0.policy, $0.host(called: wish.host)) }
        guard let host else {
            let decision = unknownHost(wish.host)
            try await record(
                draft(decision, wish, hostID: wish.host, session, address, policy.digest))
            return .refused(decision)
        }
        let (decision, approved): (AccessDecision, GrantRequest?) =
            if let reason = addressRefusal(session, from: address) {
                (AccessDecision(verdict: .denied, rule: nil, reasons: [reason]), nil)
            } else { decide(request(wish, host, session.person, address, now), policy) }
        guard case .allowed(let grant) = decision.verdict else {
            try await record(draft(decision, wish, hostID: host.id, session, address, policy.digest))
            return .refused(decision)
        }
        // It outlives neither the session nor what was approved.
        let end = min(session.expires, approved.flatMap { grantEnd(of: $0, policy) } ?? .forever)
        let left = end.seconds > now.seconds ? end.seconds - now.seconds : 0
        var principals = grant.principals
        if let approved { principals = try principals.adding(approved.principal) }
        let request = try IssuanceRequest(
            key: wish.key, subject: .user(grant.options), identity: session.person.identity,
            principals: principals, lifetime: min(grant.lifetime, max(left, 1)),
            requester: session.person.identity)
        let outcomes = try await issuer.issue(
            [request],
            after: [
                draft(
                    decision, wish, hostID: host.id, session, address, policy.digest,
                    request: approved?.id ?? "")
            ])
        switch outcomes.first {
        case .issued(let certificate, let index):
            if let approved { try await note(certificate, under: approved) }
            try checkStanding(policy, host, session)
            return .issued(certificate, index: index, host: host, rule: decision.rule ?? "")
        case .refused(let reasons):
            return .refused(AccessDecision(verdict: .denied, rule: nil, reasons: reasons))
        case nil:
            throw CertAuthorityError(.signerMismatch, "nothing became of a request")
        }
    }

    /// Refuses to hand out a certificate when what it was decided by was changed while it was recorded and signed: once
    /// a change's call has returned, nothing of before it comes out any more.
    private func checkStanding(
        _ policy: AccessPolicy, _ host: ManagedHost, _ session: LoginSession
    ) throws(CertAuthorityError) {
        let stands =
            sessions.isOpen(session.id, at: now)
            && state.withLock { $0.policy.digest == policy.digest && $0.hosts[host.id] == host }
        guard stands else {
            throw CertAuthorityError(
                .conflict, "session, host or policy changed while the certificate was made",
                hint: "ask again")
        }
    }

    /// What the policy says to a wish, and why; nothing is recorded.
    public func explain(
        _ wish: AccessWish, for person: Person?, from address: IPAddress?
    ) -> AccessExplanation? {
        let (policy, host) = state.withLock { ($0.policy, $0.host(called: wish.host)) }
        return host.map { policy.explain(request(wish, $0, person, address, now)) }
    }

    /// The hosts on which somebody may have an account, and which, by the key of their session.
    public func reachable(
        by session: LoginSession, from address: IPAddress?
    ) -> [(host: ManagedHost, logins: [ReachableLogin])] {
        let (policy, hosts) = state.withLock { ($0.policy, Array($0.hosts.values)) }
        return policy.reachable(
            by: session.person, hosts: hosts.sorted { $0.id < $1.id }, key: session.key, at: now,
            from: address)
    }

    private func request(
        _ wish: AccessWish, _ host: ManagedHost, _ person: Person?, _ address: IPAddress?, _ now: UnixTime
    ) -> AccessRequest {
        AccessRequest(
            person: person, key: wish.key, login: wish.login, host: host, sourceAddress: address, now: now,
            lifetime: wish.lifetime, permissions: wish.permissions, forceCommand: wish.forceCommand,
            reason: wish.reason)
    }

    func unknownHost(_ name: String) -> AccessDecision {
        AccessDecision(
            verdict: .denied, rule: nil,
            reasons: [
                "host \"\(name.escapedForTerminal)\" is not known to this authority; daypass status lists those that you may reach"
            ])
    }

    func draft(
        _ decision: AccessDecision, _ wish: AccessWish, hostID: String, _ session: LoginSession,
        _ address: IPAddress?, _ digest: [UInt8], request: String = ""
    ) -> LedgerDraft {
        let verdict: DecisionRecord.Verdict =
            switch decision.verdict {
            case .allowed: .allowed
            case .denied: .denied
            case .needsApproval: .needsApproval
            case .needsLogin: .needsLogin
            }
        var reasons = decision.reasons.map { ExactText($0) }
        if let reason = wish.reason { reasons.append(ExactText("\(session.person.identity): \(reason)")) }
        return .decision(
            DecisionRecord(
                verdict: verdict, session: ExactText(session.id), host: ExactText(hostID),
                login: ExactText(wish.login), keyFingerprint: ExactText(wish.key.fingerprint),
                sourceAddress: ExactText(address?.description ?? ""), policyDigest: digest,
                rule: ExactText(decision.rule ?? ""), reasons: reasons, request: ExactText(request)),
            requester: session.person.identity)
    }
}
