// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What happened on a connection, by one entry of the log.
public struct SshdLogEvent: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// Somebody is in: "Accepted …".
        case opened(SshdLogMessage.Authentication)
        /// A session's command or shell begins (LogLevel VERBOSE).
        case sessionStarted(kind: String, terminal: String?)
        /// Somebody was not let in, or one of several methods failed: sshd's words for why, and what it says of the
        /// attempt.
        case refused(reason: String, SshdLogRefusal)
        /// A connection that had been let in is over.
        case ended(cause: String)
    }

    public let kind: Kind
    /// What is known of the connection by then.
    public let connection: SshdLogConnection
    /// The entry's time.
    public let time: SshdLogTime
    public let sender: SshdLogSender
    /// The entry's name: the same entry read twice has the same one.
    public let origin: String
    /// How often it happened.
    public let repeats: Int
}

/// Who tried, with what.
public struct SshdLogRefusal: Sendable, Hashable {
    public var account: String?
    /// True for an account that this host hasn't.
    public var isInvalidUser = false
    public var method: String?
    public var key: SshdLogKey?
    public var certificate: SshdLogCertificate?

    public init() {}
}

/// One connection to sshd.
public struct SshdLogConnection: Sendable, Hashable {
    /// The process of sshd that root owns and that lives as long as the connection: PAM's, the one to find in
    /// /proc and to end.
    public let pid: Int32
    /// The process with the account's rights, where sshd told it (LogLevel VERBOSE).
    public var childPID: Int32?
    public var peer: SshdLogPeer?
    /// Where it came to, where sshd told it (LogLevel VERBOSE).
    public var local: SshdLogPeer?
    /// The account, once somebody is in.
    public var account: String?

    public init(pid: Int32) { self.pid = pid }
}
