// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The sshd that listens, as far as its PID file tells.
///
/// A restart and a reload (SIGHUP, on which sshd starts itself anew under its old number) both write the PID file,
/// while the process's own start, which /proc tells, stays what it was through every reload: the file's time is when
/// the configuration was read last.
public struct RunningSshd: Sendable, Hashable {
    public let pid: Int32
    /// When it last read its configuration, at the latest.
    public let loaded: FileTime

    /// - Parameter pidFile: what `sshd -T` says for `pidfile`.
    /// - Returns: nil when there is no such file, or its number is no running sshd's.
    public init?(pidFile: String, proc: String = "/proc") {
        guard pidFile.hasPrefix("/"), let loaded = FileTime(of: pidFile),
            let text = readSmallFile(pidFile), let pid = Int32(text.filter { !$0.isWhitespace }), pid > 1,
            readSmallFile("\(proc)/\(pid)/comm")?.hasPrefix("sshd") ?? false
        else { return nil }
        self.pid = pid
        self.loaded = loaded
    }
}

/// When a file's content was changed last.
public struct FileTime: Sendable, Hashable, Comparable {
    /// Since 1970, UTC.
    public let seconds: Int
    public let nanoseconds: Int

    /// - Returns: nil when there is no such file.
    public init?(of path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }

    public static func < (one: FileTime, other: FileTime) -> Bool {
        (one.seconds, one.nanoseconds) < (other.seconds, other.nanoseconds)
    }
}

/// The first 256 bytes of a file of the kernel's or a daemon's; nil when it cannot be read.
private func readSmallFile(_ path: String) -> String? {
    let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard number >= 0 else { return nil }
    let file = Descriptor(owning: number)
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = unsafe read(file.number, &bytes, bytes.count)
    return count >= 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
}
