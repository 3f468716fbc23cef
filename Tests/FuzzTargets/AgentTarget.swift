// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// An agent that gives one answer, whatever it is asked.
private struct CannedAgent: AgentTransport {
    let reply: [UInt8]

    func exchange(_ request: Span<UInt8>, maximumReplyBytes: Int) throws(SSHWireError) -> [UInt8] { reply }
}

extension FuzzTarget {
    /// An agent's reply, without its length.
    static let agentReply = FuzzTarget("agent-reply") { input throws(BrokenProperty) in
        var client = AgentClient(CannedAgent(reply: input))
        let identities = try attempt { try client.identities() }
        guard let reply = try attempt({ try AgentReply(encoded: input) }) else {
            try require(identities == nil, "the client refuses what can't be parsed")
            return .refused
        }
        switch reply {
        case .identities(let list):
            try require(identities == list, "the client gives back what was parsed")
            try requireSameBytes(list, input)
            for identity in list {
                if let known = identity.known {
                    _ = try attempt { try client.sign(input, by: known) }
                } else if case .opaque(_, let reason) = identity.content {
                    try requireOneLine(reason, "an opaque key's reason")
                }
            }
        case .signature(let signature):
            try require(identities == nil, "a signature is no list")
            var writer = WireWriter()
            writer.write(UInt8(14))
            writer.writeString(signature.encoded)
            try require(writer.bytes == input, "a signature's reply has one encoding")
        case .success, .failure:
            try require(identities == nil, "yes or no is no list")
            try require(input.count == 1, "yes or no is one byte")
        }
        return .accepted
    }

    private static func requireSameBytes(
        _ identities: [AgentIdentity], _ input: [UInt8]
    ) throws(BrokenProperty) {
        // A comment that is not UTF-8 is not kept as it came.
        guard !identities.contains(where: { $0.comment.unicodeScalars.contains("\u{fffd}") }) else { return }
        var writer = WireWriter()
        writer.write(UInt8(12))
        writer.write(UInt32(truncatingIfNeeded: identities.count))
        for identity in identities {
            writer.writeString(identity.blob)
            writer.writeString(identity.comment)
        }
        try require(writer.bytes == input, "a list of keys has one encoding")
    }
}
