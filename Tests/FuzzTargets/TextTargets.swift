// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension FuzzTarget {
    /// An authorized_keys file.
    static let authorizedKeys = FuzzTarget("authorized-keys") { input throws(BrokenProperty) in
        guard let file = try read(AuthorizedKeysFile.self, input) else { return .refused }
        for (_, entry) in file.entries {
            try use(entry.options)
            try require(
                entry.options.principals == nil || entry.options.isCertAuthority,
                "only an authority's line has principals")
        }
        return file.entries.isEmpty ? .refused : .accepted
    }

    /// A principals file.
    static let principals = FuzzTarget("principals") { input throws(BrokenProperty) in
        guard let file = try read(AuthorizedPrincipalsFile.self, input) else { return .refused }
        for (_, entry) in file.entries {
            try use(entry.options)
            try require(!entry.principal.isEmpty, "a line has a principal")
        }
        return file.entries.isEmpty ? .refused : .accepted
    }

    /// A known_hosts file.
    static let knownHosts = FuzzTarget("known-hosts") { input throws(BrokenProperty) in
        guard let file = try read(TextFile<KnownHost>.self, input) else { return .refused }
        guard let known = try attempt({ try KnownHosts(input) }) else { return .refused }
        let names = ["web1.example.com", "192.0.2.1", "::1"]
        for (_, entry) in file.entries.prefix(16) {
            for name in names {
                for port in [22, 2_222] as [UInt16] { try judge(entry, name, port, by: known) }
            }
        }
        return file.entries.isEmpty ? .refused : .accepted
    }

    /// A time as OpenSSH's files write it.
    static let timestamp = FuzzTarget("timestamp", maximumBytes: 48) { input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self),
            let timestamp = try attempt({ try TimestampText(text) })
        else { return .refused }
        try require(try attempt { try TimestampText(timestamp.text) } == timestamp, "a time is read back")
        guard let time = try attempt({ try timestamp.time() }) else {
            try require(!timestamp.isUTC, "a time in UTC is a moment")
            _ = try attempt { try timestamp.time(zoneOffset: .min) }
            _ = try attempt { try timestamp.time(zoneOffset: 86_399) }
            return .accepted
        }
        let written = try attempt { try TimestampText(time).time() }
        try require(written == time, "a moment is read back")
        return .accepted
    }

    /// Takes a file apart and puts it together again, as it was and from its entries.
    static func read<Entry>(
        _: TextFile<Entry>.Type, _ input: [UInt8]
    ) throws(BrokenProperty) -> TextFile<Entry>? {
        guard let file = try attempt({ try TextFile<Entry>(input) }) else { return nil }
        try require(file.bytes == input, "a file that is not touched stays as it was")
        for (_, error) in file.problems { try requireOneLine(error.reason, "a refusal's reason") }
        var copy = TextFile<Entry>()
        for (_, entry) in file.entries {
            try requireLine(entry.line)
            try require(try attempt { try Entry(line: entry.line) } == entry, "an entry is read back")
            copy.append(entry)
        }
        let again = try attempt { try TextFile<Entry>(copy.bytes) }
        try require(again?.entries.map(\.entry) == file.entries.map(\.entry), "entries are read back")
        copy.removeEntries { _ in true }
        try require(copy.bytes.isEmpty, "nothing is left without entries")
        return file
    }

    private static func use(_ options: KeyOptions) throws(BrokenProperty) {
        try require(try attempt { try KeyOptions(options.options) } == options, "options make options")
        _ = (options.permissions, options.command, options.principals, options.unknownNames)
        _ = try attempt { try options.expiry() }
        _ = try attempt { try options.expiry(zoneOffset: -3_600) }
    }

    private static func judge(
        _ entry: KnownHost, _ name: String, _ port: UInt16, by known: KnownHosts
    ) throws(BrokenProperty) {
        let status = try attempt { try known.status(of: entry.key, host: name, port: port) }
        let authority = try attempt { try known.status(ofAuthority: entry.key, host: name, port: port) }
        let authorities = try attempt { try known.authorities(for: name, port: port) }
        guard let status, let authority, let authorities else {
            throw BrokenProperty("a name and a port are judged")
        }
        if entry.marker == .revoked {
            guard case .revoked = status, case .revoked = authority else {
                throw BrokenProperty("a revoked key is revoked, as a host's and as an authority's")
            }
        }
        if case .trusted = authority {
            try require(authorities.contains(entry.key), "who is trusted is among the authorities")
        } else {
            try require(!authorities.contains(entry.key), "who is not trusted is no authority")
        }
    }
}

/// Throws unless the text is one line of a file: no control characters but tabs.
func requireLine(_ line: String) throws(BrokenProperty) {
    let holdsControls = line.utf8.contains { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7f }
    try require(!holdsControls, "a line holds no control characters")
}
