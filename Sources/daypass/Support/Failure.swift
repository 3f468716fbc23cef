// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import Foundation
import SSHWire
import TransparencyLog

/// The documented exit codes.
enum ExitStatus {
    /// A file, a key or the database could not be used.
    static let failed: Int32 = 1
    /// Policy said no.
    static let refused: Int32 = 2
    /// A check was made and its answer is no.
    static let negative: Int32 = 3
    /// The arguments make no sense, by themselves or together.
    static let usage: Int32 = 64
}

/// An end that is no success, with what to tell about it.
struct Failure: Error {
    let status: Int32
    let reason: String
    let hint: String?

    init(_ reason: String, hint: String? = nil) { self.init(ExitStatus.failed, reason, hint: hint) }

    init(_ status: Int32, _ reason: String, hint: String? = nil) {
        self.status = status
        self.reason = reason
        self.hint = hint
    }

    /// Tells what happened on standard error and ends the process.
    static func exit(_ error: any Error) -> Never {
        if Daypass.exitCode(for: error) == .success || error is ExitCode {
            // Help, version, completion scripts, and commands that have said everything.
            Daypass.exit(withError: error)
        }
        let failure = Failure(describing: error)
        Terminal.complain("error", failure.reason)
        if let hint = failure.hint { Terminal.complain("hint", hint) }
        Foundation.exit(failure.status)
    }

    /// The command that was given, as far as its words name one.
    private static func commandGiven() -> String {
        var names = ["daypass"]
        var commands = Daypass.configuration.subcommands
        for word in CommandLine.arguments.dropFirst() {
            guard let command = commands.first(where: { $0._commandName == word }) else { break }
            names.append(word)
            commands = command.configuration.subcommands
        }
        return names.joined(separator: " ")
    }

    /// What to tell about `error`, without its hint.
    static func reason(of error: any Error) -> String { Failure(describing: error).reason }

    private init(describing error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as CertAuthorityError:
            self.init(
                error.code == .invalidRequest ? ExitStatus.usage : ExitStatus.failed, error.reason,
                hint: error.hint)
        case let error as SSHWireError: self.init(ExitStatus.failed, error.reason)
        case let error as TransparencyLogError: self.init(ExitStatus.failed, error.reason)
        default:
            let isUsage = Daypass.exitCode(for: error) == .validationFailure
            // It quotes arguments as they were given.
            let message = Daypass.message(for: error).trimmingCharacters(in: .whitespacesAndNewlines)
                .split(separator: "\n").joined(separator: " ").escapedForTerminal
            self.init(
                isUsage ? ExitStatus.usage : ExitStatus.failed,
                message.prefix(1).lowercased() + message.dropFirst(),
                hint: isUsage ? "\(Self.commandGiven()) --help lists what it takes" : nil)
        }
    }
}
