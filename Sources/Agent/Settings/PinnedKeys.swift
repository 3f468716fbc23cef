// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Keys that a host keeps when it joins, and believes from then on whatever a server says: once written, a server's answer
/// never changes them.
public struct PinnedKeys: Sendable {
    /// The file, one public key a line.
    public let path: String
    public let keys: [PublicKey]
    /// What they are, for errors: "fleet root".
    public let what: String

    /// The largest file, in bytes.
    private static let maximumBytes = 64 << 10

    public init(_ keys: [PublicKey], what: String, path: String) {
        self.keys = keys
        self.what = what
        self.path = path
    }

    /// Whether the file is still to be written.
    ///
    /// - Throws: `.conflict` when it is there without one of these keys; `.invalidRequest` when it can't be read.
    public func mustBeWritten(_ files: any HostFiles) throws(AgentError) -> Bool {
        guard let content = try files.read(path, maximumBytes: Self.maximumBytes) else {
            return !keys.isEmpty
        }
        let pinned = try TrustSettings.AuthorityKey.parse(content.bytes, name: path).map(\.key)
        guard let other = keys.first(where: { !pinned.contains($0) }) else { return false }
        throw AgentError(
            .conflict,
            "\(path.escapedForTerminal) pins the \(what) \(pinned.map(\.fingerprint).joined(separator: ", ")), and the "
                + "server names \(other.fingerprint)",
            hint: "if the fleet really has another one, take that file away and register again")
    }

    /// Writes the file, and its folder where there is none.
    public func write(_ files: any HostFiles, owner: FileOwner) throws(AgentError) {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex,
            try files.folder(String(path[..<slash])) == nil
        {
            try files.makeFolder(String(path[..<slash]), owner.attributes(mode: 0o755))
        }
        let text = keys.map { "\($0.text)\n" }.joined()
        try files.create(path, FileContent(Array(text.utf8), owner.attributes(mode: 0o644)))
    }
}

/// What an administrator says that the fleet's root is, so that a server needn't be believed at all.
public enum ExpectedRoot: Sendable, Hashable {
    /// As ssh-keygen writes it: `SHA256:…`.
    case fingerprint(String)
    case keys([PublicKey])

    /// The keys to pin.
    ///
    /// - Throws: `.conflict` when the server names another key, or none where only a fingerprint is known.
    public func pinned(_ named: [PublicKey]) throws(AgentError) -> [PublicKey] {
        let isExpected: (PublicKey) -> Bool
        let expected: String
        switch self {
        case .fingerprint(let fingerprint):
            isExpected = { $0.fingerprint == fingerprint }
            expected = fingerprint
        case .keys(let keys):
            isExpected = keys.contains
            expected = keys.map(\.fingerprint).joined(separator: ", ")
        }
        if let other = named.first(where: { !isExpected($0) }) {
            throw AgentError(
                .conflict,
                "the server names \(other.fingerprint) as the fleet's root, and \(expected.escapedForTerminal) is expected",
                hint: "ask whoever keeps the root key; nothing is pinned or configured")
        }
        if case .keys(let keys) = self { return keys }
        guard !named.isEmpty else {
            throw AgentError(
                .conflict,
                "the server names no root of the fleet, and \(expected.escapedForTerminal) is expected",
                hint:
                    "name the root's public key file instead, or upload a first statement: daypass fleet trust"
            )
        }
        return named
    }
}
