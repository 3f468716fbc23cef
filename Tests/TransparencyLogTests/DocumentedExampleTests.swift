// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import TransparencyLog

/// The examples of docs/formats, read from there.
@Suite struct DocumentedExampleTests {
    private static let origin = "ca.example.com/daypass"
    private static let entries = ["alice", "bob", "carol"].map { Array($0.utf8) }

    /// The fenced blocks of a page, as they stand.
    private static func blocks(_ page: String) throws -> [String] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/formats")
        let text = try String(contentsOf: root.appending(path: page), encoding: .utf8)
        let parts = text.components(separatedBy: "```\n")
        return stride(from: 1, to: parts.count, by: 2).map { parts[$0] }
    }

    private func verifiers() throws -> (log: NoteVerifier, witness: NoteVerifier) {
        let lines = try Self.blocks("checkpoint.md")[1].split(separator: "\n").map(String.init)
        try #require(lines.count == 2)
        return (try trusting(lines[0]), try trusting(lines[1]))
    }

    @Test func theCheckpointVerifiesAndIsOfItsEntries() throws {
        let keys = try verifiers()
        let note = try parsed(try Self.blocks("checkpoint.md")[0])
        let checkpoint = try VerifiedCheckpoint(
            note, origin: Self.origin, logKeys: [keys.log], witnesses: [keys.witness])
        #expect(checkpoint.witnessSignatures.count == 1)
        #expect(checkpoint.head == (try tree(of: Self.entries).frontier.head))
    }

    @Test func theInclusionProofVerifies() throws {
        let bytes = Array(try Self.blocks("checkpoint.md")[2].utf8)
        let proof = try LoggedProof(bytes.span)
        let logKeys = [try verifiers().log]
        #expect(throws: Never.self) {
            try proof.verified(leafHash: leaf(Self.entries[1]), origin: Self.origin, logKeys: logKeys)
        }
        #expect(
            code {
                _ = try proof.verified(
                    leafHash: leaf(Self.entries[0]), origin: Self.origin, logKeys: logKeys)
            } == .invalidProof)
    }

    @Test func theUpdateLeadsFromTheFirstTwoEntries() throws {
        let bytes = Array(try Self.blocks("checkpoint.md")[3].utf8)
        let update = try CheckpointUpdate(bytes.span)
        let old = try tree(of: Array(Self.entries[..<2])).frontier.root
        let new = try Checkpoint(text: update.checkpoint.unverifiedText).head
        let proof = try ConsistencyProof(
            oldSize: update.oldSize, newSize: new.size, hashes: update.hashes)
        try proof.verify(oldRoot: old, newRoot: new.root)
    }

    @Test func theTilesOf70000EntriesAreTheListed() throws {
        let paths = try Self.blocks("log-tiles.md")[0].split(separator: "\n")
            .compactMap { $0.split(separator: " ").first.map(String.init) }.filter { $0.hasPrefix("tile/") }
        let layout = Set(try TileLayout(size: 70_000).tiles.map(\.path))
        #expect(paths.count == 8)
        #expect(layout.isSuperset(of: paths))
    }

    @Test func theBundleAndTheFrontierAreOfTheirEntries() throws {
        let blocks = try Self.blocks("log-tiles.md")
        let bundle = try EntryBundle(try Tile(.entries, index: 0, width: 3), entries: Self.entries)
        #expect(unhex(blocks[1].filter(\.isHexDigit)) == bundle.bytes)
        let frontier = blocks[2].split(separator: "\n").compactMap { $0.split(separator: " ").first }.joined()
        #expect(unhex(frontier) == (try tree(of: Self.entries).frontier.bytes))
    }
}
