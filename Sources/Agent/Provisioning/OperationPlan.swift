// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// What an operation will do on a host, in this order. Making one changes nothing; a dry run shows it, and what is
/// carried out is what is shown.
public struct OperationPlan: Sendable, Hashable {
    /// One thing that is done.
    public enum Action: Sendable, Hashable {
        /// A file or folder is made, changed or removed.
        case change(HostChange)
        /// A program runs.
        case run(HostCommand)
        /// The processes of a session end.
        case endSession(SessionSummary)
    }

    /// When a step is done, and what keeps it from being done.
    enum Stage: Int, Sendable, Comparable, CaseIterable {
        /// A decision is written down. When that fails, nothing of its account follows.
        case deciding
        /// Access goes: whatever else fails.
        case taking
        /// Accounts are made, which what follows names, unless something of the account failed.
        case creating
        /// Access comes, unless something of the account failed.
        case giving
        /// Sessions end: whatever else fails.
        case ending
        /// What says that all is done, unless something of the account failed.
        case closing

        static func < (one: Stage, other: Stage) -> Bool { one.rawValue < other.rawValue }
    }

    /// An action, for whom and why.
    public struct Step: Sendable, Hashable {
        public let action: Action
        /// The account whose grants need it; a failure is theirs alone. nil for what all need.
        public let account: LocalName?
        /// Why: one line.
        public let purpose: String
        let stage: Stage

        init(_ action: Action, for account: LocalName? = nil, _ purpose: String, at stage: Stage = .taking) {
            self.action = action
            self.account = account
            self.purpose = purpose
            self.stage = stage
        }
    }

    public internal(set) var steps: [Step]
    /// What people should know: one line each, escaped.
    public internal(set) var notes: [String]

    /// What could not be planned.
    let failures: OperationFailures

    public init(_ steps: [Step] = [], notes: [String] = []) {
        self.init(steps, notes: notes, failures: OperationFailures())
    }

    init(_ steps: [Step], notes: [String], failures: OperationFailures) {
        self.steps = steps
        self.notes = notes
        self.failures = failures
    }

    public var isEmpty: Bool { steps.isEmpty }

    /// The plan for people, each step with its purpose; files as differences.
    public var text: String {
        var lines: [String] = []
        for step in steps {
            switch step.action {
            case .change(let change): lines.append(Plan([Plan.Step(change, step.purpose)]).text)
            case .run, .endSession: lines.append(step.headline)
            }
            lines.append("")
        }
        if steps.isEmpty { lines = ["nothing to change"] } else { lines.removeLast() }
        return (lines + notes.map { "note: \($0)" }).joined(separator: "\n")
    }

    /// The steps, one line each.
    public var headlines: [String] { steps.map(\.headline) }

    /// The plan as a program reads it: `steps` in their order, then `notes`.
    public var json: JSONValue {
        .object([
            .init("steps", .array(steps.map(\.json))), .init("notes", .array(notes.map { .string($0) })),
        ])
    }
}

/// What failed, and for whom.
struct OperationFailures: Sendable, Hashable {
    private var accounts: [LocalName?] = []
    private var errors: [AgentError.Reason] = []

    var isEmpty: Bool { errors.isEmpty }
    var first: AgentError? { errors.first?.error }

    mutating func add(_ error: AgentError, for account: LocalName?) {
        accounts.append(account)
        errors.append(AgentError.Reason(error))
    }

    /// What concerns an account: its own failures, and those that are everybody's. A step that is nobody's own is kept by
    /// the latter alone.
    func concerning(_ account: LocalName?) -> AgentError? {
        let index = accounts.firstIndex { $0 == nil || $0 == account }
        return index.map { errors[$0].error }
    }
}

extension AgentError {
    /// An error to compare by what it says.
    struct Reason: Sendable, Hashable {
        let error: AgentError

        init(_ error: AgentError) { self.error = error }

        static func == (one: Reason, other: Reason) -> Bool {
            one.error == other.error && one.error.reason.utf8.elementsEqual(other.error.reason.utf8)
        }

        func hash(into hasher: inout Hasher) { hasher.combine(error.reason) }
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
    /// The step in one line.
    var headline: String {
        let what =
            switch action {
            case .change(let change): "\(change.action) \(change.path.escapedForTerminal)"
            case .run(let command): "run \(command.text)"
            case .endSession(let session):
                "end session \(session.id.escapedForTerminal) of "
                    + (session.event.account ?? "nobody").escapedForTerminal
            }
        return "\(what): \(purpose.escapedForTerminal)"
    }

    fileprivate var json: JSONValue {
        switch action {
        case .change(let change):
            let plan = Plan([Plan.Step(change, purpose)]).json
            return plan["changes"]?.array?.first ?? .null
        case .run(let command):
            return .object([
                .init("action", "run"), .init("program", .string(command.program)),
                .init("arguments", .array(command.arguments.map { .string($0) })),
                .init("purpose", .string(purpose)),
            ])
        case .endSession(let session):
            return .object([
                .init("action", "end session"), .init("session", .string(session.id)),
                .init("account", session.event.account.map { .string($0) } ?? .null),
                .init("purpose", .string(purpose)),
            ])
        }
    }
}
