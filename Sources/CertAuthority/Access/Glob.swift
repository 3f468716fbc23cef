// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A pattern of bytes in which `*` stands for any of them and `?` for one.
///
/// Takes at most pattern × text steps (``SSHWire/HostPattern``): both are short, and no pattern takes more.
struct Glob: Sendable, Hashable {
    let text: String
    private let bytes: [UInt8]
    private let isLiteral: Bool

    /// The longest pattern, in bytes: a DNS name has at most 253 (RFC 1035, section 2.3.4).
    static let maximumBytes = 256

    /// - Throws: `.configuration` for an empty or long pattern, control characters, and marks of other languages of
    ///   patterns, which would mean themselves here.
    init(_ text: String) throws(CertAuthorityError) {
        try checkText(text, field: "pattern", maximumBytes: Self.maximumBytes)
        guard !text.utf8.contains(where: { "[]{}!\\ ".utf8.contains($0) }) else {
            throw CertAuthorityError(
                .configuration, "pattern \"\(text.escapedForTerminal)\": only * and ? have a meaning here",
                hint: "several patterns are a list of their own entries")
        }
        self.text = text
        bytes = Array(text.utf8)
        isLiteral = !text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
    }

    /// The one name that it matches; nil where it is a pattern.
    var literal: [UInt8]? { isLiteral ? bytes : nil }

    /// True for patterns of stars alone, which everything matches.
    var matchesEverything: Bool { bytes.allSatisfy { $0 == UInt8(ascii: "*") } }

    func matches(_ name: [UInt8]) -> Bool {
        guard !isLiteral else { return bytes == name }
        guard !name.isEmpty else { return false }
        var (p, n) = (0, 0)
        var retry: (pattern: Int, name: Int)?
        while n < name.count {
            if p < bytes.count, bytes[p] == UInt8(ascii: "*") {
                p += 1
                retry = (p, n)
            } else if p < bytes.count, bytes[p] == UInt8(ascii: "?") || bytes[p] == name[n] {
                p += 1
                n += 1
            } else if let last = retry {
                // Only ever from the last star: what stood before it need not be tried again.
                retry = (last.pattern, last.name + 1)
                (p, n) = (last.pattern, last.name + 1)
            } else {
                return false
            }
        }
        return bytes[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
