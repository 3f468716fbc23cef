// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A limit on what an agent may do with a key that it is given (draft-ietf-sshm-ssh-agent, section 3.2.7).
public enum AgentConstraint: Sendable, Hashable {
    /// The agent forgets the key after so many seconds, at least 1.
    case lifetime(seconds: UInt32)
    /// The agent asks its user before each signature.
    case confirm
    /// A constraint by name, with its content as it goes on the wire: for OpenSSH's
    /// `restrict-destination-v00@openssh.com` a `string` (PROTOCOL.agent, section 2).
    case `extension`(name: ExactText, content: [UInt8])

    private static let lifetimeNumber: UInt8 = 1
    private static let confirmNumber: UInt8 = 2
    private static let extensionNumber: UInt8 = 255

    /// Refuses constraints that an agent would refuse or that say less than they seem to.
    ///
    /// - Throws: `.invalidValue` for a lifetime of 0 (for OpenSSH's ssh-add that means none at all) or an extension
    ///   without a name, `.duplicate` for two of one kind, `.tooLong`.
    static func check(_ constraints: [AgentConstraint]) throws(SSHWireError) {
        var seen: Set<ExactText> = []
        for constraint in constraints {
            switch constraint {
            case .lifetime(let seconds):
                guard seconds > 0 else {
                    throw SSHWireError(.invalidValue, "agent constraint: a lifetime of 0 seconds")
                }
            case .confirm: break
            case .extension(let name, let content):
                guard !name.isEmpty else {
                    throw SSHWireError(.invalidValue, "agent constraint: an extension without a name")
                }
                guard name.string.utf8.count <= Limits.optionNameBytes,
                    content.count <= Limits.agentConstraintBytes
                else {
                    throw SSHWireError(.tooLong, "agent constraint: \(name.string.escapedForTerminal)")
                }
            }
            guard seen.insert(constraint.name).inserted else {
                throw SSHWireError(
                    .duplicate, "agent constraint: \(constraint.name.string.escapedForTerminal) twice")
            }
        }
    }

    /// What it is called in errors.
    var name: ExactText {
        switch self {
        case .lifetime: "lifetime"
        case .confirm: "confirm"
        case .extension(let name, _): name
        }
    }

    /// Appends the constraint as a request has it.
    func write(to writer: inout WireWriter) {
        switch self {
        case .lifetime(let seconds):
            writer.write(Self.lifetimeNumber)
            writer.write(seconds)
        case .confirm: writer.write(Self.confirmNumber)
        case .extension(let name, let content):
            writer.write(Self.extensionNumber)
            writer.writeString(name)
            writer.writeRaw(content)
        }
    }
}
