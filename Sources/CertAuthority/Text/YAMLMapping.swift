// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Yams

/// Takes the keys of a YAML mapping one by one and then refuses what is left.
struct YAMLMapping {
    /// The mapping itself, for refusals that are about all of it.
    let value: YAMLValue
    /// By the keys' text alone: Yams' own lookup also compares tags, and would not find a key that has one.
    private var values: [String: Node] = [:]
    private let file: String
    private var known: Set<String> = []

    init(_ mapping: Node.Mapping, of value: YAMLValue, file: String) throws(CertAuthorityError) {
        self.value = value
        self.file = file
        for (key, value) in mapping {
            guard let text = key.scalar?.string else { throw refuse("?", "not known here, a name expected") }
            guard values.updateValue(value, forKey: text) == nil else {
                throw refuse(text, "given twice")
            }
        }
    }

    /// All keys, sorted.
    var names: [String] { values.keys.sorted() }

    private func path(_ key: String) -> String {
        "\(value.path)\(value.path.isEmpty ? "" : ".")\(key.escapedForTerminal)"
    }

    func refuse(_ key: String, _ reason: String, hint: String? = nil) -> CertAuthorityError {
        CertAuthorityError(.configuration, "\(file): \(path(key)): \(reason)", hint: hint)
    }

    /// The value of a key, nil when it isn't there.
    mutating func value(_ key: String) -> YAMLValue? {
        known.insert(key)
        return values[key].map { YAMLValue($0, file: file, path: path(key)) }
    }

    /// The value of a key that must be there.
    mutating func required(_ key: String) throws(CertAuthorityError) -> YAMLValue {
        guard let value = value(key) else {
            throw CertAuthorityError(.configuration, "\(file): \(path(key)) is missing")
        }
        return value
    }

    mutating func text(_ key: String) throws(CertAuthorityError) -> String? { try value(key)?.text() }

    mutating func choice(_ key: String, _ choices: [String]) throws(CertAuthorityError) -> String? {
        try value(key)?.choice(choices)
    }

    mutating func bool(_ key: String) throws(CertAuthorityError) -> Bool? { try value(key)?.bool() }

    /// In seconds; 0 is one.
    mutating func spanOrZero(_ key: String) throws(CertAuthorityError) -> UInt64? {
        guard let text = try text(key) else { return nil }
        do {
            return text == "0" || text == "0s" ? 0 : try parseTimeSpan(text, field: key)
        } catch {
            let parent = value.path.isEmpty ? "" : "\(value.path)."
            throw CertAuthorityError(.configuration, "\(file): \(parent)\(error.reason)")
        }
    }

    mutating func list(_ key: String, maximum: Int) throws(CertAuthorityError) -> [String]? {
        guard let value = value(key) else { return nil }
        guard value.isList else { throw value.refuse("a list of names expected") }
        var names: [String] = []
        for item in try value.items("names", maximum: maximum) {
            guard item.isScalar else { throw value.refuse("a list of names expected") }
            names.append(try item.text())
        }
        return names
    }

    mutating func mapping(_ key: String) throws(CertAuthorityError) -> YAMLMapping? {
        try value(key)?.mapping()
    }

    /// Refuses keys that nobody asked for.
    func finish() throws(CertAuthorityError) {
        for key in values.keys.sorted() where !known.contains(key) {
            throw refuse(key, "not known here (known are \(known.sorted().joined(separator: ", ")))")
        }
    }
}
