// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A line of an allowed-signers file: who may sign with a key, for what and when (ALLOWED SIGNERS in ssh-keygen(1),
/// `parse_principals_key_and_options` in OpenSSH's sshsig.c).
public struct AllowedSigner: TextFileLine {
    public static let fileName: StaticString = "allowed signers"
    /// Base64 takes a carriage return at the end for white space.
    public static let allowsCarriageReturns = true

    /// Patterns for the identities that the key stands for.
    public let principals: PatternList
    /// True when the key is a CA's: then certificates that it signed may be used, and the key itself may not.
    public let isCertAuthority: Bool
    /// Patterns for the namespaces that the key may sign for; nil for all.
    public let namespaces: PatternList?
    /// The first second in which it may have signed.
    public let validAfter: TimestampText?
    /// The last second in which it may have signed: unlike in certificates, the end belongs to the time.
    public let validBefore: TimestampText?
    public let key: PublicKey
    public let comment: ExactText

    /// A line of parts.
    ///
    /// - Throws: `.invalidValue` for a time that ends before it begins, for quotes among the principals, and for
    ///   patterns that begin as a comment does.
    public init(
        principals: PatternList, key: PublicKey, isCertAuthority: Bool = false,
        namespaces: PatternList? = nil, validAfter: TimestampText? = nil, validBefore: TimestampText? = nil,
        comment: ExactText = ""
    ) throws(SSHWireError) {
        let bytes = Array(principals.text.utf8)
        guard !bytes.contains(UInt8(ascii: "\"")), bytes.first != UInt8(ascii: "#") else {
            throw SSHWireError(
                .invalidValue, "allowed signers: a quote, or a # at the beginning of the principals")
        }
        if let namespaces {
            try KeyOption.unknown(name: "namespaces", value: ExactText(namespaces.text)).check()
        }
        // Times in the reader's zone are compared among themselves, and with UTC only where the zone is known.
        if let validAfter, let validBefore, validAfter.isUTC == validBefore.isUTC {
            guard try validAfter.time(zoneOffset: 0) < validBefore.time(zoneOffset: 0) else {
                throw SSHWireError(.invalidValue, "allowed signers: valid-before is not after valid-after")
            }
        }
        try checkComment(comment)
        self.principals = principals
        self.isCertAuthority = isCertAuthority
        self.namespaces = namespaces
        self.validAfter = validAfter
        self.validBefore = validBefore
        self.key = key
        self.comment = comment
    }

    /// Parses a line.
    ///
    /// - Throws: `.invalidValue` for options that ssh-keygen does not know, `.duplicate` for one that occurs twice.
    public init(line: String) throws(SSHWireError) {
        var scanner = LineScanner(try lineBytes(line, Self.fileName))
        scanner.skipBlanks()
        let principals = try scanner.readPrincipals()
        let options = scanner.isAtKeyType ? .none : try scanner.readOptions()
        let key = try scanner.readKey().plainKey(Self.fileName)
        let comment = scanner.readComment()
        var isCertAuthority = false
        var values: [ExactText: ExactText] = [:]
        var seen: Set<ExactText> = []
        for option in options.options {
            let name: ExactText
            switch option {
            case .certAuthority:
                name = "cert-authority"
                isCertAuthority = true
            case .unknown(let unknown, let value?):
                name = unknown.asciiLowercased
                guard ["namespaces", "valid-after", "valid-before"].contains(name) else { fallthrough }
                values[name] = value
            default:
                throw SSHWireError(
                    .invalidValue,
                    "allowed signers: option \(option.text.prefix(64).description.escapedForTerminal) is not known"
                )
            }
            guard seen.insert(name).inserted else {
                throw SSHWireError(.duplicate, "allowed signers: option \(name) occurs twice")
            }
        }
        var namespaces: PatternList?
        if let value = values["namespaces"] { namespaces = try PatternList(value.bytes, "option namespaces") }
        var times: [ExactText: TimestampText] = [:]
        for name: ExactText in ["valid-after", "valid-before"] {
            if let value = values[name] { times[name] = try TimestampText(value.string) }
        }
        try self.init(
            principals: principals, key: key, isCertAuthority: isCertAuthority, namespaces: namespaces,
            validAfter: times["valid-after"], validBefore: times["valid-before"], comment: comment)
    }

    public var line: String {
        var options: [KeyOption] = isCertAuthority ? [.certAuthority] : []
        let values = [
            ("namespaces", namespaces?.text), ("valid-after", validAfter?.text),
            ("valid-before", validBefore?.text),
        ]
        for case (let name, let value?) in values {
            options.append(.unknown(name: ExactText(name), value: ExactText(value)))
        }
        let names =
            principals.text.utf8.contains(where: \.isBlank) ? "\"\(principals.text)\"" : principals.text
        return [names, options.map(\.text).joined(separator: ","), key.text, comment.string]
            .filter { !$0.isEmpty }.joined(separator: " ")
    }
}

extension LineScanner {
    /// Reads the principals: a word, or text in quotes in which blanks may stand (`strdelimw` in misc.c).
    fileprivate mutating func readPrincipals() throws(SSHWireError) -> PatternList {
        guard skip(UInt8(ascii: "\"")) else { return try PatternList(readWord(), "allowed signers") }
        let names = read { $0 != UInt8(ascii: "\"") }
        guard skip(UInt8(ascii: "\"")), next?.isBlank == true else {
            throw SSHWireError(
                .invalidValue, "allowed signers: no closing quote and blank behind the principals")
        }
        skipBlanks()
        return try PatternList(names, "allowed signers")
    }
}
