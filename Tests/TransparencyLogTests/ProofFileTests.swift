// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TransparencyLog

/// A signed log of a few entries and the proofs that people keep of it.
struct SignedLog {
    static let origin = "log.example/issuance"
    static let key = Ed25519Key(7)
    let entries: [[UInt8]]
    let tree: MemoryTree

    init(_ entries: [[UInt8]]) throws {
        self.entries = entries
        tree = try TransparencyLogTests.tree(of: entries)
    }

    static func logKeys() throws -> [NoteVerifier] { [try key.verifier(origin)] }

    func note(_ size: Int) throws -> SignedNote {
        let head = try TreeHead(size: UInt64(size), root: try tree.root(size: UInt64(size)))
        let checkpoint = try Checkpoint(origin: Self.origin, head: head)
        return try SignedNote(signing: checkpoint, by: [try Self.key.signer(Self.origin)])
    }

    func checkpoint(_ size: Int) throws -> VerifiedCheckpoint {
        try VerifiedCheckpoint(try note(size), origin: Self.origin, logKeys: try Self.logKeys())
    }

    func proof(_ index: Int, _ size: Int, extra: [UInt8]? = nil) throws -> LoggedProof {
        try LoggedProof(
            try InclusionProof(index: UInt64(index), size: UInt64(size), from: tree),
            checkpoint: try note(size), extra: extra)
    }

    func update(_ oldSize: Int, _ newSize: Int) throws -> CheckpointUpdate {
        try CheckpointUpdate(
            try ConsistencyProof(oldSize: UInt64(oldSize), newSize: UInt64(newSize), from: tree),
            checkpoint: try note(newSize))
    }
}

@Suite struct LoggedProofTests {
    private func verify(_ proof: LoggedProof, _ entry: [UInt8]) throws {
        _ = try proof.verified(
            leafHash: leaf(entry), origin: SignedLog.origin, logKeys: try SignedLog.logKeys())
    }

    @Test(arguments: [(0, 1), (0, 11), (6, 11), (10, 11)])
    func aProofReadBackVerifies(index: Int, size: Int) throws {
        let log = try SignedLog(sampleEntries(11))
        for extra in [nil, [1, 2, 3, 0xff]] as [[UInt8]?] {
            let proof = try log.proof(index, size, extra: extra)
            let bytes = proof.bytes
            #expect(try LoggedProof(bytes.span) == proof)
            try verify(try LoggedProof(bytes.span), log.entries[index])
            #expect(code { try verify(proof, [0]) } == .invalidProof)
        }
    }

    @Test func theTextIsTheSpecifications() throws {
        let log = try SignedLog(sampleEntries(2))
        let text = """
            c2sp.org/tlog-proof@v1
            extra AQI=
            index 0
            \(leaf(log.entries[1]).base64)

            \(SignedLog.origin)
            2
            \(log.tree.frontier.root.base64)

            \(try log.note(2).signatures[0].line)

            """
        #expect(String(decoding: try log.proof(0, 2, extra: [1, 2]).bytes, as: UTF8.self) == text)
    }

    @Test func everyOneByteChangeIsRefused() throws {
        let log = try SignedLog(sampleEntries(5))
        let bytes = try log.proof(2, 5).bytes
        for position in bytes.indices {
            for byte in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80].map({ bytes[position] ^ $0 })
                + [0x00, 0x0a, 0x20] where byte != bytes[position]
            {
                var changed = bytes
                changed[position] = byte
                #expect(throws: TransparencyLogError.self, "byte \(position) is \(byte)") {
                    try verify(try LoggedProof(changed.span), log.entries[2])
                }
            }
        }
    }

    @Test func everyPrefixIsRefused() throws {
        let log = try SignedLog(sampleEntries(5))
        let bytes = try log.proof(2, 5).bytes
        for count in 0..<bytes.count {
            let prefix = Array(bytes[..<count])
            #expect(throws: TransparencyLogError.self) { try LoggedProof(prefix.span) }
        }
    }

    @Test(arguments: [
        ("c2sp.org/tlog-proof@v2\nindex 0\n\n", TransparencyLogError.Code.malformed),
        ("c2sp.org/tlog-proof@v1\r\nindex 0\n\n", .malformed), ("c2sp.org/tlog-proof@v1\n\n", .malformed),
        ("c2sp.org/tlog-proof@v1\nindex 00\n\n", .notCanonical),
        ("c2sp.org/tlog-proof@v1\nindex  0\n\n", .malformed),
        ("c2sp.org/tlog-proof@v1\nindex -1\n\n", .malformed),
        ("c2sp.org/tlog-proof@v1\nindex\n\n", .malformed),
        ("c2sp.org/tlog-proof@v1\nindex 9223372036854775807\n\n", .outOfRange),
        ("c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n", .malformed),
        ("c2sp.org/tlog-proof@v1\nextra AQ==\nextra AQ==\nindex 0\n\n", .malformed),
        ("c2sp.org/tlog-proof@v1\nindex 0\nextra AQ==\n\n", .malformed),
        ("c2sp.org/tlog-proof@v1\nindex 0\nAQ==\n\n", .truncated),
        ("c2sp.org/tlog-proof@v1\nindex 0\n\n\n", .malformed),
    ])
    func malformedProofsAreRefused(head: String, expected: TransparencyLogError.Code) throws {
        let bytes = Array(head.utf8) + (try SignedLog(sampleEntries(1)).note(1).bytes)
        if expected == .malformed, head.hasSuffix("\n\n\n") {
            // A note's text may begin with an empty line; a checkpoint's may not.
            let proof = try LoggedProof(bytes.span)
            #expect(throws: TransparencyLogError.self) { try verify(proof, sampleEntries(1)[0]) }
        } else {
            #expect(code { _ = try LoggedProof(bytes.span) } == expected)
        }
    }

    @Test func tooManyHashesAndTooMuchExtraDataAreRefused() throws {
        let log = try SignedLog(sampleEntries(1))
        let hash = MerkleHash.emptyRoot.base64 + "\n"
        func bytes(_ count: Int) throws -> [UInt8] {
            Array("c2sp.org/tlog-proof@v1\nindex 0\n\(String(repeating: hash, count: count))\n".utf8)
                + (try log.note(1).bytes)
        }
        let most = try bytes(63)
        #expect(throws: Never.self) { try LoggedProof(most.span) }
        let more = try bytes(64)
        #expect(code { _ = try LoggedProof(more.span) } == .tooLong)
        #expect(throws: Never.self) { try log.proof(0, 1, extra: [UInt8](repeating: 0, count: 65_535)) }
        #expect(code { _ = try log.proof(0, 1, extra: [UInt8](repeating: 0, count: 65_536)) } == .tooLong)
        #expect(code { _ = try log.proof(0, 1, extra: []) } == .malformed)
        let huge = [UInt8](repeating: 0x61, count: LogLimits.proofBytes + 1)
        #expect(code { _ = try LoggedProof(huge.span) } == .tooLong)
    }

    @Test func aProofForAnotherSizeThanItsCheckpointIsNotMade() throws {
        let log = try SignedLog(sampleEntries(5))
        let proof = try InclusionProof(index: 0, size: 4, from: log.tree)
        #expect(code { _ = try LoggedProof(proof, checkpoint: try log.note(5)) } == .outOfRange)
    }

    @Test func anotherLogsProofIsRefused() throws {
        let log = try SignedLog(sampleEntries(5))
        let proof = try log.proof(2, 5)
        #expect(
            code {
                _ = try proof.verified(
                    leafHash: leaf(log.entries[2]), origin: "other", logKeys: try SignedLog.logKeys())
            } == .wrongOrigin)
        #expect(
            code {
                _ = try proof.verified(
                    leafHash: leaf(log.entries[2]), origin: SignedLog.origin,
                    logKeys: [try Ed25519Key(8).verifier(SignedLog.origin)])
            } == .noTrustedSignature)
    }
}

@Suite struct CheckpointUpdateTests {
    @Test(arguments: [(0, 3), (1, 1), (3, 9), (4, 9), (9, 9)])
    func anUpdateReadBackVerifies(oldSize: Int, newSize: Int) throws {
        let log = try SignedLog(sampleEntries(9))
        let bytes = try log.update(oldSize, newSize).bytes
        let update = try CheckpointUpdate(bytes.span)
        #expect(update.bytes == bytes)
        let verified = try update.verified(
            since: try log.checkpoint(oldSize), logKeys: try SignedLog.logKeys())
        #expect(verified.head.size == UInt64(newSize))
    }

    @Test func everyOneByteChangeIsRefused() throws {
        let log = try SignedLog(sampleEntries(9))
        let bytes = try log.update(3, 9).bytes
        let old = try log.checkpoint(3)
        let logKeys = try SignedLog.logKeys()
        for position in bytes.indices {
            for mask in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80] as [UInt8] {
                var changed = bytes
                changed[position] ^= mask
                #expect(throws: TransparencyLogError.self, "byte \(position)") {
                    try CheckpointUpdate(changed.span).verified(since: old, logKeys: logKeys)
                }
            }
        }
    }

    @Test func everyPrefixIsRefused() throws {
        let bytes = try SignedLog(sampleEntries(9)).update(3, 9).bytes
        for count in 0..<bytes.count {
            let prefix = Array(bytes[..<count])
            #expect(throws: TransparencyLogError.self) { try CheckpointUpdate(prefix.span) }
        }
    }

    @Test func aLogThatChangedAnOldEntryIsRefused() throws {
        let log = try SignedLog(sampleEntries(9))
        var rewritten = log.entries
        rewritten[1] = [0]
        let forged = try SignedLog(rewritten)
        #expect(
            code {
                _ = try forged.update(3, 9).verified(
                    since: try log.checkpoint(3), logKeys: try SignedLog.logKeys())
            } == .invalidProof)
    }

    @Test func aSmallerOrUnrelatedCheckpointIsRefused() throws {
        let log = try SignedLog(sampleEntries(9))
        let logKeys = try SignedLog.logKeys()
        let update = try log.update(3, 7)
        #expect(
            code { _ = try update.verified(since: try log.checkpoint(9), logKeys: logKeys) } == .rolledBack)
        #expect(
            code { _ = try update.verified(since: try log.checkpoint(4), logKeys: logKeys) } == .outOfRange)
        #expect(
            code {
                _ = try CheckpointUpdate(
                    try ConsistencyProof(oldSize: 3, newSize: 7, from: log.tree), checkpoint: try log.note(8))
            } == .outOfRange)
    }
}
