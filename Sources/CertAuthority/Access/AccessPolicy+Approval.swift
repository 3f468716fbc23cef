// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Who may approve what, and who may pass without.
extension AccessPolicy {
    /// What a rule asks of a request for its approval.
    public struct ApprovalDemand: Sendable, Hashable {
        /// How many people have to approve.
        public let count: Int
        /// How long a request waits, in seconds.
        public let waits: UInt64
        /// The longest grant, in seconds.
        public let longestGrant: UInt64
        /// Who may approve, in words; fit for a terminal.
        public let approvers: String
    }

    func rule(called name: String) -> AccessRule? {
        rules.first { $0.name.utf8.elementsEqual(name.utf8) }
    }

    /// What a rule asks for; nil where there is no such rule or it needs no approval.
    public func approvalDemand(rule name: String) -> ApprovalDemand? {
        guard let rule = rule(called: name), let approval = rule.approval else { return nil }
        return ApprovalDemand(
            count: approval.count, waits: approval.waits,
            longestGrant: approval.longestGrant ?? rule.terms.maximumLifetime,
            approvers: approval.approvers?.words ?? "the administrators")
    }

    /// Whether somebody may approve a request, by what the rule says of approvers.
    ///
    /// - Parameters:
    ///   - rule: the rule under which the request was made.
    ///   - approval: the request as it would be if the approver made it: their person and address, the key that they
    ///     sign with, and the account and host that are asked for.
    /// - Returns: `.no` where there is no such rule, or it needs no approval.
    public func mayApprove(rule name: String, _ approval: AccessRequest) -> Truth {
        guard let terms = rule(called: name)?.approval, let person = approval.person else { return .no }
        guard let approvers = terms.approvers else {
            return Truth(isAdministrator(person, at: approval.now, from: approval.sourceAddress))
        }
        return approvers.evaluate(AccessFacts(approval))
    }

    /// For how long somebody may pass without the approval that a rule asks for, in seconds; nil where they may not.
    public func breakGlass(rule name: String, _ request: AccessRequest) -> UInt64? {
        guard let rule = rule(called: name), rule.requiresApproval, request.person != nil,
            let breakGlass = rule.breakGlass ?? breakGlass,
            breakGlass.allow.evaluate(AccessFacts(request)) == .yes
        else { return nil }
        return breakGlass.longest
    }

    /// How long a grant under a rule lasts at most, in seconds; nil where the policy gives none any more.
    func longestGrant(rule name: String, isBreakGlass: Bool) -> UInt64? {
        guard let demand = approvalDemand(rule: name) else { return nil }
        return isBreakGlass ? (rule(called: name)?.breakGlass ?? breakGlass)?.longest : demand.longestGrant
    }

    /// Whether the rule's certificates let the account use sudo.
    func givesSudo(rule name: String) -> Bool { rule(called: name)?.terms.mayUseSudo ?? false }
}

extension ApprovalTerms {
    /// What a refused person reads: "an approval by somebody with groups has leads".
    var words: String {
        let who = approvers.map { "somebody with \($0.words)" } ?? "an administrator"
        return count == 1
            ? "an approval by \(who)"
            : "\(count) approvals, each by \(who)"
    }
}

extension CriteriaBlock {
    /// What is asked, without whom it is asked of; fit for a terminal.
    var words: String {
        groups.map { group in
            let criteria = group.criteria.map { "\($0.name) \($0.wanted)" }
            switch group.combination {
            case .and: return criteria.joined(separator: " and ")
            case .or: return criteria.joined(separator: " or ")
            case .not: return "none of \(criteria.joined(separator: ", "))"
            case .nor: return "not all of \(criteria.joined(separator: ", "))"
            }
        }.joined(separator: ", or ")
    }
}
