// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// One entry of a rule's `hosts`: hosts for which all of it holds.
struct HostSelector: Sendable {
    /// Holds for every host.
    private(set) var isAny = false
    private(set) var id: Glob?
    private(set) var name: Glob?
    private(set) var labels: [(name: [UInt8], value: Glob)] = []
    /// As a person reads it.
    let text: String

    init(_ value: YAMLValue) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        var parts: [String] = []
        if let any = mapping.value("any") {
            guard try any.bool() else { throw any.refuse("true expected, or nothing") }
            isAny = true
            parts.append("any")
        }
        if let pattern = mapping.value("id") {
            let text = try pattern.text()
            id = try pattern.reading { try Glob(text) }
            parts.append("id \(text)")
        }
        if let pattern = mapping.value("name") {
            let text = try pattern.text()
            // The names of hosts are in lower case: a capital here would silently match nothing.
            guard !text.utf8.contains(where: { (0x41...0x5a).contains($0) }) else {
                throw pattern.refuse("names of hosts are in lower case")
            }
            name = try pattern.reading { try Glob(text) }
            parts.append("name \(text)")
        }
        if var wanted = try mapping.mapping("labels") {
            guard wanted.names.count <= ManagedHost.maximumNames else {
                throw wanted.value.refuse("at most \(ManagedHost.maximumNames) labels are allowed")
            }
            for label in wanted.names {
                let pattern = try wanted.required(label)
                let text = try pattern.text()
                labels.append((Array(label.utf8), try pattern.reading { try Glob(text) }))
                parts.append("label \(label)=\(text)")
            }
        }
        try mapping.finish()
        guard !parts.isEmpty else { throw value.refuse("any, id, name or labels expected") }
        guard !isAny || parts.count == 1 else { throw value.refuse("any stands by itself") }
        text = parts.joined(separator: " and ")
    }

    /// True when every host is meant, however it is written.
    var matchesEverything: Bool {
        isAny || labels.isEmpty && (id?.matchesEverything ?? true) && (name?.matchesEverything ?? true)
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
