// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Something in a policy that is allowed and probably not meant.
public struct AccessPolicyWarning: Sendable, Hashable, Encodable {
    public enum Code: String, Sendable, Encodable {
        /// `not` or `nor`, which are not what Boolean algebra calls so.
        case invertedOperator = "inverted-operator"
        /// Every account can be asked for, root among them.
        case anyAccount = "any-account"
        /// Every host is meant.
        case anyHost = "any-host"
        /// People of different domains get the same account.
        case sharedLocalPart = "shared-local-part"
        /// The end of a domain's name that is also the end of others'.
        case openEnding = "open-ending"
        /// An account that the rule is never about.
        case neverApplies = "never-applies"
        /// Somebody's identity could be the name of an account at a host.
        case ambiguousPrincipals = "ambiguous-principals"
        /// An approval that nobody can give.
        case approvedByNobody = "approved-by-nobody"
        /// Who may pass without approval is everybody whom the rule allows.
        case openBreakGlass = "open-break-glass"
        /// No test is decided by the rule.
        case untested
    }

    public let code: Code
    /// The rule that is meant; nil where all are.
    public let rule: String?
    /// One line for people.
    public let text: String
}

extension AccessPolicy {
    func lint() -> [AccessPolicyWarning] {
        var warnings: [AccessPolicyWarning] = []
        let isRootDenied = rules.contains { rule in
            rule.logins.isEmpty && rule.hosts.contains(where: \.matchesEverything)
                && (rule.deny?.denies("root") ?? false)
        }
        for rule in rules {
            func warn(_ code: AccessPolicyWarning.Code, _ text: String) {
                warnings.append(
                    AccessPolicyWarning(code: code, rule: rule.name, text: "rule \(rule.name): \(text)"))
            }
            for combination in rule.invertedOperators {
                warn(
                    .invertedOperator,
                    combination == .not
                        ? "not holds when none of its criteria does; it is Boolean algebra's nor"
                        : "nor holds when not all of its criteria do; it is Boolean algebra's nand")
            }
            if rule.letsRootIn, !isRootDenied {
                warn(
                    .anyAccount,
                    "every account can be asked for, root among them: add a criterion ssh_username")
            }
            if rule.allow != nil, rule.hosts.contains(where: \.matchesEverything) {
                warn(.anyHost, "it allows on every host, also on those that are still to come")
            }
            if rule.sharesLocalParts {
                warn(
                    .sharedLocalPart,
                    "what stands before the @ names an account, whatever the domain: add a criterion domain, email or provider"
                )
            }
            if rule.criteria.contains(where: \.hasOpenEnding) {
                warn(.openEnding, "ends_with without @ or . before it holds for longer names of others, too")
            }
            if let approval = rule.approval, approval.approvers == nil, administrators == nil {
                warn(
                    .approvedByNobody, "administrators approve it, and the policy names none: say who with by"
                )
            }
            if let emergency = rule.breakGlass, let allow = rule.allow, emergency.allow.words == allow.words {
                warn(
                    .openBreakGlass,
                    "whom it allows may also pass without approval: break_glass makes it pointless")
            }
            if let account = rule.accountThatNeverComes {
                warn(.neverApplies, "ssh_username asks for \(account), which is none of the rule's logins")
            }
        }
        if let warning = ambiguousPrincipals { warnings.append(warning) }
        if !tests.isEmpty {
            let deciding = Set(testResults().compactMap(\.decision.rule))
            let untested = rules.map(\.name).filter { !deciding.contains($0) }
            if !untested.isEmpty {
                warnings.append(
                    AccessPolicyWarning(
                        code: .untested, rule: nil,
                        text: "no test is decided by \(untested.prefix(8).joined(separator: ", "))"
                            + (untested.count > 8 ? " and \(untested.count - 8) more" : "")))
            }
        } else if !rules.isEmpty {
            warnings.append(AccessPolicyWarning(code: .untested, rule: nil, text: "there are no tests"))
        }
        return warnings
    }

    /// `deploy@example.com` is an account at host example.com, and may be an address: where rules give both forms, one
    /// certificate must not be good for the other's host.
    private var ambiguousPrincipals: AccessPolicyWarning? {
        let templates = rules.filter { $0.allow != nil }.flatMap(\.terms.principals)
        let isPerson = templates.contains { $0.parts.count == 1 && $0.variables.contains(where: \.isLoose) }
        let isAtHost = templates.contains {
            $0.variables.last == .host && $0.variables.first?.isLoose == false
        }
        guard isPerson, isAtHost else { return nil }
        return AccessPolicyWarning(
            code: .ambiguousPrincipals, rule: nil,
            text: "principals are addresses in one rule and accounts at hosts in another: "
                + "no host's id may be the domain of an address")
    }
}

extension CriteriaBlock {
    /// True when an account is denied by its name alone.
    fileprivate func denies(_ account: String) -> Bool {
        groups.contains { group in
            guard group.combination == .or || group.combination == .and && group.criteria.count == 1 else {
                return false
            }
            return group.criteria.contains { criterion in
                if case .login(let matcher) = criterion.test {
                    matcher.matches(Array(account.utf8))
                } else {
                    false
                }
            }
        }
    }
}

extension AccessRule {
    fileprivate var criteria: [Criterion] {
        (allow.map { Array($0.criteria) } ?? []) + (deny.map { Array($0.criteria) } ?? [])
    }

    fileprivate var invertedOperators: [CriteriaBlock.Operator] {
        let used = Set(((allow?.groups ?? []) + (deny?.groups ?? [])).map(\.combination))
        return [.not, .nor].filter(used.contains)
    }

    fileprivate var letsRootIn: Bool {
        guard allow != nil, logins.contains(where: { if case .any = $0 { true } else { false } }) else {
            return false
        }
        return !(allow?.criteria.contains(where: \.isAboutLogin) ?? false) && !(deny?.denies("root") ?? false)
    }

    fileprivate var sharesLocalParts: Bool {
        guard let allow else { return false }
        let isByTemplate = logins.contains { login in
            if case .template(let template) = login {
                template.variables.contains(.emailLocalPart)
            } else {
                false
            }
        }
        let isByCriterion = allow.criteria.contains {
            if case .loginMatchesEmail = $0.test { true } else { false }
        }
        let isNarrowed = allow.criteria.contains { criterion in
            switch criterion.test {
            case .domain, .email, .provider, .user: true
            default: false
            }
        }
        return (isByTemplate || isByCriterion) && !isNarrowed
    }

    /// An account that a criterion asks for by name and that isn't among the rule's.
    fileprivate var accountThatNeverComes: String? {
        let names = logins.compactMap { if case .literal(let bytes) = $0 { bytes } else { nil } }
        guard !logins.isEmpty, names.count == logins.count else { return nil }
        for criterion in criteria {
            guard case .login(let matcher) = criterion.test else { continue }
            for case .isOneOf(let texts) in matcher.tests where !texts.contains(where: names.contains) {
                return texts.first.map(show)
            }
        }
        return nil
    }
}

extension Criterion {
    fileprivate var hasOpenEnding: Bool {
        guard case .email(let matcher) = test else {
            guard case .domain(let matcher) = test else { return false }
            return matcher.hasOpenEnding
        }
        return matcher.hasOpenEnding
    }
}

extension TextMatcher {
    fileprivate var hasOpenEnding: Bool {
        tests.contains { test in
            if case .endsWith(let text) = test { !"@.".utf8.contains(text.first ?? 0) } else { false }
        }
    }
}
