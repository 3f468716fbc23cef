// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension AccessPolicy {
    /// What came out, by rules' places in the file; words are made later, where somebody reads them.
    enum Outcome {
        case allowed(Int, AccessGrant)
        case needsApproval(Int)
        case needsLogin(Int)
        case denied(by: Int)
        /// A rule's `allow` holds, but not for this request: its reasons.
        case unfit(Int, [String])
        case noRule
        case noAccount
    }

    /// Decides over a request.
    ///
    /// In this order: a `deny` that holds denies. A `deny` that a login could make hold, or an `allow` that a login
    /// could, needs a login where nothing else is in the way. The first rule whose `allow` holds and whose terms the
    /// request fits grants; one that needs approval only where no other does.
    ///
    /// - Parameter approved: the name of the rule under which somebody approved the request. All else must still hold,
    ///   and another rule's approval counts for nothing.
    public func decide(_ request: AccessRequest, approvedUnder approved: String? = nil) -> AccessDecision {
        let facts = AccessFacts(request)
        let outcome = outcome(request, facts, approved)
        if case .allowed(let index, let grant) = outcome {
            return AccessDecision(
                verdict: .allowed(grant), rule: rules[index].name, reasons: rules[index].allowedReasons)
        }
        return decision(outcome, request, facts)
    }

    func outcome(
        _ request: borrowing AccessRequest, _ facts: borrowing AccessFacts, _ approved: String?
    ) -> Outcome {
        guard AccessRequest.isAccount(facts.login) else { return .noAccount }
        var allowed: (Int, AccessGrant)?
        var approval: Int?
        var login: Int?
        var unfit: (Int, [String])?
        var mayBeDenied = false
        for index in places(about: facts) {
            let isAbout = rules[index].isAbout(login: facts)
            guard isAbout != .no else { continue }
            if let deny = rules[index].deny {
                switch isAbout && deny.evaluate(facts) {
                case .yes: return .denied(by: index)
                case .unknown: mayBeDenied = true
                case .no: break
                }
            }
            guard allowed == nil, let allow = rules[index].allow else { continue }
            switch isAbout && allow.evaluate(facts) {
            case .no: continue
            case .unknown: login = login ?? index
            // Without a person there is nobody to name in a certificate.
            case .yes where facts.person == nil: login = login ?? index
            case .yes:
                switch rules[index].answer(request, facts) {
                case .unfit(let reasons): unfit = unfit ?? (index, reasons)
                case .grant(let grant):
                    let isApproved = approved.map { $0.utf8.elementsEqual(rules[index].name.utf8) } ?? false
                    if rules[index].requiresApproval, !isApproved {
                        approval = approval ?? index
                    } else {
                        allowed = (index, grant)
                    }
                }
            }
        }
        if mayBeDenied, let index = allowed?.0 ?? approval ?? login { return .needsLogin(index) }
        if let (index, grant) = allowed { return .allowed(index, grant) }
        if let approval { return .needsApproval(approval) }
        if let login { return .needsLogin(login) }
        if let (index, reasons) = unfit { return .unfit(index, reasons) }
        return .noRule
    }
}
