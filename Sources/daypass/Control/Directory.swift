// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlClient
import ControlProtocol
import SSHWire

struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Enrol people's SSH keys, by which they log in (administrators).",
        subcommands: [KeysList.self, KeysAdd.self, KeysRemove.self])
}

struct KeysList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the enrolled keys.")

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let items = try await ClientState().list("/v1/keys")
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        let keys = try items.map { try EnrolledKeyInfo(json: $0) }
        Table(
            ["IDENTITY", "TYPE", "FINGERPRINT", "GROUPS"],
            keys.map { key in
                [
                    key.identity.escapedForTerminal, key.key.keyType.rawValue, key.key.fingerprint,
                    key.groups.map(\.escapedForTerminal).joined(separator: ","),
                ]
            }
        ).print()
    }
}

struct KeysAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Let people log in by their SSH keys.",
        discussion: "A file may be a .pub file, or an authorized_keys file whose every plain key is enrolled."
    )

    @Option(help: ArgumentHelp("Whose they are, for example alice@example.com.", valueName: "IDENTITY"))
    var identity: String

    @Option(help: ArgumentHelp("An e-mail address, for rules that ask for one.", valueName: "ADDRESS"))
    var email: String?

    @Option(
        name: .customLong("group"),
        help: ArgumentHelp("A group they are in (repeatable).", valueName: "GROUP"))
    var groups: [String] = []

    @Argument(help: ArgumentHelp("The public keys.", valueName: "FILE"))
    var files: [String]

    func run() async throws {
        let state = try ClientState()
        // All are read before the first is sent.
        let keys = try files.flatMap(Self.keys)
        for key in keys {
            try await state.ask(
                "POST", "/v1/keys",
                EnrolledKeyInfo(identity: identity, key: key, email: email, groups: groups).json)
            Terminal.say("\(key.fingerprint) logs in as \(identity.escapedForTerminal)")
        }
    }

    private static func keys(_ path: String) throws -> [PublicKey] {
        if let key = try? PublicKeyFile.read(path) { return [key] }
        let file = try AuthorizedKeysFile(try FileIO.read(path, maximumBytes: 1 << 20))
        let keys = file.lines.compactMap { $0.entry?.key }
        guard !keys.isEmpty else {
            throw CertAuthorityError(.key, "\(path.escapedForTerminal): no public key in it")
        }
        return keys
    }
}

struct KeysRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Let a key log in no more, and end its sessions.")

    @Argument(help: ArgumentHelp("The key's fingerprint, or its .pub file.", valueName: "KEY"))
    var key: String

    func run() async throws {
        let fingerprint = key.hasPrefix("SHA256:") ? key : try PublicKeyFile.read(key).fingerprint
        let query = fingerprint.replacing("+", with: "%2B").replacing("/", with: "%2F")
        try await ClientState().ask("DELETE", "/v1/keys?fingerprint=\(query)")
        Terminal.say("\(fingerprint) logs in no more")
    }
}

struct Hosts: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell the control plane which hosts there are (administrators).",
        subcommands: [
            HostsList.self, HostsAdd.self, HostsRemove.self, HostsJoinToken.self, HostsEnroll.self,
            HostsStatus.self,
            HostsPrincipals.self,
        ])
}

struct HostsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the hosts, and how their agents are.")

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let state = try ClientState()
        let items = try await state.list("/v1/hosts")
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        let hosts = try items.map { try HostInfo(json: $0) }
        let agents = try await state.list("/v1/agents").map { try AgentInfo(json: $0) }
        let now = unixTimeNow().seconds
        Table(
            ["HOST", "NAMES", "LABELS", "AGENT"],
            hosts.map { host in
                [
                    host.id.escapedForTerminal, host.names.map(\.escapedForTerminal).joined(separator: ","),
                    spellLabels(host.labels),
                    agents.first { $0.id == host.id }?.words(at: now) ?? "none",
                ]
            }
        ).print()
    }
}

extension AgentInfo {
    /// How its tunnel is.
    fileprivate func words(at now: UInt64) -> String {
        if let connected {
            let list = revocations.map { "revocation list \($0)" } ?? "no revocation list"
            return "connected \(spell(now.subtractingClamped(connected)))"
                + (dialect == "p0" ? " by P0's protocol, " : ", ") + list
        }
        guard let lastSeen else { return "not seen since the server began" }
        return "away, seen \(spell(now.subtractingClamped(lastSeen))) ago"
    }
}

struct HostsAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a host, or change the one with this id.")

    @Argument(help: ArgumentHelp("Its id.", valueName: "ID"))
    var id: String

    @Option(
        name: .customLong("name"),
        help: ArgumentHelp("A name or address that people type (repeatable).", valueName: "NAME"))
    var names: [String] = []

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp(
            "What it belongs to, for example team=infra (repeatable).", valueName: "NAME=VALUE"))
    var labels: [String] = []

    func run() async throws {
        // The same checks as the server's, before anything is sent.
        let host = try ManagedHost(id: id, names: names, labels: try parseLabels(labels))
        try await ClientState().ask(
            "PUT", "/v1/hosts/\(host.id)", HostInfo(id: host.id, names: host.names, labels: host.labels).json)
        Terminal.say("host \(host.id) is known")
    }
}

struct HostsRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Forget a host: no certificate is issued for it any more.")

    @Argument(help: ArgumentHelp("Its id.", valueName: "ID"))
    var id: String

    func run() async throws {
        let host = try ManagedHost(id: id)
        try await ClientState().ask("DELETE", "/v1/hosts/\(host.id)")
        Terminal.say("host \(host.id) is forgotten")
    }
}

struct Logins: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List and end people's sessions with the control plane.",
        subcommands: [LoginsList.self, LoginsEnd.self])
}

struct LoginsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List your sessions, or everybody's.")

    @OptionGroup var format: FormatOptions

    @Flag(help: "Everybody's (administrators).")
    var all = false

    func run() async throws {
        let items = try await ClientState().list("/v1/sessions" + (all ? "?all=true" : ""))
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        let sessions = try items.map { try SessionInfo(json: $0) }
        let now = Int64(clamping: unixTimeNow().seconds)
        Table(
            ["SESSION", "IDENTITY", "BY", "FROM", "AGE", "LEFT"],
            sessions.map { session in
                [
                    session.id, session.identity.escapedForTerminal, session.provider.escapedForTerminal,
                    session.sourceAddress.escapedForTerminal, spell(UInt64(max(now - session.created, 0))),
                    spell(UInt64(max(session.expires - now, 0))),
                ]
            }
        ).print()
    }
}

struct LoginsEnd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "end", abstract: "End a session: it gets no certificate any more.")

    @Argument(help: ArgumentHelp("The session's name.", valueName: "SESSION"))
    var session: String

    func run() async throws {
        guard !session.isEmpty, session.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
            throw Failure(
                ExitStatus.usage, "SESSION: hexadecimal digits expected", hint: "daypass logins list")
        }
        try await ClientState().ask("DELETE", "/v1/sessions/\(session)")
        Terminal.say("ended")
    }
}
