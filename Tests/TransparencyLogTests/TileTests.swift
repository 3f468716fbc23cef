// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TransparencyLog

@Suite struct TilePathTests {
    @Test(
        arguments: [
            ("tile/0/000", Tile.Kind.hashes(level: 0), 0, 256),
            ("tile/0/000.p/1", .hashes(level: 0), 0, 1),
            ("tile/1/x001/x234/067", .hashes(level: 1), 1_234_067, 256),
            ("tile/0/x001/x234/067.p/8", .hashes(level: 0), 1_234_067, 8),
            ("tile/entries/999.p/255", .entries, 999, 255),
            ("tile/entries/x001/000", .entries, 1_000, 256),
            ("tile/7/000.p/127", .hashes(level: 7), 0, 127),
            // The last tile of the largest tree.
            ("tile/entries/x036/x028/x797/x018/x963/967.p/255", .entries, 36_028_797_018_963_967, 255),
        ] as [(String, Tile.Kind, UInt64, Int)])
    func pathsReadBack(path: String, kind: Tile.Kind, index: UInt64, width: Int) throws {
        let tile = try Tile(kind, index: index, width: width)
        #expect(tile.path == path)
        #expect(try Tile(path: path) == tile)
        #expect(tile.isPartial == (width < 256))
        #expect(path.utf8.count <= LogLimits.tilePathBytes)
    }

    @Test(arguments: [
        "", "/", "tile", "tile/", "tile/0", "tile/0/", "tile/0/00", "tile/0/0000", "tile/0/00a", "tile/0/-01",
        "/tile/0/000", "tile/0/000/", "tile//000", "tile/00/000", "tile/01/000", "tile/-1/000", "tile/+1/000",
        "tile/8/000", "tile/63/000", "tile/64/000", "tile/x/000", "tile/entry/000", "tile/Entries/000",
        "tile/0/x000", "tile/0/x000/000", "tile/0/001/002", "tile/0/x001", "tile/0/x1/000", "tile/0/X001/000",
        "tile/0/x001/x002", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256",
        "tile/0/000.p/01", "tile/0/000.p/1/", "tile/0/000.p/1/2", "tile/0/000.P/1", "tile/0/000p/1",
        "tile/0/000.p/18446744073709551617", "tile/0/x001.p/000", "tile/0/.p/1", "tile/0/x001/.p/1",
        "tile/7/000", "tile/7/000.p/128", "tile/7/001.p/1", "tile/0/x036/x028/x797/x018/x963/967",
        "tile/0/x036/x028/x797/x018/x963/968.p/1", "tile/0/x999/x999/x999/x999/x999/999",
        "tile/0/x018/x446/x744/x073/x709/x551/616", "tile/0/x001/x001/x001/x001/x001/x001/x001/x001/x001/001",
        "tile/0/000\0", "tile/0/000\n", "tile/0/٠٠٠",
    ])
    func otherPathsAreRefused(path: String) {
        #expect(throws: TransparencyLogError.self) { try Tile(path: path) }
    }

    @Test func everyOneByteChangeOfAPathIsRefusedOrAnotherTile() throws {
        let path = Array("tile/1/x001/x234/067.p/8".utf8)
        let tile = try Tile(path: String(decoding: path, as: UTF8.self))
        for position in path.indices {
            for byte in 0...0x7f as ClosedRange<UInt8> where byte != path[position] {
                var changed = path
                changed[position] = byte
                let text = String(decoding: changed, as: UTF8.self)
                if let other = try? Tile(path: text) {
                    #expect(other != tile)
                    #expect(other.path == text)
                }
            }
        }
    }

    @Test(
        arguments: [
            (Tile.Kind.hashes(level: 0), 36_028_797_018_963_967, 256), (.hashes(level: 0), .max, 1),
            (.hashes(level: 8), 0, 1), (.hashes(level: -1), 0, 1), (.hashes(level: .max), 0, 1),
            (.entries, 0, 0),
            (.entries, 0, 257), (.entries, 0, -1), (.hashes(level: 7), 0, 128),
        ] as [(Tile.Kind, UInt64, Int)])
    func tilesThatNoTreeHasAreRefused(kind: Tile.Kind, index: UInt64, width: Int) {
        #expect(code { _ = try Tile(kind, index: index, width: width) } == .outOfRange)
    }
}

@Suite struct TileLayoutTests {
    @Test func theSpecificationsExampleOf70000EntriesHasItsTiles() throws {
        let tiles = Array(try TileLayout(size: 70_000).tiles)
        for kind in [Tile.Kind.entries, .hashes(level: 0)] {
            let ofKind = tiles.filter { $0.kind == kind }
            #expect(ofKind.map(\.index) == Array(0...273))
            #expect(ofKind.filter(\.isPartial).map(\.width) == [112])
        }
        #expect(tiles.filter { $0.level == 1 }.map(\.path) == ["tile/1/000", "tile/1/001.p/17"])
        #expect(tiles.filter { $0.level == 2 }.map(\.path) == ["tile/2/000.p/1"])
        #expect(tiles.count == 274 * 2 + 3)
    }

    @Test(
        arguments: [
            (0, []), (1, ["tile/entries/000.p/1", "tile/0/000.p/1"]),
            (256, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]),
            (
                257,
                [
                    "tile/entries/000", "tile/entries/001.p/1", "tile/0/000", "tile/0/001.p/1",
                    "tile/1/000.p/1",
                ]
            ),
        ] as [(UInt64, [String])])
    func smallTreesHaveTheirTiles(size: UInt64, paths: [String]) throws {
        #expect(try TileLayout(size: size).tiles.map(\.path) == paths)
    }

    @Test func whatChangedIsWhatTheOldTreeDidNotHave() throws {
        let sizes: [UInt64] = [
            0, 1, 2, 255, 256, 257, 511, 512, 513, 700, 65_535, 65_536, 65_537, 65_792, 70_000,
        ]
        for new in sizes {
            let tiles = Array(try TileLayout(size: new).tiles)
            for old in sizes where old <= new {
                let before = Set(try TileLayout(size: old).tiles)
                let changed = Array(try TileLayout(size: new).tiles(changedSince: old))
                #expect(changed == tiles.filter { !before.contains($0) }, "from \(old) to \(new)")
            }
        }
        #expect(code { _ = try TileLayout(size: 4).tiles(changedSince: 5) } == .outOfRange)
    }

    @Test func theLargestTreeHasItsLastTiles() throws {
        let layout = try TileLayout(size: LogLimits.treeSize)
        #expect(layout.tile(.entries, index: (1 << 55) - 1)?.width == 255)
        #expect(layout.tile(.entries, index: 1 << 55) == nil)
        #expect(layout.tile(.entries, index: .max) == nil)
        #expect(layout.tile(.hashes(level: 7), index: 0)?.width == 127)
        #expect(layout.tile(.hashes(level: 8), index: 0) == nil)
        #expect(code { _ = try TileLayout(size: LogLimits.treeSize + 1) } == .outOfRange)
    }
}

@Suite struct TileContentTests {
    @Test func tilesBuiltByTheEntryAreThoseBuiltFromAStoredTree() throws {
        // Past one full tile of level 1.
        let size = 65_536 + 700
        var tree = MemoryTree()
        var builder = TreeBuilder()
        var built: [Tile: HashTile] = [:]
        for number in 0..<size {
            let hash = leaf([UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)])
            try tree.append(hash)
            try builder.append(hash)
            for tile in builder.takeCompletedTiles() { built[tile.tile] = tile }
        }
        for tile in builder.partialTiles { built[tile.tile] = tile }
        let expected = try TileLayout(size: UInt64(size)).tiles.filter { $0.kind != .entries }
        #expect(Set(expected) == Set(built.keys))
        for tile in expected { #expect(try HashTile(tile, from: tree) == built[tile]) }
        #expect(builder.frontier.root == tree.frontier.root)
    }

    @Test(arguments: [0, 1, 255, 256, 257, 511, 512, 600])
    func aResumedBuilderGoesOnAsIfItHadNeverStopped(stop: Int) throws {
        let entries = sampleEntries(800)
        let tree = try tree(of: entries)
        var whole = TreeBuilder()
        for entry in entries[..<stop] { try whole.append(entry: entry.span) }
        _ = whole.takeCompletedTiles()
        var resumed = try TreeBuilder(size: UInt64(stop), from: tree)
        #expect(resumed.partialTiles == whole.partialTiles)
        for entry in entries[stop...] {
            try whole.append(entry: entry.span)
            try resumed.append(entry: entry.span)
        }
        #expect(resumed.takeCompletedTiles() == whole.takeCompletedTiles())
        #expect(resumed.partialTiles == whole.partialTiles)
        #expect(resumed.frontier == whole.frontier)
    }

    @Test func aHashTileReadsBackAndOtherSizesAreRefused() throws {
        let tree = try tree(of: sampleEntries(5))
        let tile = try Tile(.hashes(level: 0), index: 0, width: 5)
        let hashes = try HashTile(tile, from: tree)
        let bytes = hashes.bytes
        #expect(bytes.count == 160)
        #expect(try HashTile(tile, bytes: bytes.span) == hashes)
        for count in 0..<bytes.count {
            let prefix = Array(bytes[..<count])
            #expect(code { _ = try HashTile(tile, bytes: prefix.span) } == .truncated)
        }
        let longer = bytes + [0]
        #expect(code { _ = try HashTile(tile, bytes: longer.span) } == .trailingBytes)
        let bundle = try Tile(.entries, index: 0, width: 5)
        #expect(code { _ = try HashTile(bundle, bytes: bytes.span) } == .outOfRange)
        #expect(code { _ = try HashTile(tile, hashes: []) } == .outOfRange)
    }

    @Test func anEntryBundleReadsBackAndEveryPrefixIsRefused() throws {
        let tile = try Tile(.entries, index: 2, width: 4)
        let entries: [[UInt8]] = [[], [1], Array(repeating: 2, count: 300), [3, 4]]
        let bundle = try EntryBundle(tile, entries: entries)
        let bytes = bundle.bytes
        #expect(bytes.prefix(5) == [0, 0, 0, 1, 1])
        #expect(try EntryBundle(tile, bytes: bytes.span) == bundle)
        for count in 0..<bytes.count {
            let prefix = Array(bytes[..<count])
            #expect(code { _ = try EntryBundle(tile, bytes: prefix.span) } == .truncated)
        }
        let longer = bytes + [0]
        #expect(code { _ = try EntryBundle(tile, bytes: longer.span) } == .trailingBytes)
        let shorter = Array(bytes.dropLast(4))
        #expect(
            failure { _ = try EntryBundle(tile, bytes: shorter.span) }?.reason.contains("entry 515") == true)
    }

    @Test func theLongestEntryFitsABundleAndOneByteMoreDoesNot() throws {
        let tile = try Tile(.entries, index: 0, width: 1)
        let longest = [[UInt8](repeating: 9, count: 65_535)]
        let bytes = try EntryBundle(tile, entries: longest).bytes
        #expect(bytes.count == tile.maximumBytes)
        #expect(try EntryBundle(tile, bytes: bytes.span).entries == longest)
        #expect(
            code { _ = try EntryBundle(tile, entries: [[UInt8](repeating: 9, count: 65_536)]) } == .tooLong)
        #expect(code { _ = try EntryBundle(tile, entries: [[], []]) } == .outOfRange)
        let hashTile = try Tile(.hashes(level: 0), index: 0, width: 1)
        #expect(code { _ = try EntryBundle(hashTile, entries: longest) } == .outOfRange)
    }
}
