// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// What people do to each other's requests, and to their own.
extension AccessAuthority {
    /// Counts somebody's signature over a request, and grants it once enough have signed.
    ///
    /// The signature is over the text that is made of the request as it is kept, by an enrolled key of the approver's;
    /// of whoever has none, by their session's.
    ///
    /// - Throws: `.notFound` for a request that there isn't, or that they may not know of; `.conflict` for one that
    ///   waits no more, or that they have approved.
    public func approve(
        _ id: String, by signature: SSHSignature, of session: LoginSession, from address: IPAddress?
    ) async throws(CertAuthorityError) -> GrantOutcome {
        try await changes.run { () async throws(CertAuthorityError) in
            let now = now
            let policy = policy
            let viewer = viewer(session, from: address)
            var request = try visible(id, to: viewer)
            guard request.status(at: now) == .pending else { throw .requestIs(request, at: now) }
            if let refusal = refusalOfApproval(request, by: viewer, signature) {
                return try await refused(refusal, request, session, address)
            }
            guard !request.approvals.contains(where: { $0.person.identity == session.person.identity }) else {
                throw CertAuthorityError(
                    .conflict, "you have approved request \(request.id) already",
                    hint: "somebody else has to, too")
            }
            let text = request.text(origin: origin)
            request.approvals.append(
                Approval(
                    person: session.person, credential: session.credential, signature: signature,
                    isBySessionKey: !viewer.hasEnrolledKeys, sourceAddress: address, at: now))
            let demand = policy.approvalDemand(rule: request.rule)
            // Those that came before are judged anew: who may not approve any more doesn't count.
            if let demand, standingApprovals(of: request, policy) >= demand.count {
                let duration = min(request.duration, demand.longestGrant)
                request.window = GrantRequest.Window(from: now, until: now.adding(duration) ?? now)
            }
            let approved = approvalRecord(
                .approved, request, session, address, text: text, signature: signature.encoded)
            try await keep(
                request, request.window == nil ? .noted : .granted,
                recording: [.approval(approved, requester: session.person.identity)])
            return .done(request)
        }
    }

    /// Refuses a request that one may approve.
    ///
    /// - Throws: as ``approve(_:by:of:from:)``.
    public func deny(
        _ id: String, reason: String, by session: LoginSession, from address: IPAddress?
    ) async throws(CertAuthorityError) -> GrantOutcome {
        try checkText(reason, field: "reason", maximumBytes: AccessWish.maximumReasonBytes)
        return try await changes.run { () async throws(CertAuthorityError) in
            let viewer = viewer(session, from: address)
            let request = try endable(id, by: viewer)
            guard request.status(at: now) == .pending else { throw .requestIs(request, at: now) }
            guard request.person != session.person.identity else {
                throw CertAuthorityError(
                    .conflict, "request \(request.id) is your own", hint: "daypass withdraw \(request.id)")
            }
            guard viewer.isAdministrator || mayApprove(request, viewer) == .yes else {
                return try await refused(notAnApprover(request), request, session, address)
            }
            return .done(try await end(request, .denied, by: session, from: address, reason: reason))
        }
    }

    /// Takes a request of one's own back, or a grant: one's own, one that one might approve, any as administrator.
    ///
    /// Of a grant nothing is opened from the first moment on; certificates that were issued under it are revoked.
    ///
    /// - Throws: as ``approve(_:by:of:from:)``.
    public func takeBack(
        _ id: String, reason: String, by session: LoginSession, from address: IPAddress?
    ) async throws(CertAuthorityError) -> GrantOutcome {
        if !reason.isEmpty {
            try checkText(reason, field: "reason", maximumBytes: AccessWish.maximumReasonBytes)
        }
        return try await changes.run { () async throws(CertAuthorityError) in
            let viewer = viewer(session, from: address)
            let request = try endable(id, by: viewer)
            let isOwn = request.person == session.person.identity
            switch request.status(at: now) {
            case .pending where isOwn:
                return .done(try await end(request, .withdrawn, by: session, from: address, reason: reason))
            case .pending:
                throw CertAuthorityError(
                    .conflict, "request \(request.id) is not granted", hint: "daypass deny \(request.id)")
            case .approved:
                guard isOwn || viewer.isAdministrator || mayApprove(request, viewer) == .yes else {
                    return try await refused(notAnApprover(request), request, session, address)
                }
                return .done(try await end(request, .revoked, by: session, from: address, reason: reason))
            case .denied, .withdrawn, .expired, .revoked, .ended: throw .requestIs(request, at: now)
            }
        }
    }

    /// Says that one has looked at access that somebody else had without approval.
    ///
    /// - Throws: `.notFound` for a review that there isn't, or that is not theirs to see; `.conflict` for one that
    ///   somebody has acknowledged.
    public func acknowledgeReview(
        _ id: String, note: String, by session: LoginSession, from address: IPAddress?
    ) async throws(CertAuthorityError) -> GrantOutcome {
        if !note.isEmpty { try checkText(note, field: "note", maximumBytes: AccessWish.maximumReasonBytes) }
        return try await changes.run { () async throws(CertAuthorityError) in
            let viewer = viewer(session, from: address)
            var request = try visible(id, to: viewer)
            guard let review = request.review else {
                throw CertAuthorityError(.notFound, "there is no review \(id.escapedForTerminal)")
            }
            if let who = review.acknowledgedBy {
                throw CertAuthorityError(.conflict, "\(who) has acknowledged review \(request.id)")
            }
            guard request.person != session.person.identity, session.person.provider != Person.apiKeys else {
                let decision = AccessDecision(
                    verdict: .denied, rule: request.rule,
                    reasons: ["another person has to look at what you did without approval"])
                return try await refused(decision, request, session, address)
            }
            guard viewer.isAdministrator || mayApprove(request, viewer) == .yes else {
                return try await refused(notAnApprover(request), request, session, address)
            }
            request.review = GrantRequest.Review(acknowledgedBy: session.person.identity, at: now, note: note)
            let reviewed = approvalRecord(.reviewed, request, session, address, reason: note)
            try await keep(
                request, .noted, recording: [.approval(reviewed, requester: session.person.identity)])
            return .done(request)
        }
    }

    // MARK: Ends

    /// A request that somebody may see, as it was before an end that could not be kept: whoever comes again ends it again.
    private func endable(_ id: String, by viewer: Viewer) throws(CertAuthorityError) -> GrantRequest {
        var request = try visible(id, to: viewer)
        if request.end?.isRecorded == false { request.end = nil }
        return request
    }

    /// Ends a request or grant: called within ``changes``. What it opened is taken first, and stays taken where its end can't
    /// be kept and recorded.
    private func end(
        _ request: GrantRequest, _ status: GrantRequest.Status, by session: LoginSession,
        from address: IPAddress?, reason: String
    ) async throws(CertAuthorityError) -> GrantRequest {
        let (by, now) = (session.person.identity, now)
        var request = request
        request.end = GrantRequest.End(status: status, by: by, at: now, reason: reason)
        book.put(request, .over)
        let change: ApprovalRecord.Change =
            switch status {
            case .withdrawn: .withdrawn
            case .revoked: .revoked
            default: .denied
            }
        var drafts: [LedgerDraft] = [
            .approval(
                approvalRecord(change, request, session, address, reason: reason), requester: by)
        ]
        if let authority = issuer.signers[.user]?.publicKey {
            for certificate in request.certificates where now < certificate.expires {
                let revocation = try RevocationRecord(
                    target: .serial(certificate.serial, authority: authority),
                    expires: certificate.expires, reason: "the grant of request \(request.id) was revoked")
                drafts.append(.revocation(revocation, requester: by))
            }
        }
        request.end?.isRecorded = true
        try await keep(request, nil, recording: drafts)
        return request
    }

    // MARK: Refusals and records

    /// Why somebody's signature doesn't count; nil when it does.
    private func refusalOfApproval(
        _ request: GrantRequest, by viewer: Viewer, _ signature: SSHSignature
    ) -> AccessDecision? {
        func refuse(_ reason: String) -> AccessDecision {
            AccessDecision(verdict: .denied, rule: request.rule, reasons: [reason])
        }
        guard request.person != viewer.person.identity else {
            return refuse("request \(request.id) is your own: somebody else has to approve it")
        }
        guard viewer.person.provider != Person.apiKeys else {
            return refuse("an API key approves nothing: a person has to")
        }
        guard case .key(let key) = signature.signer else {
            return refuse("the approval is signed by a certificate: sign with the plain key")
        }
        guard viewer.keys.contains(key) else {
            return refuse(
                viewer.hasEnrolledKeys
                    ? "the key \(key.fingerprint) is not enrolled for you: sign with one that is"
                    : "the key \(key.fingerprint) is not your session's, and none is enrolled for you")
        }
        do {
            try signature.verify(Array(request.text(origin: origin).utf8), namespace: Approval.namespace)
        } catch {
            return refuse("the signature is not over this request: \(error.reason)")
        }
        switch mayApprove(request, viewer, signingWith: key) {
        case .yes: return nil
        case .unknown:
            return AccessDecision(
                verdict: .needsLogin, rule: request.rule,
                reasons: ["rule \(request.rule) asks whoever approves for a login that is new enough"])
        case .no: return notAnApprover(request)
        }
    }

    /// Records that somebody was not let do something to a request, and why.
    private func refused(
        _ decision: AccessDecision, _ request: GrantRequest, _ session: LoginSession, _ address: IPAddress?
    ) async throws(CertAuthorityError) -> GrantOutcome {
        // A scalar has 4 bytes at most.
        let reason = String(
            decision.reasons.joined(separator: "; ").unicodeScalars.prefix(AccessWish.maximumReasonBytes / 4))
        try await record(
            .approval(
                approvalRecord(.refused, request, session, address, reason: reason),
                requester: session.person.identity))
        return .refused(decision)
    }

    private func notAnApprover(_ request: GrantRequest) -> AccessDecision {
        let who = policy.approvalDemand(rule: request.rule)?.approvers ?? "nobody any more"
        return AccessDecision(
            verdict: .denied, rule: request.rule,
            reasons: ["you may not decide over request \(request.id): rule \(request.rule) asks for \(who)"])
    }

    private func approvalRecord(
        _ change: ApprovalRecord.Change, _ request: GrantRequest, _ session: LoginSession,
        _ address: IPAddress?, text: String = "", signature: [UInt8] = [], reason: String = ""
    ) -> ApprovalRecord {
        ApprovalRecord(
            change: change, request: ExactText(request.id), person: request.person,
            session: ExactText(session.id), sourceAddress: ExactText(address?.description ?? ""),
            grantedUntil: change == .approved
                ? request.window?.until ?? UnixTime(seconds: 0) : UnixTime(seconds: 0),
            text: ExactText(text), signature: signature, reason: ExactText(reason))
    }
}

extension CertAuthorityError {
    /// A request can't be acted on any more.
    fileprivate static func requestIs(_ request: GrantRequest, at now: UnixTime) -> CertAuthorityError {
        let by = request.end.map { " by \($0.by)" } ?? ""
        return CertAuthorityError(
            .conflict, "request \(request.id) is \(request.status(at: now).rawValue)\(by)")
    }
}
