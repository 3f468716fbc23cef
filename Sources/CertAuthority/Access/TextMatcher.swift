// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What a text must be: `is` (also by itself), `not`, `in`, `not_in`, `contains`, `starts_with`, `ends_with`; several
/// of them must all hold.
///
/// A text that isn't there is in no list, equal to nothing and contains nothing: the first and the last three don't
/// hold for it, `not` and `not_in` do. So each of the negative ones says the contrary of its positive one, always.
struct TextMatcher: Sendable {
    enum Test: Sendable {
        case isOneOf([[UInt8]])
        case isNoneOf([[UInt8]])
        case contains([UInt8])
        case startsWith([UInt8])
        case endsWith([UInt8])
    }

    let tests: [Test]
    /// As a person reads it.
    let text: String

    /// The longest text to compare with, in bytes; identities have 256, e-mail addresses 254.
    static let maximumBytes = 1_024
    /// The most texts in one list; longer ones belong into a group.
    static let maximumTexts = 256

    /// - Parameter normalise: what is done to each text, as it is done to those that come.
    init(
        _ value: YAMLValue, normalise: (_ text: [UInt8]) -> [UInt8] = { $0 }
    ) throws(CertAuthorityError) {
        func bytes(_ value: YAMLValue) throws(CertAuthorityError) -> [UInt8] {
            let text = try value.text()
            try value.reading { try checkText(text, field: "text", maximumBytes: Self.maximumBytes) }
            return normalise(Array(text.utf8))
        }
        guard value.isMapping else {
            guard value.isScalar else { throw value.refuse("a text or a mapping of matchers expected") }
            let only = try bytes(value)
            tests = [.isOneOf([only])]
            text = "is \(show(only))"
            return
        }
        var mapping = try value.mapping()
        var tests: [Test] = []
        var words: [String] = []
        for (name, isNegative) in [("is", false), ("not", true)] {
            guard let value = mapping.value(name) else { continue }
            let only = try bytes(value)
            tests.append(isNegative ? .isNoneOf([only]) : .isOneOf([only]))
            words.append("\(isNegative ? "is not" : "is") \(show(only))")
        }
        for (name, isNegative) in [("in", false), ("not_in", true)] {
            guard let value = mapping.value(name) else { continue }
            var list: [[UInt8]] = []
            guard value.isList else { throw value.refuse("a list of texts expected") }
            for item in try value.oneOrMore("texts", maximum: Self.maximumTexts) {
                list.append(try bytes(item))
            }
            tests.append(isNegative ? .isNoneOf(list) : .isOneOf(list))
            words.append(
                "\(isNegative ? "is none of" : "is one of") \(list.map(show).joined(separator: ", "))")
        }
        if let value = mapping.value("contains") {
            tests.append(.contains(try bytes(value)))
            words.append("contains \(try value.text().escapedForTerminal)")
        }
        if let value = mapping.value("starts_with") {
            tests.append(.startsWith(try bytes(value)))
            words.append("starts with \(try value.text().escapedForTerminal)")
        }
        if let value = mapping.value("ends_with") {
            tests.append(.endsWith(try bytes(value)))
            words.append("ends with \(try value.text().escapedForTerminal)")
        }
        try mapping.finish()
        guard !tests.isEmpty else { throw value.refuse("a matcher expected, it is empty") }
        self.tests = tests
        text = words.joined(separator: " and ")
    }

    func matches(_ found: [UInt8]?) -> Bool {
        for test in tests {
            let holds =
                switch test {
                case .isOneOf(let texts): found.map { texts.contains($0) } ?? false
                case .isNoneOf(let texts): !(found.map { texts.contains($0) } ?? false)
                case .contains(let part): found.map { holdsRun(part, in: $0) } ?? false
                case .startsWith(let part): found?.starts(with: part) ?? false
                case .endsWith(let part): found?.suffix(part.count).elementsEqual(part) ?? false
                }
            guard holds else { return false }
        }
        return true
    }
}

/// True when `part` stands somewhere in `whole`; both are at most 1,024 bytes where it matters.
private func holdsRun(_ part: [UInt8], in whole: [UInt8]) -> Bool {
    guard part.count <= whole.count else { return false }
    for start in 0...(whole.count - part.count)
    where whole[start..<(start + part.count)].elementsEqual(part) {
        return true
    }
    return false
}

/// Bytes of a text as a terminal may show them.
func show(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self).escapedForTerminal }
