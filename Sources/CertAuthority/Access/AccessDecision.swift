// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What an access policy says to a request, and why.
public struct AccessDecision: Sendable {
    /// The answer.
    public enum Verdict: Sendable, Hashable {
        /// The certificate that the request gets.
        case allowed(AccessGrant)
        case denied
        /// Would be allowed once somebody approves; the rule's words say who may.
        case needsApproval
        /// Nobody has logged in, or too long ago, or by another provider than the rule wants.
        case needsLogin
    }

    public let verdict: Verdict
    /// The rule that decided: the one that allows, the first that denies, or the one that came nearest.
    public let rule: String?
    /// One line each, for people: what decided, by which values, and how to get what is missing.
    public let reasons: [String]

    public init(verdict: Verdict, rule: String?, reasons: [String]) {
        self.verdict = verdict
        self.rule = rule
        self.reasons = reasons
    }
}

/// What an allowed request gets.
public struct AccessGrant: Sendable, Hashable {
    /// What the certificate is good for.
    public let principals: PrincipalSet
    /// In seconds.
    public let lifetime: UInt64
    /// What it is restricted to and permits: what policy mandates, then what was asked for within that.
    public let options: UserOptions
    /// Whether the account may use sudo; hosts act on it.
    public let mayUseSudo: Bool

    public init(principals: PrincipalSet, lifetime: UInt64, options: UserOptions, mayUseSudo: Bool) {
        self.principals = principals
        self.lifetime = lifetime
        self.options = options
        self.mayUseSudo = mayUseSudo
    }
}
