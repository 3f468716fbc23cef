// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// An address and a port.
public struct SshdLogPeer: Sendable, Hashable {
    public let address: String
    public let port: UInt16

    public init(address: String, port: UInt16) {
        self.address = address
        self.port = port
    }
}

/// A key as sshd names it in its log.
public struct SshdLogKey: Sendable, Hashable {
    /// sshd's short name ("ED25519", "RSA-CERT").
    public let type: String
    /// "SHA256:…", or "MD5:…" with `FingerprintHash md5`. A certificate's is its key's.
    public let fingerprint: String

    public init(type: String, fingerprint: String) {
        self.type = type
        self.fingerprint = fingerprint
    }
}

/// A certificate as sshd names it in its log; nil is what the message did not hold, or lost its end over.
public struct SshdLogCertificate: Sendable, Hashable {
    /// Chosen by whoever signed it; may hold anything.
    public let keyID: String
    public let serial: UInt64?
    public let authority: SshdLogKey?

    public init(keyID: String, serial: UInt64?, authority: SshdLogKey?) {
        self.keyID = keyID
        self.serial = serial
        self.authority = authority
    }
}

/// What one message of sshd says. Text in it that strangers choose (accounts, key IDs, reasons) is as they chose it.
public enum SshdLogMessage: Sendable, Hashable {
    /// "Connection from …", LogLevel VERBOSE.
    case connected(from: SshdLogPeer, to: SshdLogPeer)
    /// "Accepted …", "Failed …", "Partial …", "Postponed …".
    case authentication(Authentication)
    /// "Invalid user …".
    case invalidUser(account: String, peer: SshdLogPeer?)
    /// "Refusing certificate ID …" since 10.1; the reason alone before.
    case certificateRefused(reason: String, SshdLogCertificate?)
    /// "Authentication key … revoked by file …".
    case keyRevoked(SshdLogKey)
    /// "User … not allowed because …".
    case notAllowed(account: String, reason: String)
    /// "Authentication tried for … but not from a permitted …".
    case wrongSource(reason: String)
    /// "User child is on pid …", LogLevel VERBOSE: the process that has the account's rights.
    case child(pid: Int32)
    /// "Starting session: …", LogLevel VERBOSE.
    case sessionStarted(kind: String, terminal: String?, number: Int32, peer: SshdLogPeer?)
    /// "Close session: …", LogLevel VERBOSE.
    case sessionClosed(number: Int32, peer: SshdLogPeer?)
    /// The connection is over, with sshd's words for it.
    case ended(cause: String, peer: SshdLogPeer?, isAuthenticated: Bool)

    /// One attempt to log in.
    public struct Authentication: Sendable, Hashable {
        public enum Outcome: String, Sendable { case accepted, failed, partial, postponed }

        public let outcome: Outcome
        /// "publickey", "password", "keyboard-interactive/pam", …
        public let method: String
        /// nil when the message can be split in several ways and nothing else tells which is right.
        public let account: String?
        /// True for an account that this host hasn't.
        public let isInvalidUser: Bool
        public let peer: SshdLogPeer?
        public let key: SshdLogKey?
        public let certificate: SshdLogCertificate?
        /// True when the message was cut at sshd's limit: what stands at its end may be anything.
        public let isCut: Bool
    }
}
