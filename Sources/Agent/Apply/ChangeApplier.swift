// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// Makes a planned change on a host so that it is either in force and proven, or not there.
///
/// sshd could be started anew between any two of its operations, and this process killed: what the configuration names
/// is there before the configuration, and goes only when sshd has read one that doesn't name it; everything that is
/// replaced waits beside its place under another name; and the journal knows how to go back before the first change.
public struct ChangeApplier {
    let files: any HostFiles
    let programs: any ProgramRunner
    let layout: HostLayout
    /// Unix seconds now.
    let now: () -> UInt64
    /// What is told about each step, one line.
    let tell: (String) -> Void

    /// - Parameters:
    ///   - now: Unix seconds, for the journal and the throw-away certificates.
    ///   - tell: gets one line before each step.
    public init(
        layout: HostLayout, files: any HostFiles = SystemFiles(),
        programs: any ProgramRunner = SystemPrograms(),
        now: @escaping () -> UInt64 = unixSeconds, tell: @escaping (String) -> Void = { _ in }
    ) {
        self.files = files
        self.programs = programs
        self.layout = layout
        self.now = now
        self.tell = tell
    }

    /// Makes a change.
    ///
    /// - Parameters:
    ///   - plan: in its order, except that what only configuration refers to is made before it and removed after it.
    ///   - sshd: the one that reads the plan's files.
    /// - Throws: `.busy` when somebody else changes the same, `.damaged` or `.conflict` when an earlier change is
    ///   unfinished, `.sshd` when the configuration is refused as it is, and when nothing was changed otherwise;
    ///   `.rolledBack` when something was, and everything is as before. Any other code after the first change says in
    ///   its reason that the journal is kept.
    public func apply(_ plan: Plan, to sshd: Sshd, _ options: ChangeOptions) throws(AgentError)
        -> ChangeReport
    {
        let lock = try HostLock(layout, files: files, seconds: options.lockSeconds)
        defer { _ = lock }
        if try files.kind(layout.journal) != nil {
            throw AgentError(
                .conflict, "an earlier change of this host's trust was not finished",
                hint: "daypass-agent trust recover finishes it or takes it back")
        }
        guard !plan.isEmpty else { return ChangeReport(.unchanged) }
        try Self.checkContents(plan, layout)
        tell("checking that sshd takes its configuration as it is")
        try sshd.check()
        let settings = try sshd.settings(for: nil)
        let isOffline = options.proof == .offline
        let reload: Reload =
            isOffline
            ? .notRunning
            : try Reload.find(
                command: options.reloadCommand, sshd: sshd, settings: settings, files: files,
                programs: programs)
        guard isOffline || reload != .notRunning else {
            throw AgentError(
                .sshd, "sshd does not run, so nothing could be proven",
                hint: "start it, or use --offline for an image that is being built")
        }
        for step in plan.steps { try checkBefore(step.change) }

        let journal = ChangeJournal(
            id: randomIdentifier(), action: options.action,
            deadline: now().addingReportingOverflow(UInt64(clamping: options.seconds)).partialValue,
            daemon: ChangeJournal.Daemon(
                binary: sshd.binary, configuration: sshd.configuration, reloadCommand: options.reloadCommand,
                isOffline: isOffline),
            steps: plan.steps.map {
                ChangeJournal.Step($0.change, $0.purpose, isReferred: isReferred($0.change.path))
            },
            proofFolder: layout.runtime + "/proof")
        var running = RunningChange(journal: journal, reload: reload, sshd: sshd, options: options)
        do throws(AgentError) {
            try make(&running)
        } catch {
            throw takeBack(running, after: error)
        }
        return try end(running)
    }

    /// The content of a file that changes; the largest is a list of revocations.
    func read(_ path: String) throws(AgentError) -> FileContent? {
        try files.read(path, maximumBytes: Limits.krlBytes)
    }

    /// True for what sshd reads only because its configuration names it.
    private func isReferred(_ path: String) -> Bool {
        [layout.configuration, layout.state].contains { path == $0 || path.hasPrefix($0 + "/") }
    }

    /// A KRL that sshd cannot read refuses everybody's keys, and an empty file of CA keys nobody notices: whatever the
    /// plan's maker thought, neither is installed.
    static func checkContents(_ plan: Plan, _ layout: HostLayout) throws(AgentError) {
        for step in plan.steps {
            guard case .file(let path, _, let after?) = step.change else { continue }
            do throws(SSHWireError) {
                if path == layout.revokedKeys { _ = try KeyRevocationList(encoded: after.bytes) }
                if path == layout.userCAKeys { try checkKeys(after.bytes) }
            } catch {
                throw AgentError(
                    .invalidRequest, "\(path.escapedForTerminal) would become unusable: \(error.reason)")
            }
        }
    }

    private static func checkKeys(_ content: [UInt8]) throws(SSHWireError) {
        var count = 0
        for line in content.split(separator: UInt8(ascii: "\n")) {
            let text = String(decoding: line, as: UTF8.self)
            guard let first = text.first(where: { $0 != " " && $0 != "\t" }), first != "#" else { continue }
            _ = try PublicKeyLine(text).content.plainKey("CA key")
            count += 1
        }
        guard count > 0 else { throw SSHWireError(.truncated, "no CA key in it") }
    }

    /// Checks that a change still finds what it was planned for.
    func checkBefore(_ change: HostChange) throws(AgentError) {
        let isSame: Bool
        switch change {
        case .file(let path, let before, _): isSame = matches(try read(path), before)
        case .folder(let path, let before, let after):
            let found = try files.folder(path)
            isSame = after == nil || matches(found, before)
        }
        guard isSame else {
            throw AgentError(
                .busy, "\(change.path.escapedForTerminal) is not any more what the change was planned for",
                hint: "somebody else changes it: try again")
        }
    }
}

/// Unix seconds by the system's clock.
public func unixSeconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(clamping: time.tv_sec)
}

/// 16 random bytes in lower-case hexadecimal.
func randomIdentifier() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<16).map { _ in
        let text = String(UInt8.random(in: .min ... .max, using: &generator), radix: 16)
        return text.count == 1 ? "0" + text : text
    }.joined()
}

/// True when a file is as expected. A label counts only where one is expected: a new file gets its folder's.
func matches(_ found: FileContent?, _ expected: FileContent?) -> Bool {
    guard let found, let expected else { return found == nil && expected == nil }
    return found.bytes == expected.bytes && matches(found.attributes, expected.attributes)
}

/// True when attributes are as expected, labels as above.
func matches(_ found: FileAttributes?, _ expected: FileAttributes?) -> Bool {
    guard let found, let expected else { return found == nil && expected == nil }
    return found.mode == expected.mode && found.owner == expected.owner && found.group == expected.group
        && (expected.securityLabel == nil || found.securityLabel == expected.securityLabel)
}
