// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Carries one message to an ssh-agent and brings its answer back. SSHWire itself does no I/O.
public protocol AgentTransport {
    /// Sends one request and waits for the one reply to it.
    ///
    /// The transport adds and takes off the 32-bit length that stands before every message
    /// (draft-ietf-sshm-ssh-agent, section 3): neither `request` nor the result has it. It tests the reply's length
    /// against `maximumReplyBytes` before it makes room for it. A request may hold a private key: a transport sends
    /// it from where it lies and keeps no copy.
    ///
    /// - Throws: `.agentRefused` when the agent can't be reached or goes away, `.tooLong` for a longer reply.
    mutating func exchange(
        _ request: Span<UInt8>, maximumReplyBytes: Int
    ) throws(SSHWireError) -> [UInt8]
}
