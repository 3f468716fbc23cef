// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A change that this process is making.
struct RunningChange {
    /// What is known of the running sshd.
    enum Told: Sendable {
        /// It was not told anything.
        case nothing
        /// It could not be told, so it is as it was.
        case failed
        case reloaded
    }

    var journal: ChangeJournal
    let reload: Reload
    let sshd: Sshd
    let options: ChangeOptions
    private let end: ContinuousClock.Instant
    /// True once a file that something reads has another content.
    var isSwapped = false
    var told = Told.nothing
    var proofs: [String] = []

    init(journal: ChangeJournal, reload: Reload, sshd: Sshd, options: ChangeOptions) {
        self.journal = journal
        self.reload = reload
        self.sshd = sshd
        self.options = options
        end = .now + .seconds(options.seconds)
    }

    /// The whole seconds that are left, for a program that may take so long.
    ///
    /// - Throws: `.program` when none is.
    func secondsLeft(atMost maximum: Int = 30) throws(AgentError) -> Int {
        let left = (end - .now).components.seconds
        guard left > 0 else {
            throw AgentError(.program, "the deadline of \(options.seconds) s has passed")
        }
        return min(maximum, Int(left))
    }
}

extension ChangeApplier {
    /// Everything from the journal to the proof.
    func make(_ change: inout RunningChange) throws(AgentError) {
        try write(change.journal)
        try change.options.deadMan?.arm(seconds: change.options.seconds + Self.deadManGrace, programs)
        tell("staging \(change.journal.steps.count) changes")
        for step in change.journal.steps { try stage(step) }
        // Nothing that lives refers to a new file, so it can be there for sshd's check of the whole.
        for step in change.journal.steps where step.isNewReferred { try swap(step) }

        tell("asking sshd whether it takes the staged configuration")
        let staged = try stageConfiguration(change.journal)
        try change.sshd.check(file: staged)
        let proof = try LoginProof.Subject.find(
            change, file: staged, layout: layout, files: files, programs: programs)
        try expect(change.options.expected, proof.settings)

        tell("putting the files in place")
        for step in change.journal.steps where step.isReferred && !step.isNewReferred && !step.isRemoval {
            change.isSwapped = true
            try swap(step)
        }
        for step in change.journal.steps where !step.isReferred && !step.isFolderRemoval {
            change.isSwapped = true
            try swap(step)
        }
        try prove(&change, proof)
        change.journal.phase = .proven
        try write(change.journal)
    }

    /// How much later than the deadline the dead-man timer fires, in seconds: an orderly roll-back comes first.
    private static var deadManGrace: Int { 30 }

    private func prove(_ change: inout RunningChange, _ subject: LoginProof.Subject) throws(AgentError) {
        let login: LoginProof? =
            if case .login = change.options.proof {
                try LoginProof(
                    subject, ssh: change.options.ssh, folder: change.journal.proofFolder, now: now(),
                    hostCertificate: change.options.hostCertificate, files: files, programs: programs)
            } else {
                nil
            }
        change.journal.temporaries = login?.temporaries ?? []
        change.journal.phase = .applied
        try write(change.journal)

        try change.sshd.check()
        if change.reload != .notRunning {
            tell("telling sshd: \(change.reload.text)")
            let sockets = ListeningSockets.inodes(ports: subject.ports)
            change.told = .failed
            do throws(AgentError) {
                try change.reload.perform(
                    ports: subject.ports, programs: programs, seconds: try change.secondsLeft())
            } catch {
                // It said that it failed, but sshd listens anew.
                if ListeningSockets.inodes(ports: subject.ports) != sockets { change.told = .reloaded }
                throw error
            }
            change.told = .reloaded
        }
        let live = try change.sshd.settings(for: subject.connection)
        try expect(change.options.expected, live)
        change.proofs.append(
            change.options.expected.isEmpty
                ? "sshd takes its configuration"
                : "sshd -T shows the wanted settings for account \(subject.account)")

        guard let login else { return }
        tell("logging in as \(subject.account.escapedForTerminal)@\(subject.connection.localAddress)")
        try login.writeFolder()
        for temporary in login.temporaries {
            guard matches(try read(temporary.path), temporary.final) else { throw busy(temporary.path) }
            try files.replace(temporary.path, temporary.proof)
        }
        try login.run { () throws(AgentError) in try change.secondsLeft(atMost: 20) }
        for temporary in login.temporaries.reversed() { try put(temporary.path, temporary.final) }
        try login.removeFolder()
        change.proofs += login.shown
    }

    private func expect(_ expected: [ExpectedSetting], _ settings: SshdSettings) throws(AgentError) {
        for setting in expected where !settings.says(setting.keyword, setting.value) {
            let value = settings[setting.keyword].map { "\"\($0.escapedForTerminal)\"" } ?? "nothing"
            throw AgentError(
                .conflict,
                "sshd would have \(value) for \(setting.keyword.escapedForTerminal), not "
                    + "\"\(setting.value.escapedForTerminal)\"",
                hint: "another line wins over ours: sshd -T -C user=…,host=…,addr=… shows what holds")
        }
    }

    func write(_ journal: ChangeJournal) throws(AgentError) {
        try journal.write(layout.journal, files)
    }

    func busy(_ path: String) -> AgentError {
        AgentError(
            .busy, "\(path.escapedForTerminal) was changed by somebody else meanwhile",
            hint: "try again when nobody else changes it")
    }
}

extension ChangeJournal.Step {
    /// True for a file or folder that is made, and that nothing refers to yet.
    var isNewReferred: Bool {
        guard isReferred else { return false }
        return switch change {
        case .file(_, let before, let after): before == nil && after != nil
        case .folder(_, let before, let after): before == nil && after != nil
        }
    }

    var isRemoval: Bool {
        switch change {
        case .file(_, _, let after): after == nil
        case .folder(_, _, let after): after == nil
        }
    }

    var isFolderRemoval: Bool {
        if case .folder(_, _, nil) = change { true } else { false }
    }
}
