// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A line of authorized_keys: options, a key, a comment (AUTHORIZED_KEYS FILE FORMAT in sshd(8)).
public struct AuthorizedKey: TextFileLine {
    public static let fileName: StaticString = "authorized_keys"
    /// Base64 and comments take a carriage return at the end for white space.
    public static let allowsCarriageReturns = true

    /// What the key may be used for.
    public let options: KeyOptions
    /// The key; with ``KeyOption/certAuthority``, a CA's.
    public let key: PublicKey
    /// Free text.
    public let comment: ExactText

    /// A line of parts.
    ///
    /// - Throws: `.invalidValue` for principals on a key that is no CA's, which sshd refuses
    ///   (`auth_authorise_keyopts` in auth2-pubkeyfile.c), and for comments that would not come back.
    public init(_ key: PublicKey, options: KeyOptions = .none, comment: ExactText = "") throws(SSHWireError) {
        guard options.principals == nil || options.isCertAuthority else {
            throw SSHWireError(
                .invalidValue, "authorized_keys: principals on a key without cert-authority; sshd refuses it")
        }
        try checkComment(comment)
        self.options = options
        self.key = key
        self.comment = comment
    }

    /// Parses a line. What stands before the key is options or an error: it is never skipped.
    ///
    /// - Throws: `.nestedCertificate` for a certificate, which sshd never accepts here.
    public init(line: String) throws(SSHWireError) {
        var scanner = LineScanner(try lineBytes(line, Self.fileName))
        scanner.skipBlanks()
        let options: KeyOptions = scanner.isAtKeyType ? .none : try scanner.readOptions()
        let key = try scanner.readKey().plainKey(Self.fileName)
        try self.init(key, options: options, comment: scanner.readComment())
    }

    public var line: String {
        [options.text, key.text, comment.string].filter { !$0.isEmpty }.joined(separator: " ")
    }
}

/// An authorized_keys file.
public typealias AuthorizedKeysFile = TextFile<AuthorizedKey>
