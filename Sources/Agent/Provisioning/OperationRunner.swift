// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Carries out the steps of a plan, each exactly as it was shown.
struct OperationRunner {
    let host: ProvisioningHost

    /// Seconds that a program may take: userdel removes a home, tar keeps one.
    private static let programSeconds = 600

    /// Does every step that nothing of its own account keeps from being done: what is taken from one does not wait for
    /// what another gets.
    ///
    /// - Parameter earlier: what failed before.
    func run(
        _ steps: some Sequence<OperationPlan.Step>, after earlier: OperationFailures = OperationFailures()
    ) -> OperationFailures {
        var failures = earlier
        var undecided = OperationFailures()
        for step in steps {
            let obstacle: OperationFailures =
                switch step.stage {
                case .deciding, .taking, .ending: undecided
                case .creating, .giving, .closing: failures
                }
            guard obstacle.concerning(step.account) == nil else { continue }
            do throws(AgentError) {
                try run(step)
            } catch {
                failures.add(error, for: step.account)
                if step.stage == .deciding, !forget(step, error) { undecided.add(error, for: step.account) }
            }
        }
        return failures
    }

    /// An end that a full disk has no room for: without its record, a grant gives nothing either. Only its name is not
    /// remembered then.
    ///
    /// - Returns: true when that was decided in place of what should have been.
    private func forget(_ step: OperationPlan.Step, _ error: AgentError) -> Bool {
        guard error.code == .full, case .change(.file(let path, .some, .some)) = step.action,
            path.hasPrefix(host.layout.grants + "/")
        else { return false }
        do throws(AgentError) {
            try host.files.remove(path)
            return true
        } catch { return false }
    }

    private func run(_ step: OperationPlan.Step) throws(AgentError) {
        switch step.action {
        case .change(.folder(let path, let before, let after)):
            guard let after else { return }
            guard matches(try host.files.folder(path), before) else { throw Self.busy(path) }
            if before == nil {
                try host.files.makeFolder(path, after)
            } else {
                try host.files.changeFolder(path, after)
            }
        case .change(.file(let path, let before, let after)): try change(path, before, after)
        case .run(let command): try run(command)
        case .endSession(let session): try host.sessions.end([(session, step.purpose)])
        }
    }

    private func change(_ path: String, _ before: FileContent?, _ after: FileContent?) throws(AgentError) {
        let found = try host.files.read(path, maximumBytes: Limits.krlBytes)
        // It is so already: an earlier run got this far.
        if matches(found, after) { return }
        guard matches(found, before) else { throw Self.busy(path) }
        guard let after else { return try host.files.remove(path) }
        guard path.hasPrefix(host.places.sudoersFolder + "/") else {
            return try host.files.replace(path, after)
        }
        try putSudoers(path, after)
    }

    /// Asks sudo about a file of its own before it is in place: one that sudo cannot read may lock everybody out.
    private func putSudoers(_ path: String, _ content: FileContent) throws(AgentError) {
        let staged = stagedName(path)
        try host.files.remove(staged)
        try host.files.create(staged, content)
        do throws(AgentError) {
            let result = try host.programs.run(host.places.visudo, ["-c", "-q", "-f", staged])
            guard result.succeeded else {
                throw AgentError(
                    .program,
                    "sudo would not read \(path.escapedForTerminal): \(result.complaint)\(result.outputLine)")
            }
            try host.files.rename(staged, to: path)
        } catch {
            try? host.files.remove(staged)
            throw error
        }
    }

    private func run(_ command: HostCommand) throws(AgentError) {
        let result = try host.programs.run(command.program, command.arguments, seconds: Self.programSeconds)
        guard result.succeeded else {
            throw AgentError(
                .program, "\(command.text) failed with status \(result.status): \(result.complaint)")
        }
    }

    private static func busy(_ path: String) -> AgentError {
        AgentError(
            .busy, "\(path.escapedForTerminal) is not any more what it was a moment ago",
            hint: "somebody else changes it: try again")
    }
}

extension ProgramResult {
    /// What it said on standard output, one line, escaped.
    fileprivate var outputLine: String {
        outputText.split(whereSeparator: \.isNewline).joined(separator: "; ").escapedForTerminal
    }
}
