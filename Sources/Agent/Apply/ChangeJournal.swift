// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// What is being changed on a host, and all that is needed to take it back.
///
/// It is written complete before the first change, and it goes when the change is in force or undone. Whoever finds one
/// holds a change whose process has died. The form on disk is docs/formats/trust-journal.md.
public struct ChangeJournal: Sendable, Hashable {
    /// What the change is for.
    public enum Action: String, Sendable, CaseIterable {
        case install
        case remove
    }

    /// How far the change has come.
    public enum Phase: String, Sendable, CaseIterable {
        /// Files are being put in place.
        case begun
        /// All files are in place; sshd may have been told, and files may be in their form for the proof.
        case applied
        /// It was proven, and every file has its last form: only things that are in nobody's way are left to do.
        case proven
    }

    /// A change, and when it must be made.
    public struct Step: Sendable, Hashable {
        public let change: HostChange
        public let purpose: String
        /// True for what sshd's configuration only names (keys, revocations, principals): it is there before the
        /// configuration that names it, and goes after sshd has read the one that doesn't.
        public let isReferred: Bool

        public init(_ change: HostChange, _ purpose: String, isReferred: Bool) {
            self.change = change
            self.purpose = purpose
            self.isReferred = isReferred
        }
    }

    /// A file that has another content while the change is proven.
    public struct Temporary: Sendable, Hashable {
        public let path: String
        public let proof: FileContent
        /// What is there before and after; nil when nothing is.
        public let final: FileContent?

        public init(path: String, proof: FileContent, final: FileContent?) {
            self.path = path
            self.proof = proof
            self.final = final
        }
    }

    /// The sshd whose configuration is changed.
    public struct Daemon: Sendable, Hashable {
        public let binary: String
        public let configuration: String
        /// The program that makes it read again, with its arguments; nil when it is looked for.
        public let reloadCommand: [String]?
        /// True when it need not run and isn't told.
        public let isOffline: Bool

        public init(binary: String, configuration: String, reloadCommand: [String]?, isOffline: Bool) {
            self.binary = binary
            self.configuration = configuration
            self.reloadCommand = reloadCommand
            self.isOffline = isOffline
        }
    }

    /// 16 random bytes in lower-case hexadecimal.
    public let id: String
    public let action: Action
    /// Unix seconds by which it was to be done. Nobody waits for it: a free lock says that the process is gone.
    public let deadline: UInt64
    public let daemon: Daemon
    public let steps: [Step]
    /// The folder of what the proof's ssh reads; removed with all that is in it.
    public let proofFolder: String
    public internal(set) var phase: Phase
    public internal(set) var temporaries: [Temporary]

    init(
        id: String, action: Action, deadline: UInt64, daemon: Daemon, steps: [Step],
        proofFolder: String, phase: Phase = .begun, temporaries: [Temporary] = []
    ) {
        self.id = id
        self.action = action
        self.deadline = deadline
        self.daemon = daemon
        self.steps = steps
        self.proofFolder = proofFolder
        self.phase = phase
        self.temporaries = temporaries
    }

    /// True when sshd's own configuration is among what changes.
    var changesConfiguration: Bool {
        steps.contains { step in
            if case .file = step.change { !step.isReferred } else { false }
        }
    }
}

extension ChangeJournal {
    /// The most that a journal may have, in bytes: four contents (before, after, for the proof, after it) of a list of
    /// revocations that is ten times what sshd could still log in with in a second, in base64.
    static let maximumBytes = 256 << 20

    /// The journal at a path; nil when there is none.
    ///
    /// - Throws: `.damaged` when what is there is no journal.
    static func read(_ path: String, _ files: any HostFiles) throws(AgentError) -> ChangeJournal? {
        guard let content = try files.read(path, maximumBytes: maximumBytes) else { return nil }
        do {
            return try ChangeJournal(parsing: content.bytes)
        } catch {
            throw AgentError(
                .damaged, "\(path): \(error.reason)",
                hint: "compare sshd's configuration with your backup, then remove \(path)")
        }
    }

    /// Writes the journal in one step.
    func write(_ path: String, _ files: any HostFiles) throws(AgentError) {
        let bytes = encoded
        guard bytes.count <= Self.maximumBytes else {
            throw AgentError(
                .invalidRequest,
                "the change's journal would have \(bytes.count) bytes, at most \(Self.maximumBytes) are allowed"
            )
        }
        try files.replace(
            path, FileContent(bytes, FileAttributes(mode: 0o600, owner: geteuid(), group: getegid())))
    }
}
