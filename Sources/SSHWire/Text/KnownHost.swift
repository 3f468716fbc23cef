// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A line of known_hosts: a marker, hosts, a key, a comment (SSH_KNOWN_HOSTS FILE FORMAT in sshd(8)).
public struct KnownHost: TextFileLine {
    public static let fileName: StaticString = "known_hosts"
    /// Base64 and comments take a carriage return at the end for white space.
    public static let allowsCarriageReturns = true

    /// What a line says about its key.
    public enum Marker: String, Sendable, CaseIterable {
        /// No marker: the hosts have this key.
        case host = ""
        /// The key may sign the hosts' certificates.
        case certAuthority = "@cert-authority"
        /// The key must never be accepted.
        case revoked = "@revoked"
    }

    /// Which hosts a line is about.
    public enum Hosts: Sendable, Hashable {
        /// Compared without regard to the case of ASCII letters; `[host]:port` names a port other than 22.
        case patterns(PatternList)
        case hashed(HashedHostName)

        /// True when the line is about `host`.
        public func matches(_ host: HostName) -> Bool {
            switch self {
            case .patterns(let list): list.matches(host.text, ignoringCase: true)
            case .hashed(let hashed): hashed.matches(host)
            }
        }

        fileprivate var text: String {
            switch self {
            case .patterns(let list): list.text
            case .hashed(let hashed): hashed.text
            }
        }
    }

    public let marker: Marker
    public let hosts: Hosts
    public let key: PublicKey
    public let comment: ExactText

    /// A line of parts.
    ///
    /// - Throws: `.invalidValue` for patterns that would not come back: with a blank, or beginning as a comment, a
    ///   marker or a hash does.
    public init(
        _ marker: Marker = .host, hosts: Hosts, key: PublicKey, comment: ExactText = ""
    ) throws(SSHWireError) {
        if case .patterns(let list) = hosts {
            let bytes = Array(list.text.utf8)
            guard !bytes.contains(where: \.isBlank), let first = bytes.first, !"#@|".utf8.contains(first)
            else {
                throw SSHWireError(
                    .invalidValue,
                    "known_hosts: \"\(list.text.prefix(64).description.escapedForTerminal)\" is no list of hosts"
                )
            }
        }
        try checkComment(comment)
        self.marker = marker
        self.hosts = hosts
        self.key = key
        self.comment = comment
    }

    /// Parses a line.
    ///
    /// - Throws: `.invalidValue` for an unknown or a second marker, `.nestedCertificate` for a certificate.
    public init(line: String) throws(SSHWireError) {
        var scanner = LineScanner(try lineBytes(line, Self.fileName))
        scanner.skipBlanks()
        let marker = try scanner.readMarker()
        let names = scanner.readWord()
        let hosts: Hosts =
            names.first == UInt8(ascii: "|")
            ? .hashed(try HashedHostName(names)) : .patterns(try PatternList(names, "known_hosts"))
        let key = try scanner.readKey().plainKey(Self.fileName)
        try self.init(marker, hosts: hosts, key: key, comment: scanner.readComment())
    }

    public var line: String {
        [marker.rawValue, hosts.text, key.text, comment.string].filter { !$0.isEmpty }.joined(separator: " ")
    }
}

extension LineScanner {
    fileprivate mutating func readMarker() throws(SSHWireError) -> KnownHost.Marker {
        guard next == UInt8(ascii: "@") else { return .host }
        let word = readWord()
        guard let marker = KnownHost.Marker(rawValue: ExactText(part: word).string),
            next != UInt8(ascii: "@")
        else {
            throw SSHWireError(
                .invalidValue, "known_hosts: one marker expected, @cert-authority or @revoked")
        }
        return marker
    }
}
