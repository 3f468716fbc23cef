// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Yams

/// What may stand in a YAML file of ours, tested on its bytes before a YAML reader sees it.
///
/// Yams compares mapping keys by everything inside them, which aliases make grow without bound, and nested keys with
/// the square of their number. Libyaml itself refuses collections that are nested deeper than 1,000.
struct YAMLForm {
    /// The largest file, in bytes.
    let maximumBytes: Int
    /// The most brackets, braces and question marks, comments counted; nil for no limit of their own.
    let maximumIndicators: Int?

    /// The most flow collections with a colon behind them, in comments and quotes too: only those can be keys. Each
    /// takes one line of at most 1,024 characters (libyaml's simple keys), so that many cost nothing.
    private static let maximumCollectionKeys = 64

    /// The file's root.
    ///
    /// - Parameter name: the file's name, for errors.
    /// - Throws: `.configuration` for what is not one mapping of keys, or is beyond the form's limits.
    func mapping(_ yaml: String, name: String) throws(CertAuthorityError) -> YAMLMapping {
        let value = try root(yaml, name: name)
        guard value.isMapping else { throw value.refuse("a mapping of keys expected") }
        return try value.mapping()
    }

    /// The file's root, whatever it is.
    func root(_ yaml: String, name: String) throws(CertAuthorityError) -> YAMLValue {
        try check(yaml, name)
        let document: Node?
        do {
            document = try Yams.compose(yaml: yaml)
        } catch {
            throw CertAuthorityError(.configuration, "\(name): \("\(error)".escapedForTerminal)")
        }
        guard let document else {
            throw CertAuthorityError(.configuration, "\(name): a mapping of keys expected")
        }
        return YAMLValue(document, file: name, path: "")
    }

    private func check(_ yaml: String, _ name: String) throws(CertAuthorityError) {
        guard yaml.utf8.count <= maximumBytes else {
            throw CertAuthorityError(
                .configuration, "\(name): \(yaml.utf8.count) bytes, at most \(maximumBytes) are allowed")
        }
        var marks = Marks()
        for byte in yaml.utf8 { marks.count(byte) }
        guard !marks.holdsAnchor || !marks.holdsAlias else {
            throw CertAuthorityError(
                .configuration, "\(name): anchors and aliases (&name, *name) are not read here")
        }
        if let maximumIndicators {
            guard marks.indicators <= maximumIndicators else {
                throw CertAuthorityError(
                    .configuration,
                    "\(name): \(marks.indicators) brackets, braces and question marks, at most \(maximumIndicators) are allowed"
                )
            }
            return
        }
        guard !marks.holdsExplicitKey else {
            throw CertAuthorityError(
                .configuration, "\(name): a question mark that begins a word is not read here",
                hint: "put the word in quotes, without a blank before the question mark")
        }
        guard marks.collectionKeys <= Self.maximumCollectionKeys else {
            throw CertAuthorityError(
                .configuration,
                "\(name): \(marks.collectionKeys) colons behind a bracket or brace, at most \(Self.maximumCollectionKeys) are allowed"
            )
        }
    }

    /// What the bytes of a file could be to a YAML reader; in comments and quotes they are nothing, but count all the
    /// same, since only a YAML reader could tell.
    private struct Marks {
        var indicators = 0
        var holdsAnchor = false
        var holdsAlias = false
        var holdsExplicitKey = false
        var collectionKeys = 0
        private var previous: UInt8 = UInt8(ascii: "\n")
        private var isBehindCollection = false

        mutating func count(_ byte: UInt8) {
            if "[{?".utf8.contains(byte) { indicators += 1 }
            let isName = byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || isLetterOrDigit(byte)
            if isName, previous == UInt8(ascii: "&") { holdsAnchor = true }
            if isName, previous == UInt8(ascii: "*") { holdsAlias = true }
            // A word begins behind white space or behind a mark; other line breaks than \n are not ASCII, but YAML's.
            let beginsWord = previous <= 0x20 || previous >= 0x80 || "[{,:".utf8.contains(previous)
            if byte == UInt8(ascii: "?"), beginsWord { holdsExplicitKey = true }
            switch byte {
            case UInt8(ascii: "]"), UInt8(ascii: "}"): isBehindCollection = true
            case UInt8(ascii: " "), UInt8(ascii: "\t"): break
            default:
                if byte == UInt8(ascii: ":"), isBehindCollection { collectionKeys += 1 }
                isBehindCollection = false
            }
            previous = byte
        }
    }
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
}
