// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// One entry of a rule's `hosts`: hosts for which all of it holds.
final class HostSelector: Sendable {
    /// Holds for every host.
    private let isAny: Bool
    private let id: Glob?
    private let name: Glob?
    private let labels: [(name: [UInt8], value: Glob)]

    init(_ value: YAMLValue) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        var parts: [String] = []
        var isAny = false
        if let any = mapping.value("any") {
            isAny = try any.bool()
            guard isAny else { throw any.refuse("true expected, or nothing") }
            parts.append("any")
        }
        func pattern(_ key: String) throws(CertAuthorityError) -> Glob? {
            guard let value = mapping.value(key) else { return nil }
            let text = try value.text()
            // The names of hosts are in lower case: a capital here would silently match nothing.
            guard !text.utf8.contains(where: { (0x41...0x5a).contains($0) }) else {
                throw value.refuse("hosts are called in lower case")
            }
            parts.append("\(key) \(text)")
            return try value.reading { try Glob(text) }
        }
        id = try pattern("id")
        name = try pattern("name")
        var labels: [(name: [UInt8], value: Glob)] = []
        if var wanted = try mapping.mapping("labels") {
            guard wanted.names.count <= ManagedHost.maximumNames else {
                throw wanted.value.refuse("at most \(ManagedHost.maximumNames) labels are allowed")
            }
            for label in wanted.names {
                let pattern = try wanted.required(label)
                let text = try pattern.text()
                guard !text.utf8.contains(where: { (0x41...0x5a).contains($0) }) else {
                    throw pattern.refuse("labels are in lower case")
                }
                labels.append((Array(label.utf8), try pattern.reading { try Glob(text) }))
                parts.append("label \(label)")
            }
        }
        try mapping.finish()
        guard !parts.isEmpty else { throw value.refuse("any, id, name or labels expected") }
        guard !isAny || parts.count == 1 else { throw value.refuse("any stands by itself") }
        self.isAny = isAny
        self.labels = labels
    }

    /// True when every host is meant, however it is written.
    var matchesEverything: Bool {
        isAny || labels.isEmpty && (id?.matchesEverything ?? true) && (name?.matchesEverything ?? true)
    }

    /// Something that every host that it matches has; nil where it names nothing in full.
    var anchor: RuleIndex.Anchor? {
        if let id = id?.literal { return .id(id) }
        for (name, value) in labels {
            if let value = value.literal { return .label(name: name, value: value) }
        }
        return nil
    }

    func matches(_ facts: borrowing AccessFacts) -> Bool {
        if isAny { return true }
        if let id, !id.matches(facts.hostID) { return false }
        for (label, value) in labels {
            guard let found = facts.label(label), value.matches(found) else { return false }
        }
        if let name {
            // A host is called by its id, too.
            guard facts.hostNames.contains(where: name.matches) || name.matches(facts.hostID) else {
                return false
            }
        }
        return true
    }
}
