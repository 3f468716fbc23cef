// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TransparencyLog

/// A log exported into a dictionary of files.
struct ExportedLog: TileSource {
    var files: [String: [UInt8]] = [:]
    let log: SignedLog
    let checkpoint: VerifiedCheckpoint

    init(_ entries: [[UInt8]]) throws {
        log = try SignedLog(entries)
        checkpoint = try log.checkpoint(entries.count)
        for tile in try TileLayout(size: UInt64(entries.count)).tiles {
            files[tile.path] = try Self.content(tile, entries, log.tree)
        }
    }

    static func content(_ tile: Tile, _ entries: [[UInt8]], _ tree: MemoryTree) throws -> [UInt8] {
        guard tile.kind == .entries else { return try HashTile(tile, from: tree).bytes }
        let first = Int(tile.firstPosition)
        return try EntryBundle(tile, entries: Array(entries[first..<(first + tile.width)])).bytes
    }

    func bytes(at path: String, upTo maximumBytes: Int) throws -> [UInt8]? { files[path] }

    func verify(published: [VerifiedCheckpoint] = []) throws {
        try LogVerifier.verify(tiles: self, checkpoint: checkpoint, published: published)
    }

    /// Puts other entries in the bundles, and leaves the tree as it is.
    mutating func replaceBundles(_ entries: [[UInt8]]) throws {
        for tile in try TileLayout(size: checkpoint.head.size).tiles where tile.kind == .entries {
            let first = Int(tile.firstPosition)
            let part = entries[min(first, entries.count)..<min(first + tile.width, entries.count)]
            guard !part.isEmpty else {
                files[tile.path] = nil
                continue
            }
            let width = try Tile(.entries, index: tile.index, width: part.count)
            files[tile.path] = try EntryBundle(width, entries: Array(part)).bytes
        }
    }
}

@Suite struct ExportedLogTests {
    @Test(arguments: [0, 1, 2, 255, 256, 257, 511, 512, 513, 700])
    func anExportedLogVerifies(size: Int) throws {
        let exported = try ExportedLog(sampleEntries(size))
        try exported.verify()
        try exported.verify(
            published: try (0...size).filter { $0 % 97 == 0 }.map { try exported.log.checkpoint($0) })
    }

    @Test func progressGoesBundleByBundleToTheEnd() throws {
        let exported = try ExportedLog(sampleEntries(600))
        var seen: [UInt64] = []
        try LogVerifier.verify(tiles: exported, checkpoint: exported.checkpoint) { verified, all in
            #expect(all == 600)
            seen.append(verified)
        }
        #expect(seen == [256, 512, 600])
    }

    @Test func everyChangedByteOfEveryFileIsFound() throws {
        let exported = try ExportedLog((0..<259).map { [UInt8(truncatingIfNeeded: $0), 7] })
        for (path, content) in exported.files {
            for position in content.indices where content.count < 300 || position % 5 == 0 {
                var damaged = exported
                damaged.files[path]?[position] ^= 0x10
                #expect(throws: TransparencyLogError.self, "byte \(position) of \(path)") {
                    try damaged.verify()
                }
            }
        }
    }

    @Test func everyShortenedLengthenedOrMissingFileIsNamed() throws {
        let exported = try ExportedLog(sampleEntries(600))
        for (path, content) in exported.files {
            for (replacement, expected) in [
                (Array(content.dropLast()), TransparencyLogError.Code.truncated), ([], .truncated),
                (nil, .missing),
            ] as [([UInt8]?, TransparencyLogError.Code)] {
                var damaged = exported
                damaged.files[path] = replacement
                let error = failure { try damaged.verify() }
                #expect(error?.code == expected)
                #expect(error?.reason.contains(path) == true)
            }
            var longer = exported
            longer.files[path] = content + [0]
            let error = failure { try longer.verify() }
            #expect(error?.code == (path.contains("entries") ? .trailingBytes : .tooLong))
            #expect(error?.reason.contains(path) == true)
        }
    }

    @Test(arguments: [0, 1, 255, 256, 511, 512, 599])
    func aChangedEntryIsNamed(victim: Int) throws {
        var exported = try ExportedLog(sampleEntries(600))
        var entries = exported.log.entries
        entries[victim][0] ^= 1
        try exported.replaceBundles(entries)
        let error = failure { try exported.verify() }
        #expect(error?.code == .entryMismatch)
        #expect(
            error?.reason
                == "entry \(victim): its hash is \(leaf(entries[victim])) and the tree says "
                + "\(leaf(exported.log.entries[victim]))")
    }

    @Test(arguments: [0, 100, 255, 256, 598])
    func aDroppedEntryIsNamed(victim: Int) throws {
        var exported = try ExportedLog(sampleEntries(600))
        var entries = exported.log.entries
        entries.remove(at: victim)
        try exported.replaceBundles(entries)
        let error = failure { try exported.verify() }
        #expect(error?.code == .entryMismatch)
        #expect(error?.reason.hasPrefix("entry \(victim): ") == true)
    }

    @Test func aDroppedLastEntryIsNamed() throws {
        var exported = try ExportedLog(sampleEntries(600))
        try exported.replaceBundles(exported.log.entries.dropLast())
        let error = failure { try exported.verify() }
        #expect(error?.code == .truncated)
        #expect(error?.reason.contains("entry 599") == true)
    }

    @Test(arguments: [0, 256, 599])
    func anAddedEntryIsNamed(position: Int) throws {
        var exported = try ExportedLog(sampleEntries(600))
        var entries = exported.log.entries
        entries.insert([1, 2, 3], at: position)
        try exported.replaceBundles(entries)
        let error = failure { try exported.verify() }
        #expect(error?.code == .entryMismatch)
        #expect(error?.reason.hasPrefix("entry \(position): ") == true)
    }

    @Test func anEntryAddedAtTheEndIsFound() throws {
        var exported = try ExportedLog(sampleEntries(600))
        exported.files["tile/entries/002.p/88"]? += [0, 1, 7]
        let error = failure { try exported.verify() }
        #expect(error?.code == .trailingBytes)
        #expect(error?.reason.contains("entry 599, its last") == true)
    }

    @Test(arguments: [(3, 4), (255, 256), (10, 590)])
    func swappedEntriesAreNamedByTheFirst(first: Int, second: Int) throws {
        var exported = try ExportedLog(sampleEntries(600))
        var entries = exported.log.entries
        entries.swapAt(first, second)
        try exported.replaceBundles(entries)
        #expect(failure { try exported.verify() }?.reason.hasPrefix("entry \(first): ") == true)
    }

    @Test func anEntryChangedTogetherWithItsLeafHashIsFoundOneLevelUp() throws {
        var exported = try ExportedLog(sampleEntries(600))
        var entries = exported.log.entries
        entries[300] = [0]
        try exported.replaceBundles(entries)
        let forged = try tree(of: entries)
        let leaves = try Tile(path: "tile/0/001")
        exported.files[leaves.path] = try HashTile(leaves, from: forged).bytes
        let error = failure { try exported.verify() }
        #expect(error?.code == .tileMismatch)
        #expect(error?.reason.hasPrefix("tile/1/000.p/2, hash 1: entries 256...511 ") == true)
    }

    @Test(arguments: [0, 300, 599])
    func aLogRewrittenThroughoutDoesNotMakeTheSignedRoot(victim: Int) throws {
        let exported = try ExportedLog(sampleEntries(600))
        var entries = exported.log.entries
        entries[victim] = [0]
        var forged = exported
        forged.files = try ExportedLog(entries).files
        let error = failure { try forged.verify(published: [try exported.log.checkpoint(256)]) }
        #expect(error?.code == .rootMismatch)
        #expect(error?.reason.contains(victim < 256 ? "0...255 " : "256...599 ") == true)
    }

    @Test func aLogRolledBackBehindAPublishedCheckpointIsNamed() throws {
        let exported = try ExportedLog(sampleEntries(300))
        let before = try SignedLog(sampleEntries(400)).checkpoint(400)
        #expect(throws: Never.self) { try exported.verify() }
        let error = failure { try exported.verify(published: [before]) }
        #expect(error?.code == .rolledBack)
        #expect(error?.reason.contains("300...399") == true)
    }

    @Test func anotherLogsCheckpointIsNotComparedWith() throws {
        let exported = try ExportedLog(sampleEntries(3))
        let key = Ed25519Key(5)
        let note = try SignedNote(
            signing: try Checkpoint(origin: "other", head: exported.checkpoint.head),
            by: [try key.signer("other")])
        let other = try VerifiedCheckpoint(note, origin: "other", logKeys: [try key.verifier("other")])
        #expect(code { try exported.verify(published: [other]) } == .wrongOrigin)
    }

    @Test func anOlderCheckpointVerifiesWhereFullTilesReplacedPartialOnes() throws {
        var exported = try ExportedLog(sampleEntries(512))
        // No full tile has replaced the partial ones of level 1, so an export that grew has kept them.
        let partial = try Tile(path: "tile/1/000.p/1")
        exported.files[partial.path] = try HashTile(partial, from: exported.log.tree).bytes
        for size in [1, 255, 256, 257, 300, 511] {
            try LogVerifier.verify(tiles: exported, checkpoint: try exported.log.checkpoint(size))
        }
        exported.files[partial.path] = nil
        let checkpoint = try exported.log.checkpoint(300)
        #expect(code { try LogVerifier.verify(tiles: exported, checkpoint: checkpoint) } == .missing)
    }

    @Test func tilesOfEveryLevelAreComparedInATreeOfThreeLevels() throws {
        let entries = (0..<65_800).map {
            [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)]
        }
        let exported = try ExportedLog(entries)
        try exported.verify()
        for (path, position) in [("tile/1/000", 255 * 32), ("tile/1/001.p/1", 0), ("tile/2/000.p/1", 31)] {
            var damaged = exported
            damaged.files[path]?[position] ^= 1
            let error = failure { try damaged.verify() }
            #expect(error?.code == .tileMismatch)
            #expect(error?.reason.hasPrefix("\(path), hash ") == true)
        }
    }

    @Test func proofsAreMadeFromAnExportedLog() throws {
        let exported = try ExportedLog(sampleEntries(700))
        let tiles = try TileHashSource(exported, size: 700)
        let root = exported.checkpoint.head.root
        for index in stride(from: 0, to: 700, by: 13) as StrideTo<Int> {
            let proof = try InclusionProof(index: UInt64(index), size: 700, from: tiles)
            try proof.verify(leafHash: leaf(exported.log.entries[index]), root: root)
            let consistency = try ConsistencyProof(oldSize: UInt64(index), newSize: 700, from: tiles)
            try consistency.verify(oldRoot: try exported.log.tree.root(size: UInt64(index)), newRoot: root)
        }
        #expect(code { _ = try InclusionProof(index: 0, size: 701, from: tiles) } == .missing)
        #expect(code { _ = try tiles.hash(level: 63, index: 0) } == .missing)
        #expect(code { _ = try tiles.hash(level: -1, index: 0) } == .missing)
        #expect(code { _ = try tiles.hash(level: 0, index: .max) } == .missing)
    }
}
