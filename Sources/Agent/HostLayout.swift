// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Where the agent keeps what is its own.
public struct HostLayout: Sendable, Hashable {
    /// What sshd reads: CA keys, revocations, principals; root's, 0755.
    public var configuration: String
    /// What must survive a restart: journal, originals, session records; root's, 0700.
    public var state: String
    /// The socket of the session hook; root's, 0700, gone with the machine's start.
    public var runtime: String

    public init(
        configuration: String = "/etc/daypass", state: String = "/var/lib/daypass",
        runtime: String = "/run/daypass"
    ) {
        self.configuration = configuration
        self.state = state
        self.runtime = runtime
    }

    /// `TrustedUserCAKeys`.
    public var userCAKeys: String { configuration + "/user_ca_keys" }
    /// `RevokedKeys`.
    public var revokedKeys: String { configuration + "/revoked_keys" }
    /// `AuthorizedPrincipalsFile` is a file of the account's name in it.
    public var principals: String { configuration + "/principals" }
    /// What is being changed, and how to take it back.
    public var journal: String { state + "/trust.journal" }
    /// What was there before trust was installed.
    public var originals: String { state + "/trust.originals" }
    /// Session records.
    public var sessions: String { state + "/sessions" }
    /// Reports of the session hook that no agent took; the hook writes here.
    public var spool: String { state + "/spool" }
    /// The session hook's socket, SOCK_SEQPACKET.
    public var sessionSocket: String { runtime + "/session.sock" }
    /// Where `daypass-session authorize`, an account of its own, reaches the agent; root's, 0711.
    public var authorizeFolder: String { runtime + "-authorize" }
    /// The socket for its questions, SOCK_SEQPACKET.
    public var authorizeSocket: String { authorizeFolder + "/socket" }
}
