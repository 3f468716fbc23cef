// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// An e-mail address in the one spelling that is an identity.
///
/// Taken are ASCII addresses of letters, digits and `.` `_` `+` `-` `'` `=` `~` `&` before one `@`, and a domain of two or
/// more names behind it. ASCII letters become lower-case, and nothing else is changed: dots and what follows a plus are
/// part of the name. Everything else is refused, so nothing needs to be normalised, and no two addresses that a reader
/// could take for each other but by case are ever both taken: for case, ``IdentityBindings`` has the last word.
struct EmailAddress {
    let text: String
    let domain: String

    /// The longest address, in bytes (RFC 5321, section 4.5.3.1).
    static let maximumBytes = 254
    /// The longest name before the `@`, in bytes.
    static let maximumLocalBytes = 64

    /// - Throws: `.identity`.
    init(_ text: String) throws(SignInError) {
        func refusal(_ why: String) -> SignInError {
            SignInError(
                .identity, "e-mail address \"\(String(text.prefix(100)).escapedForTerminal)\": \(why)",
                hint: "let the provider's subject be the identity where addresses can't be")
        }
        guard text.utf8.allSatisfy({ (0x21..<0x7f).contains($0) }) else {
            throw refusal("ASCII without spaces expected")
        }
        guard text.utf8.count <= Self.maximumBytes else {
            throw refusal("at most \(Self.maximumBytes) characters are allowed")
        }
        // Of ASCII alone, which no language lowers in another way.
        let lower = text.lowercased()
        let parts = lower.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw refusal("one @ expected") }
        guard Self.isLocal(parts[0]) else {
            throw refusal(
                "letters, digits and . _ + - ' = ~ & expected before the @, no dot first, last or twice in a row"
            )
        }
        guard Self.isDomain(String(parts[1])) else { throw refusal("a domain like example.com expected") }
        self.text = lower
        domain = String(parts[1])
    }

    private static func isLocal(_ text: Substring) -> Bool {
        guard (1...maximumLocalBytes).contains(text.utf8.count) else { return false }
        let words = text.split(separator: ".", omittingEmptySubsequences: false)
        return words.allSatisfy { word in
            !word.isEmpty && word.utf8.allSatisfy { isLowerOrDigit($0) || "_+-'=~&".utf8.contains($0) }
        }
    }

    /// True for two or more names of lower-case ASCII letters, digits and hyphens (RFC 1123, section 2.1).
    static func isDomain(_ text: String) -> Bool {
        guard text.utf8.count <= 253 else { return false }
        let names = text.split(separator: ".", omittingEmptySubsequences: false)
        // An address in the form of a domain (RFC 5321, section 4.1.3) ends with a number.
        guard names.count >= 2, let last = names.last, last.utf8.contains(where: { !isDigit($0) }) else {
            return false
        }
        return names.allSatisfy { name in
            (1...63).contains(name.utf8.count) && name.first != "-" && name.last != "-"
                && name.utf8.allSatisfy { isLowerOrDigit($0) || $0 == UInt8(ascii: "-") }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x7a).contains(byte)
    }
}
