// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A public key or certificate as text: `ssh-ed25519 AAAAC3… comment`, the content of a `.pub` file.
///
/// The type's name in front must be the one inside the blob (`sshkey_read` in OpenSSH's sshkey.c).
public struct PublicKeyLine: Sendable, Hashable {
    /// What the line holds; whoever takes keys only asks for KeyOrCertificate/plainKey(_:).
    public let content: KeyOrCertificate
    /// Free text; often `user@host`.
    public let comment: ExactText

    /// A line of parts.
    ///
    /// - Throws: `.notText`, `.invalidValue` or `.tooLong` for a comment with control characters, with blanks
    ///   around it, or over 4,096 bytes.
    public init(_ content: KeyOrCertificate, comment: ExactText = "") throws(SSHWireError) {
        try checkComment(comment)
        self.content = content
        self.comment = comment
    }

    /// Parses one line without its line ending; blanks around it and between its words are skipped.
    ///
    /// - Throws: `.unsupportedType` also for private keys and PEM files, saying what they are; `.tooLong` over
    ///   Limits/textLineBytes.
    public init(_ line: String) throws(SSHWireError) {
        if let refusal = MisplacedContent.refusal(line.utf8) { throw refusal }
        var scanner = LineScanner(try lineBytes(line, "public key line"))
        scanner.skipBlanks()
        guard !scanner.isAtEnd else { throw SSHWireError(.truncated, "public key line: nothing in it") }
        let content = try scanner.readKey()
        try self.init(content, comment: scanner.readComment())
    }

    /// Parses the content of a file that holds one key: exactly one line that is neither blank nor a comment.
    ///
    /// Lines may end as on Windows. A private key or PEM file is refused with a sentence about what it is.
    public init(file content: [UInt8]) throws(SSHWireError) {
        if let refusal = MisplacedContent.refusal(content) { throw refusal }
        var found: PublicKeyLine?
        for line in try TextLines(content, "public key file").lines where !line.isBlankOrComment {
            guard found == nil else {
                throw SSHWireError(.trailingBytes, "public key file: more than one key in it")
            }
            found = try PublicKeyLine(line.text)
        }
        guard let found else { throw SSHWireError(.truncated, "public key file: no key in it") }
        self = found
    }

    /// The line, without a line ending.
    public var text: String {
        let key = "\(content.typeName) \(Base64.encode(content.encoded))"
        return comment.isEmpty ? key : "\(key) \(comment)"
    }
}

extension PublicKey {
    /// The key as text, without a comment or a line ending.
    public var text: String { "\(keyType.rawValue) \(Base64.encode(encoded))" }
}
