// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

/// How a change is made and proven: what install and remove take.
struct ChangeCommandOptions: ParsableArguments {
    @Flag(help: "Shows what would be changed, and changes nothing.") var dryRun = false
    @Option(
        help: ArgumentHelp(
            "A program that makes sshd read its configuration, with arguments parted by blanks; no shell sees it.",
            valueName: "command"))
    var reloadCommand: String?
    @Option(
        help: ArgumentHelp(
            "How long everything may take; what is not proven by then is taken back.", valueName: "seconds"))
    var deadline = 60
    @Flag(help: "For an image that is being built: sshd need not run, isn't told, and nobody logs in.")
    var offline = false
    @Option(help: "text or json.") var format = OutputFormat.text

    /// A day: longer than anybody watches.
    static let maximumDeadline = 86_400

    func validate() throws {
        guard (1...Self.maximumDeadline).contains(deadline) else {
            throw ValidationError("--deadline: 1 to \(Self.maximumDeadline) seconds")
        }
        guard reloadCommand == nil || reloadArguments?.first?.hasPrefix("/") == true else {
            throw ValidationError("--reload-command: it must begin with a program's absolute path")
        }
        guard !offline || reloadCommand == nil else {
            throw ValidationError("--offline and --reload-command exclude each other")
        }
    }

    var reloadArguments: [String]? { reloadCommand?.split(separator: " ").map(String.init) }

    /// Plans and applies; plans anew when somebody else changed the host between the two.
    func perform(
        _ action: ChangeJournal.Action, _ host: HostOptions, proof: ChangeOptions.Proof,
        expected: [ExpectedSetting], ssh: String, plan: () throws(AgentError) -> Plan
    ) throws {
        let files = SystemFiles()
        if dryRun {
            let plan = try plan()
            return Terminal.say(format == .json ? plan.json.text : plan.text)
        }
        let isWatched = Terminal.isWatched(2)
        let applier = ChangeApplier(layout: host.layout, tell: { if isWatched { Terminal.note($0 + " …") } })
        let options = ChangeOptions(
            action: action, proof: proof, expected: expected, seconds: deadline,
            reloadCommand: reloadArguments, ssh: ssh,
            deadMan: offline ? nil : try DeadManTimer.find(recovery: host.recovery, files: files))
        for attempt in 1... {
            let plan = try plan()
            if attempt == 1 { for note in plan.notes { Terminal.complain("warning", note) } }
            do throws(AgentError) {
                let report = try applier.apply(plan, to: host.sshd, options)
                return report.show(action.rawValue, changes: plan.steps.count, format)
            } catch {
                guard error.code == .busy, attempt < Self.attempts else { throw error }
                Terminal.complain("warning", "\(error.reason); planning anew")
            }
        }
    }

    /// How often a host that changes meanwhile is looked at again.
    static let attempts = 3
}

extension HostOptions {
    /// What starts the recovery of this host's trust.
    var recovery: [String] {
        [
            "trust", "recover", "--config-folder", configFolder, "--state-folder", stateFolder,
            "--runtime-folder", runtimeFolder,
        ]
    }
}

extension ChangeReport {
    /// Says what was done.
    func show(_ action: String, changes: Int, _ format: OutputFormat) {
        guard format == .text else {
            return Terminal.say(
                JSONValue.object([
                    .init("action", .string(action)), .init("outcome", .string(outcome.rawValue)),
                    .init("changes", .number(Int64(changes))),
                    .init("proofs", .array(proofs.map { .string($0) })),
                    .init("notes", .array(notes.map { .string($0) })),
                ]).text)
        }
        switch outcome {
        case .done: Terminal.say("done: \(changes) changes")
        case .unchanged: Terminal.say("nothing to do")
        case .undone: Terminal.say("taken back: everything is as it was before")
        case .completed: Terminal.say("completed: the change is in force")
        }
        for proof in proofs { Terminal.say("proven: \(proof.escapedForTerminal)") }
        for note in notes { Terminal.complain("warning", note) }
    }
}

/// `trust install`: makes sshd trust an authority.
struct TrustInstall: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Makes sshd trust an authority, proves it, or takes everything back.",
        discussion: """
            Everything is checked before it is in place, and proven after: by what sshd -T says, and by logins over \
            loopback with throw-away certificates, of which one must succeed and others must not. Without proof within \
            the deadline every file is as before, and the exit code is 1.
            """)

    @OptionGroup var trust: TrustOptions
    @OptionGroup(title: "The change") var change: ChangeCommandOptions
    @Option(
        help: ArgumentHelp(
            "The account of the login that proves it; by default root, or the first that may log in.",
            valueName: "account"))
    var proveAs: String?
    @Option(
        help: ArgumentHelp(
            "This host's address and port to which that login goes; by default loopback, or the first that sshd names.",
            valueName: "address:port"))
    var proveAt: String?
    @Flag(help: "Is content with what sshd -T says: nobody logs in.") var noLoginProof = false
    @Option(help: ArgumentHelp("The ssh that logs in.", valueName: "file")) var sshBinary = "/usr/bin/ssh"

    func validate() throws {
        guard proveAs == nil || !(noLoginProof || change.offline) else {
            throw ValidationError("--prove-as goes neither with --no-login-proof nor with --offline")
        }
        guard proveAt == nil || !(noLoginProof || change.offline) else {
            throw ValidationError("--prove-at goes neither with --no-login-proof nor with --offline")
        }
        guard proveAt == nil || place != nil else {
            throw ValidationError(
                "--prove-at: an address in digits and a port expected, as 192.0.2.1:22 or [2001:db8::1]:22")
        }
        guard sshBinary.hasPrefix("/") else {
            throw ValidationError("--ssh-binary: an absolute path expected")
        }
    }

    private var place: LoginEndpoint? { proveAt.flatMap { LoginEndpoint($0) } }

    func run() throws {
        let files = SystemFiles()
        let settings = try trust.settings(files)
        let proof: ChangeOptions.Proof =
            change.offline ? .offline : noLoginProof ? .settings : .login(account: proveAs, at: place)
        if noLoginProof, !change.dryRun {
            Terminal.complain(
                "warning",
                "no login is tried: whether certificates are taken, and bad ones refused, is not shown")
        }
        if settings.onlineCheck != nil, !change.dryRun, !change.offline,
            !AuthorizeSocket.isAnswering(trust.layout)
        {
            Terminal.complain(
                "warning",
                "no agent takes questions at \(trust.layout.authorizeSocket.escapedForTerminal): until one does, the "
                    + "principals files alone decide")
            Terminal.complain(
                "hint", "start daypass-agent run anew, with the same --authorize-account")
        }
        try change.perform(
            .install, trust.host, proof: proof,
            expected: TrustPlanner.wantedSettings(settings, trust.layout).map { ExpectedSetting($0, $1) },
            ssh: sshBinary
        ) { () throws(AgentError) in
            try TrustPlanner.plan(settings, host: files, sshd: trust.sshd, layout: trust.layout)
        }
    }
}
