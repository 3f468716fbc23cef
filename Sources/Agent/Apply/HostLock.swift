// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// The right to change this host's trust, or its grants, held by one process at a time.
///
/// A lock of the file itself (flock(2)), so that it goes with whoever held it, however that process ended. Tools that
/// know nothing of it are noticed by what they change: see ``ChangeApplier``.
public struct HostLock: ~Copyable {
    /// What is held: trust and grants don't wait for each other, since a change of trust proves itself for a minute.
    public enum Subject: String, Sendable {
        case trust, grants, fleet, witness
    }

    private let file: Descriptor

    /// Takes the lock; the folder for the agent's state is made if there is none.
    ///
    /// - Parameter seconds: how long somebody else may hold it before this gives up.
    /// - Throws: `.busy` when somebody else has it, `.unsafeFile` when others than root could have replaced it.
    public init(_ layout: HostLayout, files: any HostFiles, seconds: Int, of subject: Subject = .trust)
        throws(AgentError)
    {
        file = try Self.take(layout, files, seconds, subject)
    }

    private static func take(
        _ layout: HostLayout, _ files: any HostFiles, _ seconds: Int, _ subject: Subject
    ) throws(AgentError) -> Descriptor {
        try prepare(layout.state, files)
        let path = "\(layout.state)/\(subject.rawValue).lock"
        let number = unsafe open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw .system("cannot open", path) }
        let file = Descriptor(owning: number)
        let deadline = ContinuousClock.now + .seconds(seconds)
        while flock(number, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw .system("cannot lock", path) }
            guard ContinuousClock.now < deadline else {
                throw AgentError(
                    .busy,
                    "another process is changing this host's \(subject.rawValue), and has been for over \(seconds) s",
                    hint: "fuser \(path.escapedForTerminal) names it")
            }
            pause(milliseconds: 50)
        }
        return file
    }

    /// Makes a folder of root's own, or checks the one that is there.
    static func prepare(_ path: String, _ files: any HostFiles) throws(AgentError) {
        guard let found = try files.folder(path) else {
            return try files.makeFolder(path, FileAttributes(mode: 0o700, owner: geteuid(), group: getegid()))
        }
        guard found.owner == geteuid(), found.mode & 0o022 == 0 else {
            throw AgentError(
                .unsafeFile, "\(path.escapedForTerminal): others than root may change it",
                hint: "chown root:root \(path.escapedForTerminal); chmod 0700 \(path.escapedForTerminal)")
        }
    }
}

/// Waits; a signal ends it early.
func pause(milliseconds: Int32) { _ = poll(nil, 0, milliseconds) }
