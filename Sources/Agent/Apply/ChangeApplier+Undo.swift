// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension ChangeApplier {
    /// How often the way back, or the last steps of the way there, are tried.
    private static var attempts: Int { 3 }

    /// Takes a change back and says so in the error; keeps the journal when that fails.
    func takeBack(_ change: RunningChange, after error: AgentError) -> AgentError {
        tell("taking everything back: \(error.reason)")
        do throws(AgentError) {
            let notes = try retry { () throws(AgentError) in
                try undo(
                    change.journal,
                    reload: change.told == .nothing ? nil : change.reload, mustTell: change.told == .reloaded)
            }
            change.options.deadMan?.disarm(programs)
            let code: AgentError.Code = error.code == .busy && !change.isSwapped ? .busy : .rolledBack
            return AgentError(
                code, (["\(error.reason); nothing has changed"] + notes).joined(separator: "; "),
                hint: error.hint)
        } catch let second {
            return AgentError(
                second.code,
                "\(error.reason); taking it back failed as well: \(second.reason); the journal is kept",
                hint: "daypass-agent trust recover takes it back when that has been mended")
        }
    }

    /// Ends a proven change; keeps the journal when that fails.
    func end(_ change: RunningChange) throws(AgentError) -> ChangeReport {
        do throws(AgentError) {
            let notes = try retry { () throws(AgentError) in try finish(change.journal) }
            change.options.deadMan?.disarm(programs)
            return ChangeReport(.done, proofs: change.proofs, notes: notes)
        } catch {
            throw AgentError(
                error.code,
                "the change is in force, but something that was there for it could not be removed: \(error.reason)",
                hint: "daypass-agent trust recover removes it when that has been mended")
        }
    }

    private func retry<Result>(_ body: () throws(AgentError) -> Result) throws(AgentError) -> Result {
        for attempt in 1..<Self.attempts {
            do throws(AgentError) {
                return try body()
            } catch {
                pause(milliseconds: Int32(100 * attempt))
            }
        }
        return try body()
    }

    /// Makes everything as it was before a change, from whatever point on; may be interrupted and called again.
    ///
    /// A file that somebody else has changed since is theirs: it stays, and so does what it mentions.
    ///
    /// - Parameters:
    ///   - reload: how sshd is told; nil when it has never read what is taken back.
    ///   - mustTell: when it cannot be told, the rest waits: a running sshd may need the files.
    /// - Returns: what people should know.
    func undo(_ journal: ChangeJournal, reload: Reload?, mustTell: Bool) throws(AgentError) -> [String] {
        var others = OtherHands()
        for temporary in journal.temporaries {
            try restore(temporary.path, from: [temporary.proof], to: temporary.final, &others)
        }
        // What the configuration that was there names comes first, then the configuration.
        for isReferred in [true, false] {
            for step in journal.steps.reversed() where step.isReferred == isReferred {
                switch step.change {
                case .file(let path, let before, let after):
                    if isReferred, before == nil { continue }
                    try restore(path, from: [after], to: before, &others)
                case .folder(let path, let before?, let after?):
                    if matches(try files.folder(path), after) { try files.changeFolder(path, before) }
                case .folder: continue
                }
            }
        }
        if journal.changesConfiguration, let reload, reload != .notRunning {
            let sshd = Sshd(
                binary: journal.daemon.binary, configuration: journal.daemon.configuration, programs: programs
            )
            do throws(AgentError) {
                try sshd.check()
                tell("telling sshd: \(reload.text)")
                try reload.perform(
                    ports: LoginProof.ports(try sshd.settings(for: nil)), programs: programs, seconds: 30)
            } catch {
                if mustTell { throw error }
            }
        }
        for step in journal.steps.reversed() where step.isNewReferred {
            guard case .file(let path, _, let after) = step.change else { continue }
            if others.mention(path) {
                others.notes.append(
                    "\(path.escapedForTerminal) stays, because a file that was changed meanwhile names it")
            } else {
                try restore(path, from: [after], to: nil, &others)
            }
        }
        try removeStaged(journal)
        for step in journal.steps.reversed() where step.isNewFolder {
            try removeIfEmpty(step.change.path, &others)
        }
        try removeJournal(journal)
        return others.notes
    }

    /// Does what is left of a proven change; may be interrupted and called again.
    ///
    /// - Returns: what people should know.
    func finish(_ journal: ChangeJournal) throws(AgentError) -> [String] {
        var others = OtherHands()
        for step in journal.steps where step.isReferred {
            guard case .file(let path, let before, nil) = step.change else { continue }
            try restore(path, from: [before], to: nil, &others)
        }
        try removeStaged(journal)
        // The innermost first.
        let folders = journal.steps.filter(\.isFolderRemoval).map(\.change.path)
        for path in folders.sorted(by: { $0.utf8.count > $1.utf8.count }) {
            try removeIfEmpty(path, &others)
        }
        try removeJournal(journal)
        return others.notes
    }

    /// Replaces one of our own contents by another one.
    private func restore(
        _ path: String, from ours: [FileContent?], to content: FileContent?, _ others: inout OtherHands
    ) throws(AgentError) {
        let found: FileContent?
        do throws(AgentError) {
            found = try read(path)
        } catch {
            // Somebody put a link or a folder there. Never through it.
            guard error.code == .unsafeFile else { throw error }
            others.notes.append(
                "\(path.escapedForTerminal) was replaced by somebody else meanwhile, and stays")
            return
        }
        if matches(found, content) { return }
        guard ours.contains(where: { matches(found, $0) }) else {
            others.notes.append(
                "\(path.escapedForTerminal) was changed by somebody else meanwhile, and stays")
            if let found { others.contents.append(found.bytes) }
            return
        }
        try put(path, content)
    }

    private func removeIfEmpty(_ path: String, _ others: inout OtherHands) throws(AgentError) {
        guard let names = try files.list(path) else { return }
        guard names.isEmpty else {
            others.notes.append("\(path.escapedForTerminal) stays, because something else is in it")
            return
        }
        try files.removeFolder(path)
    }
}

extension ChangeJournal.Step {
    fileprivate var isNewFolder: Bool {
        if case .folder(_, nil, _?) = change { true } else { false }
    }
}

/// What somebody else changed while we did.
private struct OtherHands {
    var notes: [String] = []
    var contents: [[UInt8]] = []

    /// True when one of them names a path.
    func mention(_ path: String) -> Bool {
        let wanted = Array(path.utf8)
        return contents.contains { content in
            content.indices.contains { content[$0...].starts(with: wanted) }
        }
    }
}
