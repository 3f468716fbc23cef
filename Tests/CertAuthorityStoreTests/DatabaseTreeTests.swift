// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import SSHWire
import TestSupport
import Testing
import TransparencyLog

/// A database filled in batches of odd sizes, and the same entries in memory.
private struct GrowingLog {
    let folder: TemporaryFolder
    let ledger: SQLiteLedger
    var tree = MemoryTree()
    private var batch = 0

    init() throws {
        folder = try TemporaryFolder()
        ledger = try Sample.database(in: folder)
    }

    var size: UInt64 { tree.frontier.size }

    /// Appends one batch; false when there are `count` entries.
    mutating func grow(upTo count: UInt64) async throws -> Bool {
        guard size < count else { return false }
        let sizes: [UInt64] = [1, 2, 3, 7, 31, 127, 85, 1, 254, 3, 97]
        let next = min(sizes[batch % sizes.count], count - size)
        batch += 1
        let drafts = try (0..<next).map { try Sample.draft("user-\(size + $0)") }
        for receipt in try await ledger.append(drafts, at: sampleNow) {
            let bytes = try receipt.entry.encoded()
            try tree.append(entry: bytes.span)
        }
        return true
    }
}

@Suite("The tree in the database")
struct DatabaseTreeTests {
    /// Where the stored tree's hashes are not the memory tree's.
    private func differences(_ log: GrowingLog) throws -> [String] {
        let (size, tree) = (log.size, log.tree)
        return try log.ledger.withTree { stored in
            var differences: [String] = []
            for level in 0..<11 {
                for index in 0..<(size >> UInt64(level)) {
                    let hash = try stored.hash(level: level, index: index)
                    if hash != (try tree.hash(level: level, index: index)) {
                        differences.append("\(index) of level \(level)")
                    }
                }
            }
            return differences
        }
    }

    @Test func everyHashOfEveryLevelIsTheMemoryTrees() async throws {
        var log = try GrowingLog()
        while try await log.grow(upTo: 1_000) {
            #expect(try log.ledger.size() == log.size)
            #expect(try differences(log).isEmpty, "at \(log.size) entries")
        }
        #expect(log.size == 1_000)
    }

    @Test func everyCheckpointIsSignedAndHasTheRoot() async throws {
        var log = try GrowingLog()
        repeat {
            let verified = try VerifiedCheckpoint(
                try log.ledger.checkpoint(), origin: Sample.origin, logKeys: [try Sample.noteVerifier])
            #expect(verified.head == log.tree.frontier.head)
        } while try await log.grow(upTo: 600)
    }

    @Test func theRootOfEveryEarlierSizeIsThere() async throws {
        var log = try GrowingLog()
        while try await log.grow(upTo: 700) {}
        var frontier = Frontier()
        #expect(try log.ledger.root(size: 0) == MerkleHash.emptyRoot)
        for entry in try entries(log.ledger) {
            try frontier.append(MerkleHash.leaf(entry.span))
            #expect(try log.ledger.root(size: frontier.size) == frontier.root)
        }
        #expect(frontier.size == 700)
    }

    @Test func aSizeThatTheLogNeverHadIsRefused() async throws {
        var log = try GrowingLog()
        while try await log.grow(upTo: 700) {}
        for size: UInt64 in [701, 1_000, 1 << 40, 0x7fff_ffff_ffff_ffff, .max] {
            let code = try await refusalCode { _ = try log.ledger.root(size: size) }
            #expect(code == .logInconsistent, "\(size)")
        }
        #expect(try log.ledger.root(size: 700) == log.tree.frontier.root)
    }

    @Test func inclusionIsProvenFromTheDatabase() async throws {
        var log = try GrowingLog()
        while try await log.grow(upTo: 600) {}
        let size = log.size
        let proofs = try log.ledger.withTree { source in
            try (0..<size).map { try InclusionProof(index: $0, size: size, from: OpenedSource(source)) }
        }
        for proof in proofs {
            let leaf = try log.tree.hash(level: 0, index: proof.index)
            try proof.verify(leafHash: leaf, root: log.tree.frontier.root)
            #expect(throws: TransparencyLogError.self) {
                try proof.verify(leafHash: MerkleHash.emptyRoot, root: log.tree.frontier.root)
            }
        }
    }

    @Test func consistencyIsProvenFromTheDatabase() async throws {
        var log = try GrowingLog()
        var heads: [TreeHead] = []
        while try await log.grow(upTo: 800) {
            let now = log.tree.frontier.head
            for old in heads {
                let proof = try log.ledger.withTree { source in
                    try ConsistencyProof(oldSize: old.size, newSize: now.size, from: OpenedSource(source))
                }
                try proof.verify(oldRoot: old.root, newRoot: now.root)
                #expect(throws: TransparencyLogError.self) {
                    try proof.verify(oldRoot: MerkleHash.emptyRoot, newRoot: now.root)
                }
            }
            heads.append(now)
        }
        #expect(heads.count > 10)
    }
}

/// Proofs are made from a source of one type.
private struct OpenedSource: HashSource {
    let source: any HashSource
    init(_ source: any HashSource) { self.source = source }
    func hash(level: Int, index: UInt64) throws -> Hash { try source.hash(level: level, index: index) }
}
