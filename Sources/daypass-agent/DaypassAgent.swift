// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import Glibc

/// The version of this build.
let agentVersion = "0.1.0"

@main
struct DaypassAgent: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daypass-agent",
        abstract: "Makes a host trust a Daypass authority, and records every login.",
        discussion: "Exit codes: 0 done, 1 failed, 3 the check's answer is no, 64 wrong arguments.",
        version: agentVersion,
        subcommands: [
            Trust.self, HostCertificateCommand.self, Principals.self, ScanCommand.self, RunCommand.self,
            SessionsCommand.self,
            StartCommand.self, KeygenCommand.self, RegisterCommand.self, StatusCommand.self, JWTCommand.self,
            UninstallCommand.self, VersionCommand.self, CommandCommand.self, GrantsCommand.self,
        ])

    static func main() {
        // A reader that goes away, and a file at its limit, are errors of write(2).
        _ = signal(SIGPIPE, SIG_IGN)
        _ = signal(SIGXFSZ, SIG_IGN)
        _ = umask(0o077)
        do {
            var command = try parseAsRoot(LooseArguments.rearranged(Array(CommandLine.arguments.dropFirst())))
            try command.run()
        } catch {
            Failure.exit(error, root: DaypassAgent.self, translate: translate)
        }
    }

    private static func translate(_ error: any Error) -> Failure? {
        switch error {
        case let error as AgentError:
            Failure(
                error.code == .invalidRequest ? ExitStatus.usage : ExitStatus.failed, error.reason,
                hint: error.hint)
        case let error as ControlProtocolError: Failure(ExitStatus.failed, error.reason)
        default: nil
        }
    }
}
