// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// An agent's answer, parsed to its last byte; whether it answers what was asked is for the asker to see.
public enum AgentReply: Sendable, Hashable {
    /// It could not or would not.
    case failure
    case success
    case identities([AgentIdentity])
    case signature(Signature)

    /// Parses a reply without its length field (draft-ietf-sshm-ssh-agent, section 3).
    ///
    /// - Throws: `.agentRefused` for an answer of an unknown kind, the codec's errors for a malformed one.
    public init(encoded: Span<UInt8>) throws(SSHWireError) {
        guard encoded.count <= Limits.agentMessageBytes else {
            throw SSHWireError(
                .tooLong,
                "agent reply: \(encoded.count) bytes, at most \(Limits.agentMessageBytes) are allowed")
        }
        var reader = WireReader(encoded)
        let number = try reader.readUInt8("agent reply")
        switch AgentMessageNumber(rawValue: number) {
        case .failure, .extensionFailure, .failureOfSSH2, .failureOfAgent2: self = .failure
        case .success: self = .success
        case .identitiesAnswer: self = .identities(try Self.readIdentities(from: &reader))
        case .signResponse:
            self = .signature(
                try Signature(
                    encoded: try reader.readString("agent signature", upTo: Limits.signatureBytes + 256)))
        default:
            throw SSHWireError(.agentRefused, "ssh-agent: an answer of the unknown kind \(number)")
        }
        try reader.finish("agent reply")
    }

    /// Parses a reply without its length field.
    public init(encoded: [UInt8]) throws(SSHWireError) { try self.init(encoded: encoded.span) }

    private static func readIdentities(
        from reader: inout WireReader
    ) throws(SSHWireError) -> [AgentIdentity] {
        let count = try reader.readUInt32("agent key count")
        guard count <= Limits.agentIdentities else {
            throw SSHWireError(
                .tooLong, "agent keys: \(count), at most \(Limits.agentIdentities) are allowed")
        }
        // No room is made for the announced number: entries that did not come cost nothing.
        var identities: [AgentIdentity] = []
        for _ in 0..<count { identities.append(try AgentIdentity(from: &reader)) }
        return identities
    }
}
