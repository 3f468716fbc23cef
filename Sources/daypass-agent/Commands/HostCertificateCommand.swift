// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

struct HostCertificateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host-certificate",
        abstract: "Shows and installs the certificate by which sshd proves this host's names.",
        subcommands: [HostCertificateShow.self, HostCertificateInstall.self])
}

struct HostCertificateShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows the host certificate, and when the next one is asked for.")

    @OptionGroup var host: HostOptions
    @Option(help: "text or json.") var format = OutputFormat.text

    func run() throws {
        let look = HostCertificateLook(SystemFiles(), host.sshd, host.layout)
        guard format == .text else { return Terminal.say(look.json.text) }
        Terminal.say("names         \(look.names.isEmpty ? "none" : look.names.joined(separator: ", "))")
        if let end = look.end { Terminal.say("good until    \(end)") }
        if let renewal = look.renewal { Terminal.say("next renewal  \(renewal)") }
        if let key = look.key { Terminal.say("key           \(key.fingerprint)") }
        if let problem = look.problem {
            Terminal.complain("warning", "no certificate is asked for: \(problem)")
        }
    }
}

struct HostCertificateInstall: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Makes sshd offer a host certificate, proves it, or takes it back.",
        discussion: """
            What trust install wrote stays as it is. A certificate that lacks a name of the installed one, or ends \
            earlier, is refused. The agent does this by itself with the certificates that it gets.
            """)

    @Argument(help: ArgumentHelp("The certificate.", valueName: "file")) var file: String
    @OptionGroup(title: "The host") var host: HostOptions
    @OptionGroup(title: "The change") var change: ChangeCommandOptions
    @Option(
        name: .customLong("removed"), parsing: .singleValue,
        help: ArgumentHelp("A name that this host proves no more; may be repeated.", valueName: "name"))
    var removed: [String] = []
    @Flag(help: "Is content with what sshd -T says: nobody logs in.") var noLoginProof = false
    @Option(help: ArgumentHelp("The ssh that logs in.", valueName: "file")) var sshBinary = "/usr/bin/ssh"

    func run() throws {
        do {
            try install()
        } catch let error as AgentError where change.format == .json {
            Terminal.say(
                JSONValue.object([
                    .init("action", "host-certificate"), .init("problem", .string(error.reason)),
                ]).text)
            throw ExitCode(ExitStatus.failed)
        }
    }

    private func install() throws {
        let files = SystemFiles()
        let path = absolutePath(file)
        guard let content = try files.read(path, maximumBytes: 1 << 20) else {
            throw AgentError(.file, "\(path.escapedForTerminal) does not exist")
        }
        let certificate = try HostCertificate(parsing: content.bytes, name: path)
        func plan() throws(AgentError) -> Plan {
            try HostCertificatePlan.plan(
                certificate, removed: removed, at: unixTimeNow(), host: files, sshd: host.sshd,
                layout: host.layout)
        }
        if change.dryRun {
            let plan = try plan()
            return Terminal.say(change.format == .json ? plan.json.text : plan.text)
        }
        let (report, changes) = try apply(certificate, files, plan)
        guard change.format == .json else {
            return report.show("host-certificate", changes: changes, .text)
        }
        Terminal.say(
            JSONValue.object([
                .init("action", "host-certificate"), .init("outcome", .string(report.outcome.rawValue)),
                .init("names", .array(certificate.names.map(JSONValue.string))),
                .init("validUntil", .string(certificate.end.description)),
                .init("proofs", .array(report.proofs.map(JSONValue.string))),
            ]).text)
    }

    /// Applies the plan; plans anew when somebody else changed the host between the two.
    private func apply(
        _ certificate: HostCertificate, _ files: SystemFiles, _ plan: () throws(AgentError) -> Plan
    ) throws -> (report: ChangeReport, changes: Int) {
        let isWatched = Terminal.isWatched(2)
        let applier = ChangeApplier(layout: host.layout, tell: { if isWatched { Terminal.note($0 + " …") } })
        let options = ChangeOptions(
            action: .install,
            proof: change.offline ? .offline : noLoginProof ? .settings : .login(account: nil),
            expected: [ExpectedSetting("hostcertificate", host.layout.hostCertificate)],
            seconds: change.deadline, reloadCommand: change.reloadArguments, ssh: sshBinary,
            deadMan: change.offline ? nil : try DeadManTimer.find(recovery: host.recovery, files: files),
            hostCertificate: certificate)
        for _ in 1..<ChangeCommandOptions.attempts {
            let plan = try plan()
            do throws(AgentError) {
                return (try applier.apply(plan, to: host.sshd, options), plan.steps.count)
            } catch {
                guard error.code == .busy else { throw error }
            }
        }
        let plan = try plan()
        return (try applier.apply(plan, to: host.sshd, options), plan.steps.count)
    }
}
