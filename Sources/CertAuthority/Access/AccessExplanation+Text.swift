// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension AccessExplanation {
    /// The explanation for people: the answer, why, what it gives, and what each rule says.
    public var text: String {
        var lines = [sentence]
        let deciding = rules.first { $0.name == decision.rule }
        if case .allowed(let grant) = decision.verdict {
            // The decision's own reason says less than what made the rule hold.
            let support = deciding?.allow?.support ?? []
            if !support.isEmpty { lines += ["", "because"] + support.map { "  \($0)" } }
            lines += ["", "it gives"] + grant.lines(maximumLifetime: maximumLifetime).map { "  \($0)" }
        } else {
            lines += ["", "because"] + decision.reasons.map { "  \($0)" }
        }
        if !approval.isEmpty { lines += ["", "it takes"] + approval.map { "  \($0)" } }
        if !rules.isEmpty { lines += ["", "rules"] }
        for rule in rules {
            // What has been said above isn't said again.
            let isSaid = rule.name == deciding?.name && [.allows, .denies, .unfit].contains(rule.effect)
            lines.append("  \(rule.name) \(rule.effect.words)" + (isSaid ? "" : ": \(rule.summary)"))
        }
        if otherRules > 0 {
            let count = otherRules == 1 ? "1 rule is" : "\(otherRules) rules are"
            lines += ["", "\(count) about other hosts"]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension RuleExplanation.Effect {
    fileprivate var words: String {
        switch self {
        case .allows: "allows it"
        case .denies: "denies it"
        case .needsApproval: "allows it once somebody approves"
        case .needsLogin: "needs a login"
        case .unfit: "allows something else"
        case .saysNothing: "says nothing"
        }
    }
}

extension AccessGrant {
    /// What it gives, a line each.
    fileprivate func lines(maximumLifetime: UInt64?) -> [String] {
        var lines = ["principals: \(principals.names.map(\.string).joined(separator: ", "))"]
        let more = maximumLifetime.map { $0 > lifetime ? ", up to \(spell($0)) when asked for" : "" } ?? ""
        lines.append("lifetime: \(spell(lifetime))\(more)")
        let permissions = options.permissions.map(\.rawValue).sorted().joined(separator: ", ")
        lines.append("permissions: \(permissions.isEmpty ? "none" : permissions)")
        if let command = options.forceCommand { lines.append("only command: \(command.escapedForTerminal)") }
        if !options.sourceAddresses.isEmpty {
            lines.append("only from: \(options.sourceAddresses.map(\.description).joined(separator: ", "))")
        }
        if options.verifyRequired { lines.append("the authenticator checks a PIN or fingerprint") }
        if !options.extensions.isEmpty {
            lines.append("extensions: \(options.extensions.map(\.name.string).joined(separator: ", "))")
        }
        if mayUseSudo { lines.append("sudo: yes") }
        return lines
    }
}
