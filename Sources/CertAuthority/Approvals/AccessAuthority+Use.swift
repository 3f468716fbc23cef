// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What was approved, when it is used.
extension AccessAuthority {
    /// Decides over a request for a certificate, by a grant of the person's where the policy alone does not let them in.
    ///
    /// A grant counts for its person, hosts, account and key, for what it permits and no more, and under the rule by
    /// which it was asked for; everything else that the policy demands must hold now.
    func decide(
        _ request: AccessRequest, _ policy: AccessPolicy
    ) -> (decision: AccessDecision, grant: GrantRequest?) {
        let plain = policy.decide(request)
        switch plain.verdict {
        case .allowed, .needsLogin: return (plain, nil)
        case .needsApproval, .denied: break
        }
        guard let person = request.person else { return (plain, nil) }
        let grants = book.requests(of: person.identity).filter { grant in
            grant.status(at: request.now) == .approved && grant.hosts.contains(request.host.id)
                && grant.login.utf8.elementsEqual(request.login.utf8)
        }.sorted { ($0.created, $0.id) > ($1.created, $1.id) }
        var faults: [String] = []
        for grant in grants {
            let decision = decide(request, by: grant, policy)
            if case .allowed = decision.verdict { return (decision, grant) }
            faults += decision.reasons.map { "request \(grant.id) does not help: \($0)" }
        }
        return (
            AccessDecision(verdict: plain.verdict, rule: plain.rule, reasons: plain.reasons + faults), nil
        )
    }

    private func decide(
        _ request: AccessRequest, by grant: GrantRequest, _ policy: AccessPolicy
    ) -> AccessDecision {
        func refuse(_ reason: String) -> AccessDecision {
            AccessDecision(verdict: .denied, rule: grant.rule, reasons: [reason])
        }
        if let fault = fault(of: grant, policy) { return refuse(fault) }
        if grant.isBreakGlass, policy.breakGlass(rule: grant.rule, request) == nil {
            return refuse("the policy does not let you pass without approval any more")
        }
        if let key = grant.key, key != request.key {
            return refuse("it is for the key \(key.fingerprint), this is \(request.key.fingerprint)")
        }
        var request = request
        if let asked = request.permissions, !asked.isSubset(of: grant.permissions) {
            let more = asked.subtracting(grant.permissions).map(\.rawValue).sorted().joined(separator: ", ")
            return refuse("it does not permit \(more)")
        }
        request.permissions = request.permissions ?? grant.permissions
        if let asked = request.forceCommand {
            guard let granted = grant.forceCommand, granted.utf8.elementsEqual(asked.utf8) else {
                return refuse("it is for another command")
            }
        }
        request.forceCommand = grant.forceCommand
        request.reason = request.reason ?? grant.reason
        let decision = policy.decide(request, approvedUnder: grant.rule)
        guard case .allowed = decision.verdict, let rule = decision.rule,
            rule.utf8.elementsEqual(grant.rule.utf8)
        else {
            return AccessDecision(verdict: .denied, rule: decision.rule, reasons: decision.reasons)
        }
        let names = grant.approvals.map { "\($0.person.identity)" }.joined(separator: ", ")
        let how = grant.isBreakGlass ? "without approval, in an emergency" : "approved by \(names)"
        return AccessDecision(
            verdict: decision.verdict, rule: decision.rule,
            reasons: decision.reasons + ["request \(grant.id), \(how)"])
    }

    /// Keeps which certificate a grant gave, so that it goes when the grant is revoked.
    ///
    /// - Throws: `.conflict` when the grant is over meanwhile; the certificate is then not handed out.
    func note(_ certificate: Certificate, under grant: GrantRequest) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            let now = now
            guard var request = book[grant.id], request.status(at: now) == .approved else {
                throw CertAuthorityError(
                    .conflict, "the grant of request \(grant.id) ended while the certificate was made",
                    hint: "ask again")
            }
            request.certificates.removeAll { $0.expires <= now }
            request.certificates.append(
                GrantRequest.IssuedUnder(
                    serial: certificate.fields.serial, expires: certificate.fields.validBefore))
            request.certificates = request.certificates.suffix(GrantRequest.maximumCertificates)
            try await requestStore.save(request)
            book.put(request, nil)
        }
    }
}
