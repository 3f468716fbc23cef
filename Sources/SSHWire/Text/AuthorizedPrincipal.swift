// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A line of an AuthorizedPrincipalsFile: options, then one principal (sshd_config(5), `auth_check_principals_line` in
/// OpenSSH's auth2-pubkeyfile.c).
///
/// sshd cuts such a line at its first `#`, even inside quotes, and takes what stands behind the last blank for the
/// principal. A name or an option that would come out otherwise is refused.
public struct AuthorizedPrincipal: TextFileLine {
    public static let fileName: StaticString = "principals file"
    /// sshd would take the carriage return for the principal's last byte.
    public static let allowsCarriageReturns = false

    /// What a certificate with this principal may be used for.
    public let options: KeyOptions
    /// The principal, compared byte by byte; there are no patterns here.
    public let principal: ExactText

    /// A line of parts.
    ///
    /// - Throws: `.invalidValue` for a principal that is empty or holds a blank, comma, quote or `#`, and for options
    ///   that sshd refuses here (`cert-authority`, `principals`) or would cut; `.notText`, `.tooLong`.
    public init(_ principal: ExactText, options: KeyOptions = .none) throws(SSHWireError) {
        let bytes = principal.bytes
        guard !bytes.isEmpty else { throw SSHWireError(.invalidValue, "principal: empty") }
        guard bytes.count <= Limits.principalBytes else {
            throw SSHWireError(
                .tooLong, "principal: \(bytes.count) bytes, at most \(Limits.principalBytes) are allowed")
        }
        try refuseControls(bytes, "principal")
        // A comma is one byte of a name here and parts two names in authorized_keys: no name may have one.
        guard !bytes.contains(where: { $0.isBlank || ",\"#".utf8.contains($0) }) else {
            throw SSHWireError(
                .invalidValue,
                "principal \"\(principal.string.escapedForTerminal)\": a blank, comma, quote or # in it")
        }
        guard !options.isCertAuthority, options.principals == nil else {
            throw SSHWireError(
                .invalidValue, "principals file: cert-authority and principals are refused here by sshd")
        }
        // What looks like an option may be a name that was meant to be a second principal.
        guard options.unknownNames.isEmpty else {
            throw SSHWireError(
                .invalidValue,
                "principals file: option \(options.unknownNames[0]) is not known; one principal to a line")
        }
        guard !options.text.utf8.contains(where: { $0 == UInt8(ascii: "#") || $0 == 0x09 }) else {
            throw SSHWireError(
                .invalidValue, "principals file: a # or a tab in an option, where sshd would cut the line")
        }
        self.options = options
        self.principal = principal
    }

    /// Parses a line; what follows `#` is a comment.
    public init(line: String) throws(SSHWireError) {
        let bytes = try lineBytes(line, Self.fileName)
        let content = bytes.prefix { $0 != UInt8(ascii: "#") }
        var trimmed = LineScanner(Array(content))
        trimmed.skipBlanks()
        let text = Array(trimmed.readRest())
        guard let blank = text.lastIndex(where: \.isBlank) else {
            try self.init(ExactText(part: text))
            return
        }
        // sshd looks for the last space, and for a tab only where there is no space.
        guard text[blank] == 0x20 || !text.contains(0x20) else {
            throw SSHWireError(
                .invalidValue, "principals file: a tab behind the last space, which sshd takes for content")
        }
        var scanner = LineScanner(Array(text[..<blank]))
        let options = try scanner.readOptions()
        guard scanner.isAtEnd else {
            throw SSHWireError(.invalidValue, "principals file: more than options before the principal")
        }
        try self.init(ExactText(part: text[(blank + 1)...]), options: options)
    }

    public var line: String { options.options.isEmpty ? principal.string : "\(options.text) \(principal)" }
}

/// An AuthorizedPrincipalsFile.
public typealias AuthorizedPrincipalsFile = TextFile<AuthorizedPrincipal>
