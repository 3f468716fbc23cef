// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire

extension FuzzTarget {
    /// A text as a principal, a host's name, an identity and an extension of a request.
    static let requestText = FuzzTarget("request-text", maximumBytes: 512) { input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self) else { return .refused }
        let users = try attempt { try PrincipalSet(users: [text]) }
        if let users {
            try require(users.names == [ExactText(text)], "a principal is what was asked for")
            try writePrincipal(ExactText(text))
        }
        let hosts = try attempt { try PrincipalSet(hosts: [text], allowWildcards: false) }
        if let hosts {
            try require(hosts.names == [ExactText(text)], "a host's name is what was asked for")
            try require(!text.contains { "*?,".contains($0) }, "a host's name is one name")
        }
        try require(
            try attempt { try PrincipalSet(users: [text, text]) } == nil, "a principal is given once")
        let identity = try attempt { try Identity(text) }
        if let identity { try record(identity) }
        let option = try attempt { try UserOptions.parseExtension(text) }
        if let option {
            let value = try attempt { try option.value?.string ?? "" }
            let written = option.name.string + (option.data.isEmpty ? "" : "=" + (value ?? ""))
            try require(written.utf8.elementsEqual(input), "an extension is what was asked for")
        }
        return users == nil && hosts == nil && identity == nil && option == nil ? .refused : .accepted
    }

    /// sshd's files must say the principal as it is: one name, without options.
    private static func writePrincipal(_ name: ExactText) throws(BrokenProperty) {
        let line = try attempt { try AuthorizedPrincipal(name) }
        try require(line?.line == name.string, "a principal is its line")
        let again = try attempt { try AuthorizedPrincipal(line: name.string) }
        try require(again == line, "a principal's line is read back")
        let options = try attempt { try KeyOptions([.certAuthority, .principals([name])]) }
        guard let options else { throw BrokenProperty("a principal may be an option's value") }
        let key = try attempt {
            let key = try PublicKey(.ed25519([UInt8](repeating: 1, count: 32)))
            return try AuthorizedKey(line: try AuthorizedKey(key, options: options).line)
        }
        try require(key?.options.principals == [name], "an option names the one principal")
    }

    private static func record(_ identity: Identity) throws(BrokenProperty) {
        try requireOneLine("\(identity)", "an identity")
        let entry = try attempt {
            let key = try PublicKey(.ed25519([UInt8](repeating: 1, count: 32)))
            let record = AuthorityRecord(change: .created, role: .user, key: key)
            return LogEntry(milliseconds: 0, requester: identity, event: .authority(record))
        }
        guard let entry, let encoded = try attempt({ try entry.encoded() }) else {
            throw BrokenProperty("anybody can be recorded")
        }
        let again = try attempt { try LogEntry(encoded: encoded.span) }
        try require(again == entry, "who asked for something is read back")
    }
}
