// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// One thing that happened on a host, before it has its place in the chain of records.
public struct SessionEvent: Sendable, Hashable {
    /// What happened.
    public enum Kind: String, Sendable, CaseIterable {
        /// Somebody logged in.
        case open
        /// Somebody's session ended.
        case close
        /// A session was found to have ended, and nobody had told.
        case missedClose = "missed-close"
        /// A session that is still open where a file of records begins: its `open` is in an earlier file.
        case carried
        /// sshd did not let somebody in.
        case denied
        /// The processes of a session are about to be ended by this host's administrator.
        case kill
        /// A report that could not be read.
        case malformed
        /// The agent began its work.
        case agentStart = "agent-start"
        /// The agent ended its work as it was told to.
        case agentStop = "agent-stop"
        /// A file of records began; the one before has its last record just before.
        case rotated
        /// Old files of records are about to be removed, as the limits say.
        case removed
        /// The end of a file of records was torn, and was put aside.
        case torn
        /// Something that an administrator should look at.
        case warning
    }

    /// From whom the agent knows.
    public enum Via: String, Sendable, CaseIterable {
        /// The session hook, over the agent's socket.
        case pam
        /// The session hook, over the spool folder.
        case spool
        /// sshd's own messages.
        case log
        /// The list of running processes.
        case processTable = "process-table"
        /// The agent itself.
        case agent
    }

    /// One end of a connection.
    public struct Endpoint: Sendable, Hashable {
        public var address: String
        /// nil where it is not known.
        public var port: UInt16?

        public init(address: String, port: UInt16?) {
            self.address = address
            self.port = port
        }
    }

    public var kind: Kind
    public var via: Via
    /// When it happened, by the machine's wall clock.
    public var time: RecordTime
    /// When it happened, in microseconds since the machine started, suspended time included (`CLOCK_BOOTTIME`).
    public var uptimeMicroseconds: UInt64
    /// ``SessionID`` of the session.
    public var session: String?
    public var account: String?
    /// PAM's service name.
    public var service: String?
    public var source: Endpoint?
    public var destination: Endpoint?
    /// `PAM_RHOST`, where it says something else than the source's address.
    public var remoteHost: String?
    /// `PAM_TTY`; "ssh" without a terminal.
    public var terminal: String?
    /// The process of sshd that holds the session.
    public var pid: Int32?
    /// When that process began, in clock ticks since the machine started.
    public var processStart: UInt64?
    /// `/proc/sys/kernel/random/boot_id`.
    public var boot: String?
    /// By what somebody logged in, in sshd's order.
    public var methods: [LoginMethod] = []
    /// How long a session was open, in microseconds by `CLOCK_BOOTTIME`: a wall clock that jumps does not matter.
    public var durationMicroseconds: UInt64?
    /// For a missed close: not before this time.
    public var notBefore: RecordTime?
    /// For a missed close: not after this time.
    public var notAfter: RecordTime?
    /// Why: the cause of an end, sshd's reason for a refusal, an administrator's for a kill, what is wrong.
    public var reason: String?
    /// Who did it, for a kill.
    public var actor: String?
    /// A file that the event is about.
    public var file: String?
    /// How many: processes, bytes of a malformed report, ….
    public var count: UInt64?
    /// SHA-256 of what could not be read, or of a removed file's last line, in hexadecimal.
    public var sha256: String?
    /// The sequence number of a removed file's last record.
    public var lastSequence: UInt64?

    public init(_ kind: Kind, via: Via, time: RecordTime, uptimeMicroseconds: UInt64) {
        self.kind = kind
        self.via = via
        self.time = time
        self.uptimeMicroseconds = uptimeMicroseconds
    }

    /// The certificate by which somebody logged in, the first where there are several.
    public var certificate: CertificateUse? {
        for method in methods { if case .certificate(let certificate) = method.proof { return certificate } }
        return nil
    }
}

/// The logins by which an agent proves a change of trust: with a certificate of a throw-away CA, which stands among the
/// host's trusted ones as long as they last.
public enum TrustProof {
    /// The certificate's key ID.
    public static let keyID = "daypass trust proof"
    /// What stands behind the CA's key in the host's list, which root alone writes.
    public static let authorityName = "daypass-proof"
}

extension SessionEvent {
    /// True for such a login, by the host's own word.
    public var isTrustProof: Bool {
        guard let certificate else { return false }
        return certificate.keyID == TrustProof.keyID && certificate.authority.isTrusted
            && certificate.authority.name == TrustProof.authorityName
    }
}

/// The name of a session: the same at its open and its close, and never the same twice.
public enum SessionID {
    /// 32 hexadecimal digits: the first 16 bytes of SHA-256 over boot ID, NUL, process number, NUL, process start.
    public static func make(boot: String, pid: Int32, processStart: UInt64) -> String {
        let text = Array("\(boot)\0\(pid)\0\(processStart)".utf8)
        return hexadecimal(Digest.sha256(text).prefix(16))
    }
}
