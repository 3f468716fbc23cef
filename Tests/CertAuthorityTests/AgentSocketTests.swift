// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import TestSupport
import Testing

/// Keeps replies, and gives changed ones when it is told how.
private final class ReplyKeeper: AgentTransport {
    private let socket: AgentSocket
    private(set) var replies: [[UInt8]] = []
    var change: ([UInt8]) -> [UInt8] = { $0 }

    init(_ socket: AgentSocket) { self.socket = socket }

    func exchange(_ request: Span<UInt8>, maximumReplyBytes: Int) throws(SSHWireError) -> [UInt8] {
        let reply = try socket.exchange(request, maximumReplyBytes: maximumReplyBytes)
        replies.append(reply)
        return change(reply)
    }
}

/// A real ssh-agent with keys of its own, in a folder that holds their files.
private struct FilledAgent {
    static let types = [
        ("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048"),
    ]
    let agent: PrivateAgent
    let folder: TemporaryFolder

    /// Adds a key of every type that needs no hardware, and a certificate on the first.
    init() throws {
        agent = try PrivateAgent()
        folder = try TemporaryFolder()
        for (type, bits) in Self.types {
            let path = folder.path("\(type)\(bits)")
            try Tool.run("ssh-keygen", ["-q", "-N", "", "-t", type, "-b", bits, "-C", "", "-f", path])
                .orThrow("ssh-keygen")
        }
        let ca = folder.path("ecdsa256")
        try Tool.run(
            "ssh-keygen", ["-q", "-s", ca, "-I", "id", "-n", "alice", folder.path("ed25519256.pub")]
        ).orThrow("ssh-keygen -s")
        // ssh-add adds the certificate that lies beside a key, as a second identity.
        for (type, bits) in Self.types {
            try Tool.run(
                "ssh-add", ["-q", folder.path("\(type)\(bits)")], environment: agent.environment
            ).orThrow("ssh-add")
        }
    }

    func content(_ name: String) throws -> KeyOrCertificate {
        try PublicKeyLine(file: try folder.read(name)).content
    }

    func connect() throws -> AgentSocket { try AgentSocket(path: agent.socket, timeout: .seconds(20)) }
}

@Suite struct AgentSocketTests {
    @Test func everyKeyAndCertificateIsListed() throws {
        let filled = try FilledAgent()
        var client = AgentClient(try filled.connect())
        let listed = try client.identities()
        var expected = try FilledAgent.types.map { try filled.content("\($0.0)\($0.1).pub") }
        expected.insert(try filled.content("ed25519256-cert.pub"), at: 1)
        #expect(listed.compactMap(\.known) == expected)
        #expect(listed.count == 6)
        guard case .certificate = listed[1].known else {
            Issue.record("the second entry is not the certificate")
            return
        }
    }

    @Test func everyKeyAndCertificateSigns() throws {
        let filled = try FilledAgent()
        var client = AgentClient(try filled.connect())
        let message: [UInt8] = Array("to be signed".utf8)
        for identity in try client.identities() {
            let signer = try #require(identity.known)
            let signature = try client.sign(message, by: signer)
            #expect(throws: Never.self) { try signer.subject.verify(signature, over: message.span) }
            #expect(throws: SSHWireError(.invalidSignature, "")) {
                try signer.subject.verify(signature, over: [1].span)
            }
        }
    }

    @Test(arguments: [SignatureAlgorithm.rsaSHA256, .rsaSHA512])
    func theAlgorithmThatWasAskedForIsUsed(algorithm: SignatureAlgorithm) throws {
        let filled = try FilledAgent()
        var client = AgentClient(try filled.connect())
        let signature = try client.sign(
            [1, 2, 3], by: try filled.content("rsa2048.pub"), algorithm: algorithm)
        #expect(signature.algorithm == algorithm)
    }

    @Test func anotherAlgorithmThanAskedForIsRefused() throws {
        let filled = try FilledAgent()
        let keeper = ReplyKeeper(try filled.connect())
        var client = AgentClient(keeper)
        let key = try filled.content("rsa2048.pub")
        _ = try client.sign([1, 2, 3], by: key, algorithm: .rsaSHA256)
        let other = try #require(keeper.replies.last)
        keeper.change = { _ in other }
        #expect(throws: SSHWireError(.typeMismatch, "")) {
            _ = try client.sign([1, 2, 3], by: key, algorithm: .rsaSHA512)
        }
        #expect(throws: SSHWireError(.invalidSignature, "")) {
            _ = try client.sign([4, 5, 6], by: key, algorithm: .rsaSHA256)
        }
    }

    @Test func aKeyThatTheAgentHasNotIsRefused() throws {
        let filled = try FilledAgent()
        var client = AgentClient(try filled.connect())
        let key = KeyOrCertificate.key(try PublicKey(.ed25519([UInt8](repeating: 3, count: 32))))
        #expect(throws: SSHWireError(.agentRefused, "")) { _ = try client.sign([1], by: key) }
        #expect(throws: SSHWireError(.agentRefused, "")) { try client.remove(key) }
    }

    @Test func removingTakesOneOrAll() throws {
        let filled = try FilledAgent()
        var client = AgentClient(try filled.connect())
        let certificate = try filled.content("ed25519256-cert.pub")
        try client.remove(certificate)
        let left = try client.identities().compactMap(\.known)
        #expect(left.count == 5 && !left.contains(certificate))
        #expect(left.contains(try filled.content("ed25519256.pub")))
        try client.removeAll()
        #expect(try client.identities().isEmpty)
    }

    @Test func attack21_everyPrefixAndChangedByteOfRealRepliesIsTaken() throws {
        let filled = try FilledAgent()
        let keeper = ReplyKeeper(try filled.connect())
        var client = AgentClient(keeper)
        _ = try client.identities()
        for name in ["ed25519256.pub", "ecdsa256.pub", "rsa2048.pub"] {
            _ = try client.sign([1, 2, 3], by: try filled.content(name))
        }
        for reply in keeper.replies {
            let original = try AgentReply(encoded: reply)
            for end in reply.indices {
                #expect(throws: SSHWireError.self) { try AgentReply(encoded: Array(reply[..<end])) }
            }
            for index in reply.indices {
                for byte in [reply[index] ^ 1, reply[index] ^ 0x80, 0, 0xff] where byte != reply[index] {
                    var changed = reply
                    changed[index] = byte
                    if let parsed = try? AgentReply(encoded: changed) { #expect(parsed != original) }
                }
            }
        }
    }

    @Test func aChangedSignatureNeverComesBack() throws {
        let filled = try FilledAgent()
        let keeper = ReplyKeeper(try filled.connect())
        var client = AgentClient(keeper)
        let key = try filled.content("ed25519256.pub")
        _ = try client.sign([1, 2, 3], by: key)
        let reply = try #require(keeper.replies.last)
        for index in reply.indices {
            keeper.change = { _ in
                var changed = reply
                changed[index] ^= 1
                return changed
            }
            #expect(throws: SSHWireError.self) { _ = try client.sign([1, 2, 3], by: key) }
        }
    }

    @Test func nobodyListeningIsSaidSo() throws {
        try withTemporaryFolder { folder in
            #expect(throws: SSHWireError(.agentRefused, "")) {
                _ = try AgentSocket(path: folder.path("nothing"), timeout: .seconds(1))
            }
            let path = try folder.write("", to: "file")
            #expect(throws: SSHWireError(.agentRefused, "")) {
                _ = try AgentSocket(path: path, timeout: .seconds(1))
            }
        }
        #expect(throws: SSHWireError(.tooLong, "")) {
            _ = try AgentSocket(path: "/" + String(repeating: "a", count: 108))
        }
        #expect(throws: SSHWireError(.invalidValue, "")) { _ = try AgentSocket(path: "") }
    }

    @Test func attack37_aSilentAgentIsLeftAtTheDeadline() throws {
        let agent = try PrivateAgent()
        let socket = try AgentSocket(path: agent.socket, timeout: .milliseconds(200))
        var client = AgentClient(socket)
        #expect(try client.identities().isEmpty)
        _ = try Tool.run("kill", ["-STOP", "\(agent.pid)"]).orThrow("kill -STOP")
        let start = ContinuousClock.now
        #expect(throws: SSHWireError(.agentRefused, "")) { _ = try client.identities() }
        #expect(ContinuousClock.now - start < .seconds(10))
        _ = try Tool.run("kill", ["-CONT", "\(agent.pid)"]).orThrow("kill -CONT")
        // The late answer to the first question must not be taken for the answer to the next one.
        #expect(throws: SSHWireError(.agentRefused, "")) { try client.removeAll() }
    }

    @Test func attack30_aReplyOverTheLimitIsRefusedBeforeItIsRead() throws {
        let filled = try FilledAgent()
        let socket = try filled.connect()
        #expect(throws: SSHWireError(.tooLong, "")) {
            _ = try socket.exchange([11].span, maximumReplyBytes: 16)
        }
    }
}
