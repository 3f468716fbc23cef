// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension AccessRule {
    func explain(
        _ request: borrowing AccessRequest, _ facts: borrowing AccessFacts, isApproved: Bool
    ) -> RuleExplanation {
        let account = AccessRequest.isAccount(facts.login) ? isAbout(login: facts) : .no
        let allow = allow?.explain(facts)
        let deny = deny?.explain(facts)
        let denies = account && (deny?.holds ?? .no)
        let allows = account && (allow?.holds ?? .no)
        var unfit: [String] = []
        if allows == .yes, facts.person != nil, case .unfit(let reasons) = answer(request, facts) {
            unfit = reasons
        }
        let effect = effect(
            denies: denies, allows: allows, facts, isUnfit: !unfit.isEmpty, isApproved: isApproved)
        let accounts = accountTexts(facts)
        let summary: String =
            switch effect {
            case .denies: deny?.support.joined(separator: ", and ") ?? ""
            case .allows, .needsApproval: allow?.support.joined(separator: ", and ") ?? ""
            case .unfit: unfit.joined(separator: "; ")
            case .needsLogin: unknownWords(denies == .unknown ? deny : allow, facts)
            case .saysNothing:
                if account == .no {
                    "it is about other accounts: \(accounts.joined(separator: ", "))"
                } else if let group = allow?.nearest {
                    "it needs \(group.shortcomings.joined(separator: "; "))"
                } else {
                    "it would deny if \(deny?.nearest?.obstacles.map(\.text).joined(separator: ", ") ?? "")"
                }
            }
        return RuleExplanation(
            name: name, effect: effect, accounts: accounts, account: account, allow: allow, deny: deny,
            unfit: unfit, summary: summary)
    }

    private func effect(
        denies: Truth, allows: Truth, _ facts: borrowing AccessFacts, isUnfit: Bool, isApproved: Bool
    ) -> RuleExplanation.Effect {
        if denies == .yes { return .denies }
        if denies == .unknown || allows == .unknown { return .needsLogin }
        guard allows == .yes else { return .saysNothing }
        if facts.person == nil { return .needsLogin }
        if isUnfit { return .unfit }
        return requiresApproval && !isApproved ? .needsApproval : .allows
    }

    private func unknownWords(_ block: BlockExplanation?, _ facts: borrowing AccessFacts) -> String {
        let unknown = block?.unknown ?? []
        if facts.person == nil {
            return unknown.isEmpty
                ? "a certificate names somebody" : "it depends on whether \(unknown.joined(separator: ", "))"
        }
        return block?.nearest?.shortcomings.joined(separator: "; ") ?? ""
    }

    /// What helps against the rule's denial.
    var remedy: String {
        let isAboutLogins = deny?.criteria.contains(where: \.isAboutLogin) ?? false
        return isAboutLogins ? "ask for another account" : "ask an administrator why"
    }

    /// The accounts, templates with what they make of the request.
    private func accountTexts(_ facts: borrowing AccessFacts) -> [String] {
        guard !logins.isEmpty else { return ["*"] }
        var texts: [String] = []
        for login in logins {
            switch login {
            case .any: texts.append("*")
            case .literal(let bytes): texts.append(show(bytes))
            case .template(let template):
                if case .text(let bytes) = template.expand(facts) {
                    texts.append(show(bytes))
                } else {
                    texts.append(template.text.escapedForTerminal)
                }
            }
        }
        return texts
    }
}
