// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Brings a change to an end whose process has died.
public enum TrustRecovery {
    /// Completes what was proven, and takes back everything else. Every start of the agent calls this.
    ///
    /// - Returns: nil when there was nothing to bring to an end.
    /// - Throws: `.busy` when a process still works on the change, `.damaged` for a journal that cannot be read, and
    ///   what keeps it from being ended; the journal is kept then, and this may be called again.
    public static func recoverIfNeeded(
        layout: HostLayout, files: any HostFiles = SystemFiles(),
        programs: any ProgramRunner = SystemPrograms(),
        lockSeconds: Int = 10, tell: @escaping (String) -> Void = { _ in }
    ) throws(AgentError) -> ChangeReport? {
        // Nothing is made where nothing was ever done.
        guard try files.folder(layout.state) != nil else { return nil }
        let found = try files.kind(layout.journal)
        let staged = try files.kind(stagedName(layout.journal))
        guard found != nil || staged != nil else { return nil }
        let lock = try HostLock(layout, files: files, seconds: lockSeconds)
        defer { _ = lock }
        // It may be done by now.
        guard let journal = try ChangeJournal.read(layout.journal, files) else {
            // A journal that never came to its place: nothing was changed before it.
            try files.remove(stagedName(layout.journal))
            return nil
        }
        let applier = ChangeApplier(layout: layout, files: files, programs: programs, tell: tell)
        switch journal.phase {
        case .proven:
            tell("completing the change \(journal.id), which was proven")
            return ChangeReport(.completed, notes: try applier.finish(journal))
        case .begun, .applied:
            tell("taking back the change \(journal.id), which was not proven")
            return ChangeReport(
                .undone,
                notes: try applier.undo(journal, reload: try reload(journal, files, programs), mustTell: true)
            )
        }
    }

    /// How the sshd of a journal is told; nil when nothing of its configuration was changed, or it need not run.
    private static func reload(
        _ journal: ChangeJournal, _ files: any HostFiles, _ programs: any ProgramRunner
    ) throws(AgentError) -> Reload? {
        guard journal.changesConfiguration, !journal.daemon.isOffline else { return nil }
        let sshd = Sshd(
            binary: journal.daemon.binary, configuration: journal.daemon.configuration, programs: programs)
        // What the PID file is called is the same before and after: no change of ours says anything about it. Where
        // the live configuration cannot be asked, `undo` puts the files back before it needs to.
        let settings = (try? sshd.settings(for: nil)) ?? SshdSettings(parsing: "")
        return try Reload.find(
            command: journal.daemon.reloadCommand, sshd: sshd, settings: settings, files: files,
            programs: programs)
    }
}
