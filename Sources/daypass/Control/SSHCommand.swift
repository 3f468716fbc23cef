// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlClient
import ControlProtocol
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

struct SSHCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh",
        abstract: "Get a certificate for a host and run ssh with it.",
        discussion: """
            What follows the host goes to ssh as it is: options first, then a command. Account and port are what ssh's own \
            configuration says, unless they are given.
            """)

    @Option(help: ArgumentHelp("Why, where the policy asks for it.", valueName: "TEXT"))
    var reason: String?

    @Flag(help: "Where somebody has to approve, ask for it, wait, and go on by itself.")
    var request = false

    @Flag(
        help: "In an emergency: pass without approval, where the policy lets you. Somebody will look at it.")
    var breakGlass = false

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("With --request or --break-glass: for how long.", valueName: "TIME"))
    var duration: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("The account on the host.", valueName: "LOGIN"))
    var login: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("The port.", valueName: "PORT"))
    var port: UInt16?

    @Argument(help: ArgumentHelp("The host, or login@host.", valueName: "HOST"))
    var host: String

    @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("What ssh gets.", valueName: "ARGS"))
    var arguments: [String] = []

    func validate() throws {
        guard duration == nil || request || breakGlass else {
            throw ValidationError("--for goes with --request or --break-glass")
        }
        guard reason != nil || !request && !breakGlass else {
            throw ValidationError("--reason is needed: whoever approves or reviews it reads why")
        }
    }

    /// Set for the ssh that this runs, so that its configuration asks for no second certificate.
    static let preparedVariable = "DAYPASS_PREPARED"

    func run() async throws {
        let state = try ClientState()
        var (name, user) = (Substring(host), login)
        if let at = host.lastIndex(of: "@") {
            user = String(host[..<at])
            name = host[host.index(after: at)...]
        }
        guard !name.isEmpty, !name.hasPrefix("-"), user?.hasPrefix("-") != true else {
            throw Failure(ExitStatus.usage, "\(host.escapedForTerminal): no host")
        }
        _ = unsafe setenv(Self.preparedVariable, "1", 1)
        let asked =
            (user.map { ["-l", $0] } ?? []) + (port.map { ["-p", String($0)] } ?? []) + [String(name)]
            + arguments
        let resolved = try SSHResolution(asked)
        let identity = Identities.name(
            host: resolved.hostName, port: resolved.port, login: resolved.user)
        let ready = try await ready(
            state, identity, Identities.Wish(host: String(name), login: resolved.user, reason: reason))
        try Self.execute(
            [
                "ssh", "-o", "IdentityFile=\"\(ready.identityFile)\"", "-o", "IdentitiesOnly=yes", "-o",
                "GlobalKnownHostsFile=/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2 \"\(state.knownHosts)\"",
            ] + asked)
    }

    /// The certificate; where somebody has to approve, once they have.
    private func ready(
        _ state: ClientState, _ identity: String, _ wish: Identities.Wish
    ) async throws -> Identities.Ready {
        let identities = Identities(state)
        do {
            return try await identities.ready(identity, wish)
        } catch ClientError.problem(let problem) where problem.code == .needsApproval {
            guard request || breakGlass, let reason else { throw Self.needsApproval(problem, wish) }
            let requests = AccessRequests(state)
            let made = try await requests.ask(
                NewAccessRequest(
                    host: wish.host, login: wish.login,
                    duration: try duration.map { text in try parseTimeSpan(text, field: "--for") },
                    reason: reason, isBreakGlass: breakGlass))
            if breakGlass {
                Terminal.complain(
                    "warning",
                    "this is without approval: it is in the log, and stays open until somebody reviews it")
            } else if Terminal.isWatched(STDERR_FILENO) {
                Terminal.note("request \(made.id)")
            }
            let granted = try await requests.wait(for: made)
            for line in AccessRequests.missing(granted) { Terminal.complain("warning", line) }
            return try await identities.ready(identity, wish)
        }
    }

    /// What to run.
    private static func needsApproval(_ problem: Problem, _ wish: Identities.Wish) -> Failure {
        Failure(
            ExitStatus.refused,
            (problem.reasons.isEmpty ? [problem.detail] : problem.reasons).map(\.escapedForTerminal)
                .joined(separator: "; "),
            hint: "to ask for it and go in once it is approved: daypass ssh --request --reason WHY "
                + "\(wish.login.escapedForTerminal)@\(wish.host.escapedForTerminal)")
    }

    /// Becomes `command`.
    private static func execute(_ command: [String]) throws -> Never {
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
        _ = unsafe execvp(command[0], &pointers)
        throw Failure("ssh could not be started: \(describeSystemError(errno))")
    }
}

struct CertificateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate",
        abstract: "Get a certificate on a key of yours, and print or write it.",
        discussion: "For keys that stay where they are: a security key, a TPM, a CI system's.")

    @Option(help: ArgumentHelp("The public key to certify.", valueName: "FILE"))
    var key: String

    @Option(help: ArgumentHelp("The host it is for.", valueName: "HOST"))
    var host: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The account on the host.", valueName: "LOGIN"))
    var login: String

    @Option(help: ArgumentHelp("For how long, at most what the policy allows.", valueName: "TIME"))
    var valid: String?

    @Option(
        help: ArgumentHelp(
            "Permit only these, of what the policy gives, or none (repeatable).", valueName: "PERMISSION"))
    var permit: [String] = []

    @Option(help: ArgumentHelp("Why, where the policy asks for it.", valueName: "TEXT"))
    var reason: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Write it here (default: to standard output).", valueName: "FILE"))
    var output: String?

    func run() async throws {
        let state = try ClientState()
        let wish = Identities.Wish(
            host: host, login: login,
            lifetime: try valid.map { text in try parseTimeSpan(text, field: "--valid") },
            permissions: permit.isEmpty ? nil : permit.filter { $0 != "none" }, reason: reason)
        let (certificate, issued) = try await Identities(state).certificate(
            on: try PublicKeyFile.read(key), wish)
        guard let output else { return Terminal.say(issued.certificate) }
        try FileIO.write(issued.certificate + "\n", to: output, mode: 0o644)
        Terminal.say("\(output.escapedForTerminal)")
        Terminal.say(
            "  \(certificate.fields.keyID.string.escapedForTerminal) for \(issued.login.escapedForTerminal) on "
                + "\(issued.host.escapedForTerminal), until \(certificate.fields.validBefore)")
    }
}
