// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import SSHWire

/// What the service is told, with a tunnel or without.
struct ServiceOptions: ParsableArguments {
    @OptionGroup var host: HostOptions
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

    /// Records logins until it is told to stop.
    ///
    /// - Parameters:
    ///   - name: the host's name in its records.
    ///   - others: what the agent does beside that.
    func run(host name: String, with others: [any ServicePart]) throws {
        let layout = host.layout
        var settings = AgentService.Settings(layout: layout, host: name)
        settings.sshdBinary = host.sshdBinary
        settings.limits.fileBytes = rotateBytes
        settings.limits.keptBytes = keepBytes
        settings.limits.keptFiles = keepFiles
        if let rotateAfter { settings.limits.fileSeconds = try parseSeconds(rotateAfter) }
        let service = try AgentService(settings, parts: try parts() + others, say: Terminal.note) {
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
            arguments: ["trust", "verify", "--format", "json"] + host.arguments, say: Terminal.note)
        let grants = GrantPart(
            layout: host.layout, program: "/proc/self/exe",
            arguments: ["grants", "sweep"] + host.arguments, say: Terminal.note)
        var parts: [any ServicePart] = [drift, grants]
        let files = SystemFiles()
        if let account = try LoginAccounts(files).localNumber(of: AccountName(authorizeAccount)) {
            parts.append(AuthorizeSocket(files, host.layout, account: account, say: Terminal.note))
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
