// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Which of a policy's rules can be about a host.
///
/// Most rules name a host or a label's value in full: they are found by that, so that a request does not meet the rules
/// of everybody else's hosts.
struct RuleIndex: Sendable {
    /// What a host must have for a selector to match it.
    enum Anchor: Hashable {
        case id([UInt8])
        case label(name: [UInt8], value: [UInt8])
    }

    /// Places of rules, ascending, each once.
    private var anchored: [Anchor: [Int]] = [:]
    /// Those that have to be looked at for every host.
    private var others: [Int] = []

    init(_ rules: [AccessRule]) {
        for (place, rule) in rules.enumerated() {
            let anchors = rule.hosts.map(\.anchor)
            if anchors.contains(nil) {
                others.append(place)
            } else {
                for case .some(let anchor) in Set(anchors) { anchored[anchor, default: []].append(place) }
            }
        }
    }

    /// The places of all rules that match the host, ascending, and of some that don't.
    func candidates(_ facts: borrowing AccessFacts) -> [Int] {
        var lists = others.isEmpty ? [] : [others]
        if let found = anchored[.id(facts.hostID)] { lists.append(found) }
        for (name, value) in facts.labels {
            if let found = anchored[.label(name: name, value: value)] { lists.append(found) }
        }
        guard lists.count > 1 else { return lists.first ?? [] }
        return Set(lists.joined()).sorted()
    }
}
