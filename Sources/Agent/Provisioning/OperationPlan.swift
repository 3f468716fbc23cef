// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// What an operation will do on a host, in this order. Making one changes nothing; a dry run shows it, and what is
/// carried out is what is shown.
public struct OperationPlan: Sendable, Hashable {
    /// One thing that is done.
    public enum Step: Sendable, Hashable {
        /// A file or folder, and why.
        case change(HostChange, String)
        /// A program with its arguments, and why.
        case run(HostCommand, String)
        /// The end of a session, and why.
        case endSession(SessionSummary, String)
    }

    public internal(set) var steps: [Step]
    /// What people should know: one line each, escaped.
    public internal(set) var notes: [String]

    public init(_ steps: [Step] = [], notes: [String] = []) {
        self.steps = steps
        self.notes = notes
    }

    public var isEmpty: Bool { steps.isEmpty }

    /// The plan for people, each step with its purpose; files as differences.
    public var text: String {
        var lines: [String] = []
        for step in steps {
            switch step {
            case .change(let change, let purpose):
                lines.append(Plan([Plan.Step(change, purpose)]).text)
            case .run(let command, let purpose):
                lines.append("run \(command.text): \(purpose.escapedForTerminal)")
            case .endSession(let session, let purpose):
                let account = session.event.account ?? "nobody"
                lines.append(
                    "end session \(session.id.escapedForTerminal) of \(account.escapedForTerminal): "
                        + purpose.escapedForTerminal)
            }
            lines.append("")
        }
        if steps.isEmpty { lines = ["nothing to change"] } else { lines.removeLast() }
        return (lines + notes.map { "note: \($0)" }).joined(separator: "\n")
    }

    /// The plan as a program reads it: `steps` in their order, then `notes`.
    public var json: JSONValue {
        .object([
            .init("steps", .array(steps.map(\.json))), .init("notes", .array(notes.map { .string($0) })),
        ])
    }
}

/// A program of this host and its arguments; no shell sees them.
public struct HostCommand: Sendable, Hashable {
    /// An absolute path.
    public let program: String
    public let arguments: [String]

    public init(_ program: String, _ arguments: [String]) {
        self.program = program
        self.arguments = arguments
    }

    /// The command for people.
    var text: String {
        ([program] + arguments).map { word in
            word.utf8.allSatisfy { $0.isLetterOrDigit || "._/@+-=:,".utf8.contains($0) } && !word.isEmpty
                ? word : "'\(word.escapedForTerminal)'"
        }.joined(separator: " ")
    }
}

extension OperationPlan.Step {
    fileprivate var json: JSONValue {
        switch self {
        case .change(let change, let purpose):
            let plan = Plan([Plan.Step(change, purpose)]).json
            return plan["changes"]?.array?.first ?? .null
        case .run(let command, let purpose):
            return .object([
                .init("action", "run"), .init("program", .string(command.program)),
                .init("arguments", .array(command.arguments.map { .string($0) })),
                .init("purpose", .string(purpose)),
            ])
        case .endSession(let session, let purpose):
            return .object([
                .init("action", "end session"), .init("session", .string(session.id)),
                .init("account", session.event.account.map { .string($0) } ?? .null),
                .init("purpose", .string(purpose)),
            ])
        }
    }
}
