// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What the agent could not do on its host, why, and what to do next.
///
/// Two errors are equal when their codes are: reasons are for people.
public struct AgentError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; new codes may be added.
    public enum Code: String, Sendable, CaseIterable {
        /// Arguments or settings that make no sense.
        case invalidRequest
        /// A file is not there or cannot be read or written.
        case file
        /// A file has an owner, a mode, a link or a content that it must not have.
        case unsafeFile
        /// There is no space left.
        case full
        /// Somebody else is changing the same things.
        case busy
        /// sshd is not there, does not run, or refuses its configuration.
        case sshd
        /// An administrator's own setting stands in the way.
        case conflict
        /// A change was made, could not be proven, and was taken back.
        case rolledBack
        /// A record or its chain was changed.
        case damaged
        /// What was asked for does not exist.
        case notFound
        /// A program could not be run or took too long.
        case program
        /// A server cannot be reached, or doesn't keep to a protocol.
        case network
        /// A server is not the one that is meant.
        case untrusted
        /// A server doesn't let this host in.
        case refused
    }

    public let code: Code
    /// What happened and why: one line, lower case, no full stop, no secret in it.
    public let reason: String
    /// What to do next.
    public let hint: String?

    public init(_ code: Code, _ reason: String, hint: String? = nil) {
        self.code = code
        self.reason = reason
        self.hint = hint
    }

    public var description: String { reason }
}

extension AgentError: Equatable {
    public static func == (one: AgentError, other: AgentError) -> Bool { one.code == other.code }
}
