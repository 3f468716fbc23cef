// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// An `allow`, a `deny` or the `administrators`: operators over criteria, of which one must hold.
struct CriteriaBlock: Sendable {
    /// The names are Pomerium's, and so is what they mean.
    enum Operator: String, Sendable, CaseIterable, Encodable {
        /// All criteria are true.
        case and
        /// One of them is.
        case or
        /// None of them is.
        case not
        /// Not all of them are.
        case nor
    }

    struct Group: Sendable {
        let combination: Operator
        let criteria: [Criterion]

        func evaluate(_ facts: borrowing AccessFacts) -> Truth {
            switch combination {
            case .and: all(facts)
            case .or: any(facts)
            case .not: !any(facts)
            case .nor: !all(facts)
            }
        }

        private func all(_ facts: borrowing AccessFacts) -> Truth {
            var result = Truth.yes
            for criterion in criteria {
                result = min(result, criterion.evaluate(facts))
                if result == .no { break }
            }
            return result
        }

        private func any(_ facts: borrowing AccessFacts) -> Truth {
            var result = Truth.no
            for criterion in criteria {
                result = max(result, criterion.evaluate(facts))
                if result == .yes { break }
            }
            return result
        }
    }

    /// At least one, each with at least one criterion: an empty `and` would be true for everybody.
    let groups: [Group]

    /// - Parameters:
    ///   - allows: whether it lets somebody in when it holds.
    ///   - remaining: how many criteria may still come; those that are read are taken off.
    init(
        _ value: YAMLValue, allows: Bool, zones: TimeZoneDatabase, remaining: inout Int
    ) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        var groups: [Group] = []
        for combination in Operator.allCases {
            guard let list = mapping.value(combination.rawValue) else { continue }
            let items = try list.items("criteria", maximum: AccessPolicy.maximumCriteria)
            guard !items.isEmpty else { throw list.refuse("a list of criteria expected, it is empty") }
            remaining -= items.count
            guard remaining >= 0 else {
                throw value.refuse("over \(AccessPolicy.maximumCriteria) criteria in one rule")
            }
            let isWanted = allows && (combination == .and || combination == .or)
            var criteria: [Criterion] = []
            for item in items {
                criteria.append(try Criterion(item, isWanted: isWanted, zones: zones))
            }
            groups.append(Group(combination: combination, criteria: criteria))
        }
        try mapping.finish()
        guard !groups.isEmpty else { throw value.refuse("and, or, not or nor expected") }
        self.groups = groups
    }

    var criteria: some Sequence<Criterion> { groups.lazy.flatMap(\.criteria) }

    func evaluate(_ facts: borrowing AccessFacts) -> Truth {
        var result = Truth.no
        for group in groups {
            result = max(result, group.evaluate(facts))
            if result == .yes { break }
        }
        return result
    }
}
