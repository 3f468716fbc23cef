// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Who has to approve what a rule gives, and for how long that holds: its `requires: {approval: …}`.
struct ApprovalTerms: Sendable {
    /// Who may approve; nil for the policy's administrators.
    let approvers: CriteriaBlock?
    /// How many people have to: 1 to ``maximumCount``.
    let count: Int
    /// How long a request waits for them, in seconds.
    let waits: UInt64
    /// The longest that can be granted, in seconds; nil for as long as the rule's longest certificate.
    let longestGrant: UInt64?

    /// More than five people who have to be found is no control, but a refusal.
    static let maximumCount = 5
    /// What nobody has answered within a week was not needed, in seconds.
    static let maximumWaits: UInt64 = 7 * 86_400
    static let defaultWaits: UInt64 = 86_400

    /// - Returns: nil where no approval is needed.
    /// - Parameter remaining: how many criteria the rule may still have; those that are read are taken off.
    static func read(
        _ value: YAMLValue, zones: TimeZoneDatabase, remaining: inout Int
    ) throws(CertAuthorityError) -> ApprovalTerms? {
        if value.isScalar {
            guard try value.bool() else { return nil }
            return ApprovalTerms(approvers: nil, count: 1, waits: defaultWaits, longestGrant: nil)
        }
        var mapping = try value.mapping()
        let approvers = try mapping.value("by").map { value throws(CertAuthorityError) in
            try CriteriaBlock(value, allows: true, zones: zones, remaining: &remaining)
        }
        var count = 1
        if let value = mapping.value("count") {
            guard let number = Int(try value.text()), (1...maximumCount).contains(number) else {
                throw value.refuse("a number of people from 1 to \(maximumCount) expected")
            }
            count = number
        }
        let waits = try mapping.span("waits", maximum: maximumWaits) ?? defaultWaits
        let longestGrant = try mapping.span("grant", maximum: CertificateTerms.ceiling)
        try mapping.finish()
        return ApprovalTerms(approvers: approvers, count: count, waits: waits, longestGrant: longestGrant)
    }
}

/// Who may pass without the approval that a rule asks for, in an emergency, and for how long: `break_glass`.
struct BreakGlass: Sendable {
    /// Over whoever asks.
    let allow: CriteriaBlock
    /// In seconds.
    let longest: UInt64

    init(_ value: YAMLValue, zones: TimeZoneDatabase, remaining: inout Int) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        allow = try CriteriaBlock(
            try mapping.required("allow"), allows: true, zones: zones, remaining: &remaining)
        guard let longest = try mapping.span("max", maximum: CertificateTerms.ceiling) else {
            throw value.refuse("max is missing: for how long at most")
        }
        self.longest = longest
        try mapping.finish()
    }
}

extension YAMLMapping {
    /// A span of time in seconds, at most `maximum` of them.
    fileprivate mutating func span(
        _ key: String, maximum: UInt64
    ) throws(CertAuthorityError) -> UInt64? {
        guard let value = value(key) else { return nil }
        let seconds = try value.span()
        guard seconds <= maximum else {
            throw value.refuse("\(spell(seconds)), at most \(spell(maximum)) are allowed")
        }
        return seconds
    }
}
