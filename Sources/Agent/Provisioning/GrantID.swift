// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The name of one grant, given by whoever asks for it: P0's `requestId`.
public struct GrantID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let text: String

    /// As long as identifiers are that people still compare.
    public static let maximumBytes = 64

    /// - Parameter field: what it is called where it is refused.
    /// - Throws: `.invalidRequest` for anything but 1 to 64 letters, digits and `._-` of ASCII.
    public init(_ text: String, field: StaticString = "id") throws(AgentError) {
        guard (1...Self.maximumBytes).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0.isLetterOrDigit || "._-".utf8.contains($0) })
        else {
            throw AgentError(
                .invalidRequest,
                "\(field): 1 to \(Self.maximumBytes) letters, digits and ._- expected, and it is \(describe(text))"
            )
        }
        self.text = text
    }

    /// The name as a part of a file's name: sudo reads no file with a dot in its name, so a dot is a plus here, which
    /// no grant's name has. Two names never become one.
    var fileName: String { text.replacing(".", with: "+") }

    public var description: String { text }

    public static func < (one: GrantID, other: GrantID) -> Bool {
        one.text.utf8.lexicographicallyPrecedes(other.text.utf8)
    }
}

/// A local account's or group's name in its strictest spelling: `[a-z_][a-z0-9_-]{0,31}`, as useradd(8) has it.
public struct LocalName: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let text: String

    /// utmp(5) and useradd(8) take no longer ones.
    public static let maximumBytes = 32

    /// - Parameter field: what it is called where it is refused.
    /// - Throws: `.invalidRequest`.
    public init(_ text: String, field: StaticString) throws(AgentError) {
        guard let first = text.utf8.first, first.isLowerCaseLetter || first == UInt8(ascii: "_"),
            text.utf8.allSatisfy({ $0.isLowerCaseLetter || $0.isDecimalDigit || "_-".utf8.contains($0) }),
            text.utf8.count <= Self.maximumBytes
        else {
            throw AgentError(
                .invalidRequest,
                "\(field): a lower-case letter or _, then at most \(Self.maximumBytes - 1) lower-case letters, digits and "
                    + "_- expected, and it is \(describe(text))")
        }
        self.text = text
    }

    public var description: String { text }

    public static func < (one: LocalName, other: LocalName) -> Bool {
        one.text.utf8.lexicographicallyPrecedes(other.text.utf8)
    }
}

extension UInt8 {
    var isLowerCaseLetter: Bool { (0x61...0x7a).contains(self) }
    var isDecimalDigit: Bool { (0x30...0x39).contains(self) }
    var isLetterOrDigit: Bool { isLowerCaseLetter || isDecimalDigit || (0x41...0x5a).contains(self) }
}

/// What came, quoted, escaped and not longer than a line.
func describe(_ text: String) -> String {
    let count = text.utf8.count
    guard count > 0 else { return "empty" }
    let shown = String(decoding: text.utf8.prefix(64), as: UTF8.self).escapedForTerminal
    return count > 64 ? "\"\(shown)…\" (\(count) bytes)" : "\"\(shown)\""
}
