// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlClient
import ControlProtocol
import Foundation
import SSHWire

struct SSHConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh-config",
        abstract: "Let plain ssh, scp, git and everything above them get certificates by themselves.",
        subcommands: [SSHConfigInstall.self, SSHConfigRemove.self, SSHConfigShow.self, SSHConfigPrepare.self])
}

/// The two files of ssh's that are ours: one line in `~/.ssh/config`, and what it includes.
struct SSHConfigFiles {
    let state: ClientState
    /// The user's own configuration.
    let main: String

    /// The largest configuration that is read, in bytes.
    private static let maximumBytes = 4 << 20
    private static let mark = "# daypass: certificates for hosts of the control plane"

    init(_ state: ClientState, main: String?) throws {
        self.state = state
        if let main {
            self.main = Self.resolved(main)
        } else {
            guard let home = environment("HOME"), home.hasPrefix("/") else {
                throw Failure(ExitStatus.usage, "HOME is not set", hint: "name the file with --file")
            }
            self.main = Self.resolved(home + "/.ssh/config")
        }
    }

    /// Where a link leads, so that it stays one when the file is replaced.
    private static func resolved(_ path: String) -> String {
        URL(filePath: path).resolvingSymlinksInPath().path
    }

    private var block: String { "\(Self.mark)\nInclude \"\(state.sshConfig)\"\n\n" }

    /// What is included: for hosts of the control plane, the host CA, and a certificate that is asked for in time.
    ///
    /// `final` makes ssh read its configuration twice, and looks at what it has made up of `HostName`, `User` and
    /// `Port`, wherever they stand. A name counts as it was typed, else as `HostName` says it.
    ///
    /// - Parameters:
    ///   - program: this program's path.
    ///   - patterns: names of hosts, as `Match host` has them.
    func included(program: String, patterns: [String]) throws -> String {
        for path in [program, state.folder] where !Self.isPlain(path) {
            throw Failure(
                "\(path.escapedForTerminal): ssh's configuration takes a path of letters, digits and /._+@,:=- only",
                hint: path == program ? nil : "choose another place with DAYPASS_STATE")
        }
        let names = patterns.joined(separator: ",")
        // A shell sees names that somebody typed, or that came in a link. Those with a quote or a backslash never get
        // there, so that nothing ends the quotes around them, in a POSIX shell or in fish (attack row 66).
        let unquotable = #""*'*,*\*""#
        func block(_ which: String, _ name: String, _ token: String) -> String {
            """
            Match final \(which) !\(name) \(unquotable) !user \(unquotable) exec "'\(program)' ssh-config prepare --state '\(state.folder)' --name %C -- '\(token)' '%r'"
                IdentityFile "\(state.identities)/%C"
                IdentitiesOnly yes
            """
        }
        return """
            # Written by daypass ssh-config install; it will be written anew.
            Match host "\(names)"
                GlobalKnownHostsFile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2 "\(state.knownHosts)"
            \(block(#"originalhost "\#(names)""#, "originalhost", "%n"))
            \(block(#"!originalhost "\#(names)" host "\#(names)""#, "host", "%h"))

            """
    }

    private static func isPlain(_ path: String) -> Bool {
        path.hasPrefix("/")
            && path.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                    || "/._+@,:=-".utf8.contains(byte)
            }
    }

    /// The main file, nil when there is none.
    private func text() throws -> String? {
        guard FileIO.exists(main) else { return nil }
        let bytes = try FileIO.read(main, maximumBytes: Self.maximumBytes)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure("\(main.escapedForTerminal): not UTF-8")
        }
        return text
    }

    func install(program: String, patterns: [String]) throws {
        try FileIO.write(try included(program: program, patterns: patterns), to: state.sshConfig, mode: 0o600)
        let text = try text()
        if let text, text.contains(block) { return }
        if let slash = main.lastIndex(of: "/") { try FileIO.makeFolder(String(main[..<slash]), mode: 0o700) }
        // At the top: what stands behind a Host or Match line belongs to it.
        try FileIO.write(block + (text ?? ""), to: main, mode: 0o600)
    }

    /// - Returns: false when there was nothing to remove.
    func remove() throws -> Bool {
        FileIO.remove(state.sshConfig)
        guard let text = try text(), let range = text.range(of: block) else { return false }
        try FileIO.write(text.replacingCharacters(in: range, with: ""), to: main, mode: 0o600)
        return true
    }
}

struct SSHConfigOptions: ParsableArguments {
    @Option(help: ArgumentHelp("ssh's configuration (default: ~/.ssh/config).", valueName: "FILE"))
    var file: String?

    func files() throws -> SSHConfigFiles { try SSHConfigFiles(ClientState(), main: file) }
}

struct SSHConfigInstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Add one Include line to ssh's configuration.",
        discussion:
            "Asks the control plane which hosts there are for you. Given again, it brings the list up to date."
    )

    @OptionGroup var options: SSHConfigOptions

    func run() async throws {
        let files = try options.files()
        let patterns = try await patterns(files.state)
        try files.install(program: try Self.programPath(), patterns: patterns)
        Terminal.say("\(files.main.escapedForTerminal) includes \(files.state.sshConfig.escapedForTerminal)")
        Terminal.say("  for \(patterns.joined(separator: ", "))")
    }

    /// Where this program lies.
    private static func programPath() throws -> String {
        guard let path = Bundle.main.executablePath else {
            throw Failure("where this program lies can't be told")
        }
        return path
    }

    /// The patterns that the server speaks for, and the names of the hosts that one may reach.
    private func patterns(_ state: ClientState) async throws -> [String] {
        var patterns = try state.server().info.hostPatterns
        for item in try await state.list("/v1/access") {
            let host = try HostInfo(json: item)
            patterns += [host.id] + host.names
        }
        let usable = patterns.filter(HostPattern.isUsable)
        guard !usable.isEmpty else {
            throw Failure(
                "the control plane names no host for you: its policy lets you enter none that it knows, and its "
                    + "settings have no host_patterns",
                hint:
                    "daypass hosts add tells it of a host; daypass policy explain, why you may not enter one"
            )
        }
        var seen: Set<String> = []
        return usable.filter { seen.insert($0).inserted }
    }
}

struct SSHConfigRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take the Include line out of ssh's configuration again.")

    @OptionGroup var options: SSHConfigOptions

    func run() throws {
        let files = try options.files()
        Terminal.say(
            try files.remove()
                ? "\(files.main.escapedForTerminal) is as it was" : "there was nothing to remove")
    }
}

struct SSHConfigShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what ssh's configuration includes.")

    func run() throws {
        let state = try ClientState()
        guard FileIO.exists(state.sshConfig) else {
            throw Failure("nothing is installed", hint: "daypass ssh-config install")
        }
        Terminal.write(try FileIO.read(state.sshConfig, maximumBytes: 1 << 20))
    }
}

struct SSHConfigPrepare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare",
        abstract: "What ssh runs before a connection: have a certificate ready.",
        shouldDisplay: false)

    @Option var state: String
    @Option var name: String
    @Argument var host: String
    @Argument var login: String

    func run() async throws {
        // `daypass ssh` has a certificate already.
        if environment(SSHCommand.preparedVariable) != nil { throw ExitCode(ExitStatus.failed) }
        let state = ClientState(folder: state)
        do {
            _ = try await Identities(state).ready(
                name, Identities.Wish(host: host, login: login))
        } catch {
            // ssh goes on without: whoever has another way in keeps it.
            let failure = Failure(describing: error, root: Daypass.self, translate: Failure.translate)
            Terminal.complain("daypass", failure.reason)
            if let hint = failure.hint { Terminal.complain("hint", hint) }
            throw ExitCode(failure.status)
        }
    }
}
