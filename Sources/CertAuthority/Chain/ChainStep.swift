// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// One entry of the log in the story of a certificate, a session or a request, as facts by their names.
///
/// Made of the entry's bytes and nothing else: whoever has the entry proven makes the same step of it.
public struct ChainStep: Sendable, Hashable {
    /// What happened.
    public enum Kind: String, Sendable, CaseIterable {
        /// Somebody logged in to the control plane.
        case login
        /// Their session with it ended.
        case logout
        /// They asked for what others have to approve.
        case request
        /// They took it without, in an emergency.
        case breakGlass = "break-glass"
        case approval
        case denial
        case withdrawal
        /// What was granted was taken back.
        case grantRevocation = "grant-revocation"
        case review
        /// They were not let decide over it.
        case decisionRefusal = "decision-refusal"
        /// The policy answered.
        case decision
        /// A certificate was issued.
        case certificate
        case hostLogin = "host-login"
        case hostLogout = "host-logout"
        /// sshd did not let somebody in.
        case hostRefusal = "host-refusal"
        /// Somebody's session on a host was ended.
        case hostKill = "host-kill"
        case hostEvent = "host-event"
        case revocation
    }

    /// A fact about it.
    public struct Fact: Sendable, Hashable {
        public let name: String
        /// As the log has it: not escaped, and never empty.
        public let value: String
    }

    /// The entry's place in the log.
    public let index: UInt64
    /// When it was recorded, in milliseconds since 1970.
    public let milliseconds: UInt64
    public let kind: Kind
    /// The entry's requester: who asked, approved, revoked; the host of what a host reported.
    public let who: String
    /// In the order for people; each name once.
    public let facts: [Fact]

    public subscript(name: String) -> String? { facts.first { $0.name == name }?.value }
}
