// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import Testing
import TransparencyLog

@testable import Agent

/// A host that keeps the log to its word.
@Suite("A host as a witness") struct HostWitnessTests {
    /// A log that can show itself as it likes.
    private struct Log {
        let signer: NoteSigner
        let key: PrivateKey
        var tree = MemoryTree()

        init(_ name: String = "ca.example.com/log", key: PrivateKey? = nil) throws {
            let own = try key ?? PrivateKey.generate(.ed25519, comment: "")
            guard case .ed25519(let bytes) = own.publicKey.material else { fatalError() }
            self.key = own
            signer = try NoteSigner(name: try KeyName(name), publicKey: bytes) { message in
                try own.sign(message.span).blob
            }
        }

        mutating func append(_ entries: String...) throws {
            for entry in entries { try tree.append(entry: Array(entry.utf8).span) }
        }

        func update(from old: UInt64) throws -> JSONValue {
            let size = tree.frontier.size
            let head = try TreeHead(size: size, root: tree.frontier.root)
            let text = try Checkpoint(origin: signer.name.string, head: head).text
            let note = try SignedNote(signing: text, by: [signer])
            let proof = try ConsistencyProof(oldSize: min(old, size), newSize: size, from: tree)
            let update = try CheckpointUpdate(proof, checkpoint: note)
            return .object([
                .init("command", "checkpoint"), .init("logKey", .string(signer.vkey)),
                .init("update", .string(String(decoding: update.bytes, as: UTF8.self))),
            ])
        }
    }

    private let files = MemoryFiles()
    private let layout = HostLayout()
    private var witness: HostWitness { HostWitness(layout, files: files, name: "web1") }

    private func see(_ log: Log, from old: UInt64, at now: UInt64 = 1_795_000_000) throws
        -> HostWitness.Answer
    {
        var fields = try OperationFields(try log.update(from: old))
        _ = fields.take("command")
        return try witness.see(try WitnessOrder(&fields), at: now)
    }

    /// The cosignature's time, once it has verified by the witness's own key over what the log shows.
    private func verified(_ answer: HostWitness.Answer, _ log: Log) throws -> UInt64? {
        guard case .cosigned(_, _, let line) = answer, let key = try witness.standing()?.key else {
            Issue.record("not cosigned: \(answer)")
            return nil
        }
        let verifier = try NoteVerifier(vkey: key, verify: isValidEd25519)
        let text = try Checkpoint(
            origin: log.signer.name.string,
            head: try TreeHead(size: log.tree.frontier.size, root: log.tree.frontier.root)
        ).text
        let note = try SignedNote(text: text, signatures: [try NoteSignature(line: line)])
        return try note.verified(by: [verifier]).signatures.first?.timestamp
    }

    @Test func eachCheckpointThatGoesOnIsKeptAndCosigned() throws {
        var log = try Log()
        try log.append("a", "b", "c")
        #expect(try verified(see(log, from: 0), log) == 1_795_000_000)
        try log.append("d")
        #expect(try verified(see(log, from: 3, at: 1_795_000_007), log) == 1_795_000_007)
        // The same again, as after a restart of the server.
        #expect(try verified(see(log, from: 4), log) != nil)
        let standing = try #require(try witness.standing())
        #expect(standing.size == 4 && standing.origin == "ca.example.com/log" && standing.refusal == nil)
        #expect(standing.key.hasPrefix("web1/witness+"))
        #expect(files.everything["/var/lib/daypass/witness/key"]?.attributes.mode == 0o600)
    }

    @Test func aProofFromElsewhereIsAskedForAnewAndNothingIsSigned() throws {
        var log = try Log()
        try log.append("a", "b", "c")
        guard case .needsProof(0) = try see(log, from: 2) else { return #expect(Bool(false), "first") }
        #expect(try witness.standing() == nil)
        _ = try see(log, from: 0)
        try log.append("d", "e")
        guard case .needsProof(3) = try see(log, from: 1) else { return #expect(Bool(false), "later") }
        #expect(try witness.standing()?.size == 3)
    }

    @Test func aRewrittenLogIsRefusedAndBothCheckpointsAreKept() throws {
        var log = try Log()
        try log.append("a", "b", "c")
        _ = try see(log, from: 0)
        // The same key, another history: longer, of the same size, and cut.
        for entries in [["a", "x", "c", "d"], ["a", "b", "x"], ["a"]] {
            var other = try Log(key: log.key)
            for entry in entries { try other.append(entry) }
            guard case .refused(3, let reason) = try see(other, from: 3) else {
                Issue.record("\(entries) was taken")
                continue
            }
            #expect(reason.contains("3"))
        }
        let standing = try #require(try witness.standing())
        #expect(standing.size == 3 && standing.refusal != nil)
        let kept = try #require(files.text("/var/lib/daypass/witness/refused"))
        #expect(kept.contains("\nbefore\n") && kept.contains("\nnow\n"))
        #expect(kept.components(between: "ca.example.com/log\n").count == 3)
        // The true log goes on, and the alarm stays until somebody has looked.
        try log.append("d")
        #expect(try verified(see(log, from: 3), log) != nil)
        #expect(try witness.standing()?.refusal != nil)
    }

    @Test func whatTheLogDidNotSignIsNoCheckpointOfIts() throws {
        var log = try Log()
        try log.append("a")
        _ = try see(log, from: 0)
        var stranger = try Log()
        try stranger.append("a", "b")
        #expect(throws: AgentError(.invalidRequest, "")) { try see(stranger, from: 1) }
        var renamed = try Log("other.example.com/log", key: log.key)
        try renamed.append("a", "b")
        #expect(throws: AgentError(.invalidRequest, "")) { try see(renamed, from: 1) }
        #expect(try witness.standing()?.size == 1 && witness.standing()?.refusal == nil)
    }

    @Test func whatCannotBeKeptIsNotSigned() throws {
        var log = try Log()
        try log.append("a")
        _ = try see(log, from: 0)
        try log.append("b")
        files.put("/var/lib/daypass/witness/checkpoint", Array("not a note".utf8))
        #expect(throws: AgentError(.damaged, "")) { try see(log, from: 1) }
        try files.remove("/var/lib/daypass/witness/checkpoint")
        #expect(throws: AgentError(.damaged, "")) { try see(log, from: 1) }
    }

    @Test(arguments: [
        ("{}", "logKey"), (#"{"logKey":"x","update":"y"}"#, "verifier key"),
        (#"{"logKey":1,"update":"y"}"#, "logKey: a text expected"),
    ]) func ordersOfAnotherShapeAreRefusedByTheFieldsName(text: String, says: String) throws {
        let json = try JSONValue(parsing: Array(text.utf8), maximumBytes: 1_000)
        var fields = try OperationFields(json)
        do {
            _ = try WitnessOrder(&fields)
            Issue.record("\(text) was taken")
        } catch { #expect(error.reason.contains(says), "\(error.reason)") }
    }
}

extension String {
    fileprivate func components(between separator: String) -> [Substring] {
        split(separator: separator, omittingEmptySubsequences: false)
    }
}
