// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// An account's name that is also a plain file name, and means nothing to sshd, a shell or a terminal.
public struct AccountName: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let text: String

    /// - Throws: `.invalidRequest` for anything but letters, digits and `._-@+` of ASCII, with a letter, digit or
    ///   underscore first and perhaps one `$` last, and over 255 bytes.
    public init(_ text: String) throws(AgentError) {
        let bytes = Array(text.utf8)
        let name = bytes.last == UInt8(ascii: "$") ? bytes.dropLast() : bytes[...]
        guard let first = name.first, Self.isWord(first),
            name.allSatisfy({ Self.isWord($0) || ".-@+".utf8.contains($0) }),
            bytes.count <= 255
        else {
            throw AgentError(
                .invalidRequest, "account \"\(text.escapedForTerminal)\": no account's name",
                hint: "letters, digits and ._-@+, a letter, digit or underscore first")
        }
        self.text = text
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || byte == UInt8(ascii: "_")
    }

    public var description: String { text }

    public static func < (one: AccountName, other: AccountName) -> Bool {
        one.text.utf8.lexicographicallyPrecedes(other.text.utf8)
    }
}
