// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What a list of texts must hold: `has` (also by itself), `is` (that and nothing else), `exclude`; several of them must
/// all hold. A list that isn't there is empty.
struct ListMatcher: Sendable {
    enum Test: Sendable {
        case has([UInt8])
        case isOnly([UInt8])
        case excludes([UInt8])
    }

    let tests: [Test]
    /// As a person reads it.
    let text: String

    init(_ value: YAMLValue) throws(CertAuthorityError) {
        func bytes(_ value: YAMLValue) throws(CertAuthorityError) -> [UInt8] {
            let text = try value.text()
            try value.reading {
                try checkText(text, field: "text", maximumBytes: TextMatcher.maximumBytes)
            }
            return Array(text.utf8)
        }
        guard value.isMapping else {
            guard value.isScalar else { throw value.refuse("a text or a mapping of matchers expected") }
            let only = try bytes(value)
            tests = [.has(only)]
            text = "has \(show(only))"
            return
        }
        var mapping = try value.mapping()
        var tests: [Test] = []
        var words: [String] = []
        if let value = mapping.value("has") {
            tests.append(.has(try bytes(value)))
            words.append("has \(try value.text().escapedForTerminal)")
        }
        if let value = mapping.value("is") {
            tests.append(.isOnly(try bytes(value)))
            words.append("is only \(try value.text().escapedForTerminal)")
        }
        if let value = mapping.value("exclude") {
            tests.append(.excludes(try bytes(value)))
            words.append("has no \(try value.text().escapedForTerminal)")
        }
        try mapping.finish()
        guard !tests.isEmpty else { throw value.refuse("a matcher expected, it is empty") }
        self.tests = tests
        text = words.joined(separator: " and ")
    }

    func matches(_ found: [[UInt8]]) -> Bool {
        for test in tests {
            let holds =
                switch test {
                case .has(let text): found.contains(text)
                case .isOnly(let text): found.count == 1 && found[0] == text
                case .excludes(let text): !found.contains(text)
                }
            guard holds else { return false }
        }
        return true
    }
}
