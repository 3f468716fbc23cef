// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What the `Match` blocks of a configuration ask about, as far as a scan must know: whether sshd has to be asked about
/// each account, and whether its answers depend on the client.
public struct MatchBlocks: Sendable, Hashable {
    /// The answer differs by account.
    public private(set) var dependOnAccount = false
    /// The answer differs by the client's address or name, or the address that it came to, at "FILE:LINE".
    public private(set) var clientPlaces: [String] = []

    /// `Include` within each other: sshd's own limit (`SERVCONF_MAX_DEPTH` in servconf.c).
    private static let maximumDepth = 16
    /// Files of one configuration: ours.
    private static let maximumFiles = 1_024
    private var files = 0

    public init(configuration: String, files: any HostFiles = SystemFiles()) {
        read(configuration, files, depth: 0)
    }

    private mutating func read(_ path: String, _ host: any HostFiles, depth: Int) {
        guard depth <= Self.maximumDepth, files < Self.maximumFiles,
            let content = (try? host.read(path)) ?? nil
        else {
            // Asking about each account is right whatever the file says.
            dependOnAccount = true
            return
        }
        files += 1
        for (index, line) in content.bytes.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        )
        .enumerated() {
            var words = Self.words(String(decoding: line, as: UTF8.self))[...]
            guard let keyword = words.popFirst()?.lowercased() else { continue }
            if keyword == "match" {
                note(words, "\(path):\(index + 1)")
            } else if keyword == "include" {
                for pattern in words { include(pattern, host, depth) }
            }
        }
    }

    private mutating func include(_ pattern: String, _ host: any HostFiles, _ depth: Int) {
        let path = pattern.hasPrefix("/") ? pattern : "/etc/ssh/" + pattern
        let nobody = HostAccount(name: "root", userID: 0, groupID: 0, home: "/", shell: "")
        for file in (try? AccountFile.expand(path, as: nobody)) ?? [path] {
            // A pattern without a match comes back as it is.
            if file == path, path.contains(where: { "*?[".contains($0) }) { continue }
            read(file, host, depth: depth + 1)
        }
    }

    private mutating func note(_ criteria: ArraySlice<String>, _ place: String) {
        for word in criteria {
            switch word.lowercased().prefix(while: { $0 != "=" }) {
            case "user", "group", "invalid-user": dependOnAccount = true
            case "address", "host", "localaddress", "localport", "rdomain", "version", "sessiontype":
                if clientPlaces.last != place, clientPlaces.count < 64 { clientPlaces.append(place) }
            default: break
            }
        }
    }

    /// Words between blanks, "=" and quotes taken as sshd takes them; nothing for a comment.
    private static func words(_ line: String) -> [String] {
        let trimmed = line.drop { $0 == " " || $0 == "\t" }
        guard trimmed.first != "#" else { return [] }
        return trimmed.split {
            $0 == " " || $0 == "\t" || $0 == "=" || $0 == "\"" || $0 == "\r" || $0 == "\r\n"
        }
        .map(String.init)
    }
}
