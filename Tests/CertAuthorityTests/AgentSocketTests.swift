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

@Suite struct AgentAdditionTests {
    /// The private key in a file of `filled`'s.
    private func privateKey(_ name: String, in filled: FilledAgent) throws -> PrivateKey {
        let bytes = try filled.folder.read(name)
        let contents = try unsafe SecretBytes(count: bytes.count) { unsafe $0.copyBytes(from: bytes) }
        return try PrivateKey(fileContents: contents)
    }

    @Test(arguments: FilledAgent.types.map { "\($0.0)\($0.1)" })
    func everyKeyAndACertificateOnItAreAddedAndSign(name: String) throws {
        let filled = try FilledAgent()
        let ca = filled.folder.path("ecdsa256")
        try Tool.run(
            "ssh-keygen", ["-q", "-s", ca, "-I", "id", "-n", "alice", filled.folder.path("\(name).pub")]
        ).orThrow("ssh-keygen -s")
        guard case .certificate(let certificate) = try filled.content("\(name)-cert.pub") else {
            Issue.record("no certificate")
            return
        }
        let key = try privateKey(name, in: filled)
        var client = AgentClient(try filled.connect())
        try client.removeAll()
        try client.add(AgentAddition(key, comment: "plain"))
        try client.add(AgentAddition(key, certificate: certificate, comment: "certified"))
        let listed = try client.identities()
        #expect(listed.map(\.known) == [.key(key.publicKey), .certificate(certificate)])
        #expect(listed.map(\.comment) == ["plain", "certified"])
        for signer in listed.compactMap(\.known) {
            #expect(throws: Never.self) { _ = try client.sign([1, 2, 3], by: signer) }
        }
    }

    @Test func aKeyIsGoneAfterItsLifetime() async throws {
        let filled = try FilledAgent()
        var client = AgentClient(try filled.connect())
        try client.removeAll()
        let key = try privateKey("ed25519256", in: filled)
        try client.add(AgentAddition(key, comment: ""), constraints: [.lifetime(seconds: 1)])
        #expect(try client.identities().count == 1)
        let deadline = ContinuousClock.now + .seconds(10)
        while try !client.identities().isEmpty, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(try client.identities().isEmpty)
    }

    @Test func aKeyToBeConfirmedDoesNotSignWithoutAnybody() throws {
        let filled = try FilledAgent()
        var client = AgentClient(try filled.connect())
        try client.removeAll()
        let key = try privateKey("ed25519256", in: filled)
        try client.add(AgentAddition(key, comment: ""), constraints: [.confirm])
        // The agent has no way to ask: no terminal and no SSH_ASKPASS.
        #expect(throws: SSHWireError(.agentRefused, "")) { _ = try client.sign([1], by: .key(key.publicKey)) }
        try client.add(AgentAddition(key, comment: ""))
        #expect(throws: Never.self) { _ = try client.sign([1], by: .key(key.publicKey)) }
    }

    @Test func attack22_aConstraintThatTheAgentDoesNotKnowIsAnErrorAndNoKeyIsAdded() throws {
        let filled = try FilledAgent()
        var client = AgentClient(try filled.connect())
        try client.removeAll()
        let addition = try AgentAddition(try privateKey("ed25519256", in: filled), comment: "")
        let unknown = AgentConstraint.extension(name: "nonsense@example.com", content: [0, 0, 0, 0])
        for constraints in [[unknown], [.lifetime(seconds: 60), unknown], [unknown, .confirm]] {
            do throws(SSHWireError) {
                try client.add(addition, constraints: constraints)
                Issue.record("added")
            } catch {
                #expect(error.code == .agentRefused)
                #expect(error.reason.contains("nonsense@example.com"))
            }
            #expect(try client.identities().isEmpty)
        }
    }

    @Test func attack22_eachKeyOfABatchCarriesTheConstraint() throws {
        let filled = try FilledAgent()
        var client = AgentClient(try filled.connect())
        try client.removeAll()
        let names = ["ed25519256", "ecdsa256", "rsa2048"]
        let additions = try names.map { try AgentAddition(try privateKey($0, in: filled), comment: "") }
        try client.add(additions, constraints: [.confirm, .lifetime(seconds: 3_600)])
        let listed = try client.identities().compactMap(\.known)
        #expect(listed.count == 3)
        for signer in listed {
            #expect(throws: SSHWireError(.agentRefused, "")) { _ = try client.sign([1], by: signer) }
        }
    }

    @Test func attack22_constraintsThatDoNotDoWhatTheySayAreRefusedBeforeAnythingIsSent() throws {
        let filled = try FilledAgent()
        let keeper = ReplyKeeper(try filled.connect())
        var client = AgentClient(keeper)
        let addition = try AgentAddition(try privateKey("ed25519256", in: filled), comment: "")
        for constraints: [AgentConstraint] in [
            [.lifetime(seconds: 0)], [.confirm, .confirm], [.lifetime(seconds: 1), .lifetime(seconds: 2)],
            [.extension(name: "", content: [])],
            [.extension(name: "a@b", content: [UInt8](repeating: 0, count: Limits.agentConstraintBytes + 1))],
        ] {
            #expect(throws: SSHWireError.self) { try client.add(addition, constraints: constraints) }
        }
        #expect(keeper.replies.isEmpty)
    }

    @Test func aCertificateOnAnotherKeyIsRefused() throws {
        let filled = try FilledAgent()
        guard case .certificate(let certificate) = try filled.content("ed25519256-cert.pub") else {
            Issue.record("no certificate")
            return
        }
        #expect(throws: SSHWireError(.invalidKey, "")) {
            try AgentAddition(try privateKey("ecdsa256", in: filled), certificate: certificate, comment: "")
        }
        #expect(throws: SSHWireError.self) {
            try AgentAddition(try privateKey("ecdsa256", in: filled), comment: "a\nb")
        }
    }
}
