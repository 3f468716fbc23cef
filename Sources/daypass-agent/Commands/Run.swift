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
            SIGTERM and SIGINT end it, SIGHUP makes it read its settings again. One runs for each state folder.
            """)

    @OptionGroup var folders: SessionFolders
    @Option(
        help: ArgumentHelp("The host's name in its records; this machine's as a rule.", valueName: "name"))
    var hostID: String?
    @Option(
        help: ArgumentHelp(
            "Look only at processes of this sshd; else at those of every sshd.", valueName: "program"))
    var sshdBinary: String?
    @Option(help: ArgumentHelp("Begin a new file of records at this size.", valueName: "bytes"))
    var rotateBytes = RecordLimits().fileBytes
    @Option(help: ArgumentHelp("Begin a new file of records after this time (30d).", valueName: "time"))
    var rotateAfter: String?
    @Option(help: ArgumentHelp("Keep at most this much of records.", valueName: "bytes"))
    var keepBytes = RecordLimits().keptBytes
    @Option(help: ArgumentHelp("Keep at most this many full files of records.", valueName: "count"))
    var keepFiles = RecordLimits().keptFiles

    func validate() throws {
        guard rotateBytes > 0, keepBytes > 0, keepFiles > 0 else {
            throw ValidationError("--rotate-bytes, --keep-bytes and --keep-files: more than 0 expected")
        }
        _ = try rotateAfter.map(parseSeconds)
    }

    func run() throws {
        var settings = AgentService.Settings(layout: folders.layout, host: hostID ?? hostName())
        settings.sshdBinary = sshdBinary
        settings.limits.fileBytes = rotateBytes
        settings.limits.keptBytes = keepBytes
        settings.limits.keptFiles = keepFiles
        if let rotateAfter { settings.limits.fileSeconds = try parseSeconds(rotateAfter) }
        // MERGE: the check for drift and the reader of sshd's messages are parts.
        let service = try AgentService(settings, parts: [], say: Terminal.note) {
            () throws(AgentError) in
            // MERGE: TrustRecovery.recoverIfNeeded belongs here.
        }
        try service.run()
    }
}
