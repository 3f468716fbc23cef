// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport

@main
struct Daypassd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daypassd",
        abstract: "The control plane of an SSH certificate authority.",
        discussion: """
            Keeps keys, log, settings and policy in one folder: --home, else $DAYPASSD_HOME, else /var/lib/daypassd.

            Exit codes: 0 done, 1 failed, 3 the check's answer is no, 64 wrong arguments.
            """,
        version: "0.1.0",
        subcommands: [
            Init.self, Serve.self, Check.self, SignerCommand.self, Split.self, BackupCommand.self,
            RestoreCommand.self,
        ])

    static func main() async {
        ProcessHardening.apply()
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.exit(error, root: Daypassd.self) { error in
                (error as? CertAuthorityError).map { Failure(ExitStatus.failed, $0.reason, hint: $0.hint) }
            }
        }
    }
}
