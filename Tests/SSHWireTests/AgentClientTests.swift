// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

/// Gives scripted replies and keeps what was asked.
private final class ScriptedAgent: AgentTransport {
    private(set) var requests: [[UInt8]] = []
    private var replies: [[UInt8]]

    init(_ replies: [[UInt8]]) { self.replies = replies }

    func exchange(_ request: Span<UInt8>, maximumReplyBytes: Int) throws(SSHWireError) -> [UInt8] {
        requests.append([UInt8](request))
        guard !replies.isEmpty else { throw SSHWireError(.agentRefused, "nothing left to say") }
        return replies.removeFirst()
    }
}

private func key(_ byte: UInt8) throws -> PublicKey {
    try PublicKey(.ed25519([UInt8](repeating: byte, count: 32)))
}

private func identitiesAnswer(_ blobs: [[UInt8]], count: UInt32? = nil) -> [UInt8] {
    var writer = WireWriter()
    writer.write(UInt8(12))
    writer.write(count ?? UInt32(blobs.count))
    for blob in blobs {
        writer.writeString(blob)
        writer.writeString("comment")
    }
    return writer.bytes
}

@Suite struct AgentClientTests {
    @Test func anUnknownTypeIsKeptAsItCame() throws {
        var unknown = WireWriter()
        unknown.writeString("ssh-future@example.com")
        unknown.writeString([1, 2, 3])
        let known = try key(1)
        var agent = AgentClient(ScriptedAgent([identitiesAnswer([unknown.bytes, known.encoded])]))
        let identities = try agent.identities()
        #expect(identities.map(\.blob) == [unknown.bytes, known.encoded])
        #expect(identities.map(\.known) == [nil, .key(known)])
    }

    @Test func attack21_aShortEd25519KeyIsOpaqueAndHidesNoOther() throws {
        var short = WireWriter()
        short.writeString("ssh-ed25519")
        short.writeString([UInt8](repeating: 1, count: 31))
        let known = try key(1)
        let reply = try AgentReply(encoded: identitiesAnswer([short.bytes, known.encoded, []]))
        guard case .identities(let identities) = reply else {
            Issue.record("not a list")
            return
        }
        #expect(identities.map(\.known) == [nil, .key(known), nil])
    }

    @Test func attack30_announcedNumbersAreTestedBeforeAnythingIsRead() {
        for count in [2_049, UInt32.max] {
            #expect(throws: SSHWireError(.tooLong, "")) {
                try AgentReply(encoded: identitiesAnswer([], count: count))
            }
        }
        #expect(throws: SSHWireError(.truncated, "")) {
            try AgentReply(encoded: identitiesAnswer([], count: 2_048))
        }
        let long = [UInt8](repeating: 6, count: Limits.agentMessageBytes + 1)
        #expect(throws: SSHWireError(.tooLong, "")) { try AgentReply(encoded: long) }
    }

    @Test(
        arguments: [[], [6, 0], [5, 0], [7], [13, 0, 0, 0, 0], [14, 0, 0, 0, 0], [12, 0, 0, 0]] as [[UInt8]])
    func attack21_malformedRepliesAreRefused(reply: [UInt8]) {
        #expect(throws: SSHWireError.self) { try AgentReply(encoded: reply) }
    }

    @Test(arguments: [5, 28, 30, 102] as [UInt8])
    func everyKindOfFailureIsARefusal(number: UInt8) {
        var agent = AgentClient(ScriptedAgent([[number], [number]]))
        #expect(throws: SSHWireError(.agentRefused, "")) { try agent.removeAll() }
        #expect(throws: SSHWireError(.agentRefused, "")) { _ = try agent.identities() }
    }

    @Test func anAnswerToAnotherQuestionIsRefused() throws {
        let list = identitiesAnswer([])
        var agent = AgentClient(ScriptedAgent([list, list, [6], [6]]))
        let key = try key(1)
        #expect(throws: SSHWireError(.agentRefused, "")) { try agent.removeAll() }
        #expect(throws: SSHWireError(.agentRefused, "")) { try agent.remove(.key(key)) }
        #expect(throws: SSHWireError(.agentRefused, "")) { _ = try agent.identities() }
        #expect(throws: SSHWireError(.agentRefused, "")) { _ = try agent.sign([1], by: .key(key)) }
    }

    @Test func aSignatureThatIsNotTheKeysIsRefused() throws {
        var reply = WireWriter()
        reply.write(UInt8(14))
        reply.writeNested { writer in
            Signature(.ed25519, blob: [UInt8](repeating: 0, count: 64)).write(to: &writer)
        }
        var agent = AgentClient(ScriptedAgent([reply.bytes]))
        let key = try key(1)
        #expect(throws: SSHWireError(.invalidSignature, "")) { _ = try agent.sign([1, 2, 3], by: .key(key)) }
    }

    @Test func anAlgorithmOfAnotherKeyTypeIsRefusedBeforeAnythingIsSent() throws {
        let script = ScriptedAgent([[5]])
        var agent = AgentClient(script)
        let key = try key(1)
        #expect(throws: SSHWireError(.typeMismatch, "")) {
            _ = try agent.sign([1], by: .key(key), algorithm: .rsaSHA256)
        }
        #expect(throws: SSHWireError(.tooLong, "")) {
            _ = try agent.sign([UInt8](repeating: 0, count: Limits.agentMessageBytes), by: .key(key))
        }
        #expect(script.requests.isEmpty)
    }
}
