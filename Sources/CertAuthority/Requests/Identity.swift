// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Who a certificate is made for, or who asked for something, as logs and key IDs name them.
public struct Identity: Sendable, Hashable, CustomStringConvertible {
    /// 1 to 256 bytes without control characters, `#` or white space around it.
    public let text: ExactText

    /// The longest identity, in bytes: with `#` and a serial it stays readable in one line of sshd's log.
    public static let maximumBytes = 256

    /// - Parameter field: what the error calls it.
    public init(_ text: String, field: String = "identity") throws(CertAuthorityError) {
        try checkText(text, field: field, maximumBytes: Self.maximumBytes)
        guard text.first?.isWhitespace == false, text.last?.isWhitespace == false else {
            throw CertAuthorityError(.invalidRequest, "\(field): white space around it")
        }
        guard !text.utf8.contains(UInt8(ascii: "#")) else {
            throw CertAuthorityError(
                .invalidRequest,
                "\(field) \"\(text.escapedForTerminal)\": # separates identity and serial in a key ID")
        }
        self.text = ExactText(text)
    }

    public var description: String { text.string }
}

/// Refuses what is empty, longer than `maximumBytes` or holds control or format characters.
func checkText(_ text: String, field: String, maximumBytes: Int) throws(CertAuthorityError) {
    guard text.utf8.count <= maximumBytes else {
        throw CertAuthorityError(
            .invalidRequest, "\(field): \(text.utf8.count) bytes, at most \(maximumBytes) are allowed")
    }
    // Most begin with a visible character of ASCII.
    guard (0x21...0x7e).contains(text.utf8.first ?? 0) || !text.allSatisfy(\.isWhitespace) else {
        throw CertAuthorityError(.invalidRequest, "\(field): empty")
    }
    guard !text.holdsControlCharacters else {
        throw CertAuthorityError(
            .invalidRequest, "\(field) \"\(text.escapedForTerminal)\": control characters are not allowed")
    }
}

/// Refuses what is no word of `a-z`, `0-9` and `extra`, which none of `extra` begins.
func checkWord(
    _ word: String, field: String, maximumBytes: Int, extra: String
) throws(CertAuthorityError) {
    try checkText(word, field: field, maximumBytes: maximumBytes)
    let isPlain = word.utf8.allSatisfy { byte in
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || extra.utf8.contains(byte)
    }
    guard isPlain, let first = word.utf8.first, !extra.utf8.contains(first) else {
        throw CertAuthorityError(
            .invalidRequest,
            "\(field) \"\(word.escapedForTerminal)\": letters a to z, digits and \(extra) expected, first a letter or digit"
        )
    }
}
