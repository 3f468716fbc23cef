// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

extension RecordLog {
    /// Makes the folder where it is missing, and makes sure that nobody else may change it.
    static func makeFolder(_ path: String) throws(AgentError) {
        let files = SystemFiles()
        if try files.folder(path) == nil {
            try files.makeFolder(path, FileAttributes(mode: 0o700, owner: geteuid(), group: getegid()))
        }
        guard let folder = try files.folder(path), folder.owner == geteuid(), folder.mode & 0o077 == 0 else {
            throw AgentError(
                .unsafeFile,
                "\(path.escapedForTerminal): others may change or read it; session records are root's alone",
                hint: "chown root:root \(path.escapedForTerminal) && chmod 700 \(path.escapedForTerminal)")
        }
    }

    static func openFolder(_ path: String) throws(AgentError) -> Descriptor {
        let number = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else { throw .system("cannot open", path) }
        return Descriptor(owning: number)
    }

    /// Takes the lock that its holder's end gives back.
    static func takeLock(_ folder: Int32, _ files: RecordFiles) throws(AgentError) -> Descriptor {
        let number = unsafe openat(
            folder, RecordFiles.lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw .system("cannot open", files.path(RecordFiles.lock)) }
        let lock = Descriptor(owning: number)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw .system("cannot lock", files.path(RecordFiles.lock)) }
            throw AgentError(
                .busy,
                "\(files.folder.escapedForTerminal): an agent runs already and has the session records open")
        }
        return lock
    }

    static func openCurrent(_ folder: Int32, _ files: RecordFiles) throws(AgentError) -> Descriptor {
        let path = files.path(RecordFiles.current)
        let number = unsafe openat(
            folder, RecordFiles.current, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
            0o600)
        guard number >= 0 else { throw .system("cannot open", path) }
        let file = Descriptor(owning: number)
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw .system("cannot look at", path) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1, status.st_uid == geteuid() else {
            throw AgentError(
                .unsafeFile, "\(path.escapedForTerminal): not a regular file of our own with one name")
        }
        guard status.st_mode & 0o077 == 0 || fchmod(number, 0o600) == 0, fsync(folder) == 0 else {
            throw .system("cannot set the mode of", path)
        }
        return file
    }
}
