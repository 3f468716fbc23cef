// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A comma-separated list of patterns with `*`, `?` and, before one, `!` (PATTERNS in ssh_config(5)).
public struct PatternList: Sendable, Hashable {
    /// The patterns as they were written, each with its `!`.
    public let patterns: [ExactText]

    /// The longest pattern that `match_pattern_list` (match.c) tries: at 1,023 bytes it gives up on the whole list.
    static let patternBytes = 1_022

    /// Checks the patterns.
    ///
    /// - Throws: `.invalidValue` for no pattern, an empty one or one with a comma, `.notText` for control characters,
    ///   `.tooLong`.
    public init(_ patterns: [ExactText], _ field: StaticString) throws(SSHWireError) {
        guard !patterns.isEmpty else { throw SSHWireError(.invalidValue, "\(field): no pattern") }
        var total = patterns.count - 1
        for pattern in patterns {
            let bytes = pattern.bytes
            guard !bytes.isEmpty, bytes != [UInt8(ascii: "!")] else {
                throw SSHWireError(.invalidValue, "\(field): an empty pattern")
            }
            guard !bytes.contains(UInt8(ascii: ",")) else {
                throw SSHWireError(
                    .invalidValue,
                    "\(field): \"\(pattern.string.escapedForTerminal)\" has a comma and would be read as two")
            }
            guard !bytes.contains(where: { $0.isControl || $0 == 0x09 }) else {
                throw SSHWireError(.notText, "\(field): a control character in a pattern")
            }
            guard bytes.count <= Self.patternBytes else {
                throw SSHWireError(
                    .tooLong, "\(field): a pattern of \(bytes.count) bytes, at most \(Self.patternBytes)")
            }
            total += bytes.count
        }
        guard total <= Limits.patternListBytes else {
            throw SSHWireError(
                .tooLong, "\(field): \(total) bytes, at most \(Limits.patternListBytes) are allowed")
        }
        self.patterns = patterns
    }

    /// Parses the list.
    init(_ bytes: some Collection<UInt8>, _ field: StaticString) throws(SSHWireError) {
        guard bytes.count <= Limits.patternListBytes else {
            throw SSHWireError(
                .tooLong, "\(field): \(bytes.count) bytes, at most \(Limits.patternListBytes) are allowed")
        }
        try self.init(
            bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map {
                ExactText(part: $0)
            }, field)
    }

    /// The list as text.
    public var text: String { patterns.map(\.string).joined(separator: ",") }

    /// True when a pattern matches and none with `!` does.
    ///
    /// The steps are bounded by the list's length times the name's: no pattern is ever tried twice at one place.
    ///
    /// - Parameter ignoringCase: for host names; ASCII letters only, as OpenSSH does.
    public func matches(_ name: ExactText, ignoringCase: Bool = false) -> Bool {
        guard name.string.utf8.count <= Limits.matchedNameBytes else { return false }
        let name = ignoringCase ? name.asciiLowercased : name
        var isMatched = false
        for pattern in patterns {
            let isNegated = pattern.string.utf8.first == UInt8(ascii: "!")
            let bare = isNegated ? ExactText(part: pattern.bytes.dropFirst()) : pattern
            guard HostPattern.matches(ignoringCase ? bare.asciiLowercased : bare, name) else { continue }
            if isNegated { return false }
            isMatched = true
        }
        return isMatched
    }
}

extension ExactText {
    /// The text with ASCII capitals made small.
    var asciiLowercased: ExactText { ExactText(part: bytes.map(\.lowercased)) }
}
