// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport

@main
struct Daypass: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "daypass",
        abstract: "An SSH certificate authority.",
        discussion: """
            Keeps its keys, log and settings in one folder: --home, else $DAYPASS_HOME, else ~/.daypass.

            Exit codes: 0 done, 1 failed, 2 refused by policy, 3 the check's answer is no, 64 wrong arguments.
            """,
        version: version,
        subcommands: [
            CA.self, Issue.self, Inspect.self, Revoke.self, KRL.self, Log.self, Login.self, Logout.self,
            Status.self, SSHCommand.self, CertificateCommand.self, SSHConfigCommand.self, Policy.self,
            Keys.self, APIKeys.self, IdentitiesCommand.self, Hosts.self, HostSessions.self, Logins.self,
            RequestCommand.self, RequestsCommand.self, ApproveCommand.self, DenyCommand.self,
            WithdrawCommand.self,
            RevokeGrantCommand.self, ReviewsCommand.self, WhoCanCommand.self, WhyCommand.self,
            AlertsCommand.self, FleetCommand.self,
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
            Failure.exit(error)
        }
    }
}
