// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Who wrote a log entry, as far as the log can prove it.
public enum SshdLogSender: Sendable, Hashable {
    /// A text file does not say: every local user can write such a line (logger(1), /dev/log).
    case unproven
    /// The journal notes the sender's user ID from the kernel, and that its program is sshd.
    case user(UInt32)
    /// The same, of a process that had ended before the journal looked what program it was: sshd's last words as a rule,
    /// on a busy host its first ones too; but any program of that user may have said them.
    case goneUser(UInt32)

    /// True for what no account but root said, as far as the log can prove it.
    var isRoots: Bool { self == .unproven || userID == 0 }
    /// The user, where it is known.
    var userID: UInt32? {
        switch self {
        case .unproven: nil
        case .user(let user), .goneUser(let user): user
        }
    }
}

/// One entry of a log that says it comes from sshd: one line of a file, one object of the journal.
public struct SshdLogEntry: Sendable, Hashable {
    /// When it was logged.
    public var time: SshdLogTime
    /// "sshd", or since 9.8 "sshd-session" and since 10.0 "sshd-auth".
    public var program: String
    public var pid: Int32
    public var sender: SshdLogSender
    /// What sshd said, with its own escapes (`strnvis` in log.c).
    public var message: [UInt8]
    /// Names the entry for ever: the journal's cursor, or the file's device, inode and place.
    public var origin: String
    /// How often it was said: rsyslog folds equal messages that follow each other.
    public var repeats = 1

    public init(
        time: SshdLogTime, program: String, pid: Int32, sender: SshdLogSender, message: [UInt8],
        origin: String
    ) {
        self.time = time
        self.program = program
        self.pid = pid
        self.sender = sender
        self.message = message
        self.origin = origin
    }

    /// The names that sshd's processes log by.
    public static let programs: Set<String> = ["sshd", "sshd-session", "sshd-auth"]
    /// The most that a message may have, in bytes: sshd sends 500 to syslog (`do_log` in log.c), with escapes; a
    /// relay may add some.
    public static let maximumMessageBytes = 8 << 10
}

/// When an entry was logged: to the nanosecond, or as the traditional form has it.
public enum SshdLogTime: Sendable, Hashable {
    /// Nanoseconds since 1970.
    case wall(UInt64)
    /// RFC 3164's "Nov 26 12:34:56", local time without a year.
    case local(month: UInt64, day: UInt64, hour: UInt64, minute: UInt64, second: UInt64)
}
