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

    @OptionGroup var service: ServiceOptions
    @Option(
        help: ArgumentHelp("The host's name in its records; this machine's as a rule.", valueName: "name"))
    var hostID: String?

    func run() throws { try service.run(host: hostID ?? hostName(), with: []) }
}
