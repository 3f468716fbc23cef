// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Why a policy answers a request as it does: every rule that is about the host, every criterion, every value.
///
/// All texts in it are fit for a terminal.
public struct AccessExplanation: Sendable {
    public let decision: AccessDecision
    /// The answer in one sentence.
    public let sentence: String
    /// The rules that are about the host, in their order.
    public let rules: [RuleExplanation]
    /// How many rules are about other hosts.
    public let otherRules: Int
    /// The longest lifetime that can be asked for, in seconds, where the request is allowed.
    public let maximumLifetime: UInt64?
    /// Who has to approve, for how long, and who may pass without: a line each, where an approval is needed.
    public let approval: [String]
}

/// What one rule says to a request.
public struct RuleExplanation: Sendable, Encodable {
    /// What comes of it.
    public enum Effect: String, Sendable, Encodable {
        case allows
        case denies
        /// Allows once somebody approves.
        case needsApproval = "needs-approval"
        /// Could allow or deny, once somebody logs in.
        case needsLogin = "needs-login"
        /// Allows, but not what is asked for.
        case unfit
        case saysNothing = "says-nothing"
    }

    public let name: String
    public let effect: Effect
    /// The accounts that the rule is about: names, and templates where they make none.
    public let accounts: [String]
    /// Whether the account is one of them.
    public let account: Truth
    public let allow: BlockExplanation?
    public let deny: BlockExplanation?
    /// What of the request doesn't fit the rule's terms.
    public let unfit: [String]
    /// Why, in one line; for what comes of several criteria, they are joined.
    public let summary: String
}

/// What an `allow` or `deny` says.
public struct BlockExplanation: Sendable, Encodable {
    public let holds: Truth
    public let groups: [Group]

    /// An operator and what it combines.
    public struct Group: Sendable, Encodable {
        /// `and`, `or`, `not` (none of them) or `nor` (not all of them).
        public let combination: String
        public let holds: Truth
        public let criteria: [CriterionExplanation]
    }
}

/// What a criterion says.
public struct CriterionExplanation: Sendable, Encodable {
    /// As the policy writes it.
    public let name: String
    public let holds: Truth
    /// What is asked: "has sre".
    public let wanted: String
    /// What there is: "dev, ops".
    public let found: String
    /// What would make it hold, where that is up to whoever asks.
    public let remedy: String?

    /// "groups has sre (found: dev)"; without what was found where that is what is asked.
    var text: String {
        wanted.hasSuffix(" \(found)") ? "\(name) \(wanted)" : "\(name) \(wanted) (found: \(found))"
    }
}

extension CriteriaBlock {
    func explain(_ facts: borrowing AccessFacts) -> BlockExplanation {
        var explained: [BlockExplanation.Group] = []
        for group in groups {
            var criteria: [CriterionExplanation] = []
            for criterion in group.criteria { criteria.append(criterion.explain(facts)) }
            explained.append(
                .init(
                    combination: group.combination.rawValue, holds: group.evaluate(facts), criteria: criteria)
            )
        }
        return BlockExplanation(holds: evaluate(facts), groups: explained)
    }
}

extension BlockExplanation.Group {
    private var isNegative: Bool { combination == "not" || combination == "nor" }

    /// What makes the group hold, a line each.
    var support: [String] {
        switch combination {
        case "and": criteria.map(\.text)
        case "or": criteria.first { $0.holds == .yes }.map { [$0.text] } ?? []
        case "not": criteria.map { "not: \($0.text)" }
        default: criteria.first { $0.holds == .no }.map { ["not: \($0.text)"] } ?? []
        }
    }

    /// The criteria that stand in the way of the group's holding.
    var obstacles: [CriterionExplanation] {
        switch combination {
        case "and": criteria.filter { $0.holds != .yes }
        case "not": criteria.filter { $0.holds != .no }
        default: criteria
        }
    }

    /// What is missing for the group to hold, a line each, with what would help.
    var shortcomings: [String] {
        let remedies = obstacles.compactMap(\.remedy)
        let help = isNegative || remedies.isEmpty ? "" : ": \(unique(remedies).joined(separator: ", or "))"
        let texts = obstacles.map(\.text)
        switch combination {
        case "and":
            return obstacles.map { "that \($0.text)" + ($0.remedy.map { ": \($0)" } ?? "") }
        case "or": return ["that \(texts.joined(separator: ", or "))" + help]
        case "not": return ["that none of this holds: \(texts.joined(separator: ", "))"]
        default: return ["that not all of this holds: \(texts.joined(separator: ", "))"]
        }
    }
}

extension BlockExplanation {
    /// The group that comes nearest to holding: what it lacks is what to tell.
    var nearest: Group? {
        groups.min { one, other in
            one.holds == other.holds ? one.obstacles.count < other.obstacles.count : one.holds > other.holds
        }
    }

    /// What makes the block hold, a line each.
    var support: [String] { groups.first { $0.holds == .yes }?.support ?? [] }

    /// What only a login would tell.
    var unknown: [String] {
        groups.filter { $0.holds == .unknown }.flatMap(\.criteria).filter { $0.holds == .unknown }
            .map { "\($0.name) \($0.wanted)" }
    }
}

/// Each text once, in order.
private func unique(_ texts: [String]) -> [String] {
    var seen: Set<String> = []
    return texts.filter { seen.insert($0).inserted }
}
