// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import SSHWire

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Records logins, in the foreground, until it is told to stop.",
        discussion: """
            Takes the session hook's reports over a socket and out of the spool, and answers when they are durable. \
            Adds what only sshd's log tells: refused attempts, and every login where PAM is off. Looks every five \
            minutes whether the trust that was installed is still as it was, and says what isn't. Finishes a change of \
            trust whose process died.

            SIGTERM and SIGINT end it, SIGHUP makes it read its settings again. One runs for each state folder.
            """)

    @OptionGroup var host: HostOptions
    @Option(
        help: ArgumentHelp("The host's name in its records; this machine's as a rule.", valueName: "name"))
    var hostID: String?
    @Option(
        help: ArgumentHelp(
            "sshd's log: journal, none, or a file; auto takes the journal, else /var/log/auth.log or secure.",
            valueName: "auto|journal|none|file"))
    var sshdLog = "auto"
    @Option(help: ArgumentHelp("Begin a new file of records at this size.", valueName: "bytes"))
    var rotateBytes = RecordLimits().fileBytes
    @Option(help: ArgumentHelp("Begin a new file of records after this time (30d).", valueName: "time"))
    var rotateAfter: String?
    @Option(help: ArgumentHelp("Keep at most this much of records.", valueName: "bytes"))
    var keepBytes = RecordLimits().keptBytes
    @Option(help: ArgumentHelp("Keep at most this many full files of records.", valueName: "count"))
    var keepFiles = RecordLimits().keptFiles

    @Option(
        help: ArgumentHelp(
            "The account of sshd's AuthorizedPrincipalsCommand; its questions are answered if it exists.",
            valueName: "name"))
    var authorizeAccount = "daypass-authorize"

    func validate() throws {
        guard rotateBytes > 0, keepBytes > 0, keepFiles > 0 else {
            throw ValidationError("--rotate-bytes, --keep-bytes and --keep-files: more than 0 expected")
        }
        _ = try rotateAfter.map(parseSeconds)
    }

    func run() throws {
        let layout = host.layout
        var settings = AgentService.Settings(layout: layout, host: hostID ?? hostName())
        settings.sshdBinary = host.sshdBinary
        settings.limits.fileBytes = rotateBytes
        settings.limits.keptBytes = keepBytes
        settings.limits.keptFiles = keepFiles
        if let rotateAfter { settings.limits.fileSeconds = try parseSeconds(rotateAfter) }
        let service = try AgentService(settings, parts: try parts(), say: Terminal.note) {
            () throws(AgentError) in
            if let report = try TrustRecovery.recoverIfNeeded(layout: layout, tell: Terminal.note) {
                Terminal.note("an unfinished change of trust: \(report.outcome.rawValue)")
            }
        }
        try service.run()
    }

    private func parts() throws -> [any ServicePart] {
        let drift = DriftPart(
            originals: host.layout.originals, program: "/proc/self/exe",
            arguments: [
                "trust", "verify", "--format", "json", "--sshd-config", host.sshdConfig, "--sshd-binary",
                host.sshdBinary, "--config-folder", host.configFolder, "--state-folder", host.stateFolder,
                "--runtime-folder", host.runtimeFolder,
            ], say: Terminal.note)
        let grants = GrantPart(
            layout: host.layout, program: "/proc/self/exe",
            arguments: [
                "grants", "sweep", "--sshd-config", host.sshdConfig, "--sshd-binary", host.sshdBinary,
                "--config-folder", host.configFolder, "--state-folder", host.stateFolder, "--runtime-folder",
                host.runtimeFolder,
            ], say: Terminal.note)
        var parts: [any ServicePart] = [drift, grants]
        if let account = AuthorizeSocket.account(authorizeAccount) {
            parts.append(AuthorizeSocket(SystemFiles(), host.layout, account: account, say: Terminal.note))
        }
        if let source = try logSource() {
            parts.append(
                try SshdLogPart(
                    source: source, layout: host.layout, boot: ProcessTable.bootID(), sshd: host.sshd))
        }
        return parts
    }

    /// Where sshd's messages are, as told or as found.
    private func logSource() throws -> SshdLogPart.Source? {
        let journalctl = "/usr/bin/journalctl"
        switch sshdLog {
        case "none": return nil
        case "journal": return .journal(journalctl: journalctl, arguments: [])
        case "auto":
            let files = SystemFiles()
            if try files.kind("/run/systemd/journal") == .folder, try files.kind(journalctl) == .file {
                return .journal(journalctl: journalctl, arguments: [])
            }
            for path in ["/var/log/auth.log", "/var/log/secure"] where try files.kind(path) == .file {
                return .file(path)
            }
            Terminal.complain(
                "warning",
                "no journal, /var/log/auth.log or /var/log/secure: refused attempts are not recorded")
            return nil
        default:
            guard sshdLog.hasPrefix("/") else {
                throw ValidationError("--sshd-log: auto, journal, none or an absolute path expected")
            }
            return .file(sshdLog)
        }
    }
}
