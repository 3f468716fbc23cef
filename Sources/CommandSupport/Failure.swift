// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The documented exit codes.
public enum ExitStatus {
    /// A file, a key, a host or a database could not be used.
    public static let failed: Int32 = 1
    /// Policy said no.
    public static let refused: Int32 = 2
    /// A check was made and its answer is no.
    public static let negative: Int32 = 3
    /// The arguments make no sense, by themselves or together.
    public static let usage: Int32 = 64
}

/// An end that is no success, with what to tell about it.
public struct Failure: Error {
    public let status: Int32
    public let reason: String
    public let hint: String?

    public init(_ reason: String, hint: String? = nil) { self.init(ExitStatus.failed, reason, hint: hint) }

    public init(_ status: Int32, _ reason: String, hint: String? = nil) {
        self.status = status
        self.reason = reason
        self.hint = hint
    }

    /// Tells what happened on standard error and ends the process.
    ///
    /// - Parameters:
    ///   - root: the program's outermost command.
    ///   - translate: what the program's own libraries throw, as a failure; `nil` for what it does not know.
    public static func exit(
        _ error: any Error, root: any ParsableCommand.Type, translate: (any Error) -> Failure?
    ) -> Never {
        if root.exitCode(for: error) == .success || error is ExitCode {
            // Help, version, completion scripts, and commands that have said everything.
            root.exit(withError: error)
        }
        let failure = Failure(describing: error, root: root, translate: translate)
        Terminal.complain("error", failure.reason)
        if let hint = failure.hint { Terminal.complain("hint", hint) }
        end(failure.status)
    }

    /// What to tell about `error`, whoever threw it.
    public init(
        describing error: any Error, root: any ParsableCommand.Type, translate: (any Error) -> Failure?
    ) {
        if let failure = error as? Failure ?? translate(error) {
            self = failure
        } else if let error = error as? SSHWireError {
            self.init(ExitStatus.failed, error.reason)
        } else {
            let isUsage = root.exitCode(for: error) == .validationFailure
            // It quotes arguments as they were given.
            let message = root.message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
                .escapedForTerminal
            self.init(
                isUsage ? ExitStatus.usage : ExitStatus.failed,
                message.prefix(1).lowercased() + message.dropFirst(),
                hint: isUsage ? "\(Self.commandGiven(root)) --help lists what it takes" : nil)
        }
    }

    /// The command that was given, as far as its words name one.
    private static func commandGiven(_ root: any ParsableCommand.Type) -> String {
        var names = [root._commandName]
        var commands = root.configuration.subcommands
        for word in CommandLine.arguments.dropFirst() {
            guard let command = commands.first(where: { $0._commandName == word }) else { break }
            names.append(word)
            commands = command.configuration.subcommands
        }
        return names.joined(separator: " ")
    }
}

/// exit(3), which a method of the same name would hide.
private func end(_ status: Int32) -> Never { exit(status) }
