// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension AccessPolicy {
    /// Explains the answer to a request. Costs many times what deciding costs.
    public func explain(_ request: AccessRequest, approvedUnder approved: String? = nil) -> AccessExplanation
    {
        let facts = AccessFacts(request)
        let outcome = outcome(request, facts, approved)
        let concerned = places(about: facts).map { rules[$0] }
        var maximumLifetime: UInt64?
        if case .allowed(let index, _) = outcome { maximumLifetime = rules[index].terms.maximumLifetime }
        return AccessExplanation(
            decision: decision(outcome, request, facts), sentence: sentence(outcome, request),
            rules: concerned.map { $0.explain(request, facts, isApproved: $0.name == approved) },
            otherRules: rules.count - concerned.count, maximumLifetime: maximumLifetime,
            approval: approvalLines(outcome))
    }

    /// The decision with its reasons.
    func decision(
        _ outcome: Outcome, _ request: borrowing AccessRequest, _ facts: borrowing AccessFacts
    ) -> AccessDecision {
        switch outcome {
        case .allowed(let index, let grant):
            return AccessDecision(
                verdict: .allowed(grant), rule: rules[index].name, reasons: rules[index].allowedReasons)
        case .needsApproval(let index):
            return AccessDecision(
                verdict: .needsApproval, rule: rules[index].name,
                reasons: [approvalReason(index, request)])
        case .needsLogin(let index):
            return AccessDecision(
                verdict: .needsLogin, rule: rules[index].name, reasons: loginReasons(index, request, facts))
        case .denied(let index):
            let explained = rules[index].explain(request, facts, isApproved: false)
            let reason = "rule \(rules[index].name) denies it: \(explained.summary): \(rules[index].remedy)"
            return denied(index, [reason], facts)
        case .unfit(let index, let reasons):
            return denied(index, reasons.map { "rule \(rules[index].name): \($0)" }, facts)
        case .noRule:
            guard let (index, reasons) = nearest(request, facts) else {
                return denied(
                    nil, ["no rule is about host \(request.host.id): ask an administrator for one"], facts)
            }
            return denied(index, reasons, facts)
        case .noAccount:
            let login = String(request.login.prefix(AccessRequest.maximumAccountBytes)).escapedForTerminal
            let reason =
                "\"\(login)\" is no account's name: up to \(AccessRequest.maximumAccountBytes) letters, digits and "
                + ". _ - expected"
            return AccessDecision(verdict: .denied, rule: nil, reasons: [reason])
        }
    }

    private func approvalLines(_ outcome: Outcome) -> [String] {
        guard case .needsApproval(let index) = outcome, let demand = approvalDemand(rule: rules[index].name)
        else { return [] }
        let emergency = rules[index].breakGlass ?? breakGlass
        return [
            "approvals: \(demand.count), by \(demand.approvers)",
            "a request waits: \(spell(demand.waits))", "a grant lasts: \(spell(demand.longestGrant)) at most",
            "without approval: "
                + (emergency.map { "\($0.allow.words), for \(spell($0.longest)) at most" } ?? "nobody"),
        ]
    }

    /// Who has to approve, and how to ask them.
    private func approvalReason(_ index: Int, _ request: borrowing AccessRequest) -> String {
        let (rule, login) = (rules[index], String(request.login.prefix(AccessRequest.maximumAccountBytes)))
        let need = rule.approval?.words ?? "an approval"
        return "rule \(rule.name) needs \(need): daypass request \(request.host.id) --login "
            + "\(login.escapedForTerminal) --reason WHY"
    }

    /// Who hasn't said who they are learns nothing of hosts and rules.
    private func denied(_ index: Int?, _ reasons: [String], _ facts: borrowing AccessFacts) -> AccessDecision
    {
        AccessDecision(
            verdict: .denied, rule: index.map { rules[$0].name },
            reasons: facts.person == nil ? ["no rule lets anybody in like this, whoever logs in"] : reasons)
    }

    private func loginReasons(
        _ index: Int, _ request: borrowing AccessRequest, _ facts: borrowing AccessFacts
    ) -> [String] {
        guard facts.person != nil else { return ["nobody has logged in: daypass login"] }
        var reasons: [String] = []
        let explained = rules[index].explain(request, facts, isApproved: false)
        if let group = explained.allow?.nearest, group.holds == .unknown {
            reasons += group.shortcomings.map { "rule \(rules[index].name) needs \($0)" }
        }
        for index in places(about: facts) {
            let rule = rules[index]
            let explained = rule.explain(request, facts, isApproved: false)
            guard let deny = explained.deny, (explained.account && deny.holds) == .unknown else { continue }
            reasons.append(
                "rule \(rule.name) may deny it: \(deny.unknown.joined(separator: ", ")): log in again with daypass login"
            )
        }
        return reasons
    }

    /// The rule that comes nearest to allowing, and what is missing.
    private func nearest(
        _ request: borrowing AccessRequest, _ facts: borrowing AccessFacts
    ) -> (Int, [String])? {
        var best: (index: Int, distance: Int, reasons: [String])?
        for index in places(about: facts) where rules[index].allow != nil {
            let explained = rules[index].explain(request, facts, isApproved: false)
            var reasons: [String] = []
            if let group = explained.allow?.nearest, group.holds != .yes {
                reasons = group.shortcomings.map { "rule \(explained.name) needs \($0)" }
            }
            var distance = reasons.count
            if explained.account != .yes {
                // An account that nobody gets there is further away than any number of criteria.
                distance += Self.maximumCriteria
                reasons.insert(
                    "rule \(explained.name) is about other accounts: ask for \(explained.accounts.joined(separator: " or "))",
                    at: 0)
            }
            if best.map({ distance < $0.distance }) ?? true { best = (index, distance, reasons) }
        }
        return best.map { ($0.index, $0.reasons) }
    }

    private func sentence(_ outcome: Outcome, _ request: borrowing AccessRequest) -> String {
        let who = request.person.map { "\($0.identity)".escapedForTerminal }
        let login = String(request.login.prefix(AccessRequest.maximumAccountBytes)).escapedForTerminal
        let place = "\(request.host.id) as \(login)"
        let name = who ?? "nobody"
        switch outcome {
        case .allowed(let index, let grant):
            let lifetime = request.lifetime == nil ? rules[index].terms.maximumLifetime : grant.lifetime
            return "\(name) may enter \(place) for up to \(spell(lifetime)): rule \(rules[index].name)"
        case .needsApproval(let index):
            return "\(name) may enter \(place) once somebody approves: rule \(rules[index].name)"
        case .needsLogin(let index):
            return who.map { "\($0) must log in again to enter \(place): rule \(rules[index].name)" }
                ?? "somebody must log in to enter \(place): rule \(rules[index].name)"
        case .denied(let index): return "\(name) may not enter \(place): rule \(rules[index].name) denies it"
        case .unfit(let index, _):
            return "\(name) may not enter \(place) like this: rule \(rules[index].name) gives something else"
        case .noRule: return "\(name) may not enter \(place): no rule allows it"
        case .noAccount: return "\(name) may not enter \(place): no account is called so"
        }
    }
}
