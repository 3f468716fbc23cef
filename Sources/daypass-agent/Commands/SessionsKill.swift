// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import Glibc
import SSHWire

struct SessionsKill: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill", abstract: "Ends the processes of one session, and no others of its account.",
        discussion: """
            They are asked to end, and killed after three seconds. Who did it and why is recorded before anything \
            is done. The agent does it where one runs.
            """)

    @OptionGroup var folders: SessionFolders
    @Argument(help: "The session's ID, or as much of it as no other open one begins with.") var id: String
    @Option(help: ArgumentHelp("Why; it is recorded.", valueName: "text")) var reason: String

    func validate() throws {
        guard !id.isEmpty, id.utf8.count <= 32, id.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) })
        else {
            throw ValidationError(
                "\(id.escapedForTerminal): a session's ID has up to 32 lower-case hexadecimal digits")
        }
        guard !reason.isEmpty, reason.utf8.count <= KillRequest.maximumReasonBytes else {
            throw ValidationError("--reason: 1 to \(KillRequest.maximumReasonBytes) bytes expected")
        }
    }

    func run() throws {
        let request = KillRequest(session: id, reason: reason, actor: actor())
        let (session, processes) = try KillClient(layout: folders.layout, host: hostName()).kill(request)
        Terminal.say("session \(session.escapedForTerminal): \(processes) processes ended")
    }

    /// Who runs this, as far as that can be known: the login that root's rights came from.
    private func actor() -> String {
        for name in ["SUDO_USER", "LOGNAME", "USER"] {
            if let value = unsafe getenv(name) {
                let text = String(unsafe String(cString: value).prefix(64))
                if !text.isEmpty { return "\(name)=\(text)" }
            }
        }
        return "unknown"
    }
}
