// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TransparencyLog

extension FuzzTarget {
    /// A tile's path.
    static let tilePath = FuzzTarget("tile-path", maximumBytes: 128) { input throws(BrokenProperty) in
        guard let text = String(validating: input, as: UTF8.self),
            let tile = try attempt({ try Tile(path: text) })
        else { return .refused }
        try require(tile.path.utf8.elementsEqual(input), "a tile has one path")
        try require(
            try attempt { try Tile(tile.kind, index: tile.index, width: tile.width) } == tile,
            "a tile's parts make the tile")
        _ = (tile.maximumBytes, tile.firstPosition, tile.isPartial)
        return .accepted
    }

    /// A hash tile's content behind one byte, its width less one.
    static let hashTile = FuzzTarget("hash-tile", maximumBytes: 1 + LogLimits.hashTileBytes) {
        input throws(BrokenProperty) in
        guard let tile = try tile(.hashes(level: 0), input) else { return .refused }
        let content = Array(input.dropFirst())
        guard let hashes = try attempt({ try HashTile(tile, bytes: content.span) }) else { return .refused }
        try require(hashes.bytes == content, "a hash tile has one form")
        try require(hashes.hashes.count == tile.width, "a tile is as wide as it says")
        return .accepted
    }

    /// An entry bundle's content behind one byte, its width less one.
    static let entryBundle = FuzzTarget("entry-bundle") { input throws(BrokenProperty) in
        guard let tile = try tile(.entries, input) else { return .refused }
        let content = Array(input.dropFirst())
        guard let bundle = try attempt({ try EntryBundle(tile, bytes: content.span) }) else {
            return .refused
        }
        try require(bundle.bytes == content, "a bundle has one form")
        try require(bundle.entries.count == tile.width, "a bundle is as wide as it says")
        return .accepted
    }

    /// A tree's right edge.
    static let frontier = FuzzTarget("frontier", maximumBytes: Frontier.maximumBytes + 1) {
        input throws(BrokenProperty) in
        guard var frontier = try attempt({ try Frontier(input.span) }) else { return .refused }
        try require(frontier.bytes == input, "a frontier has one form")
        let (size, root) = (frontier.size, frontier.root)
        let isLonger: Void? = try attempt { try frontier.append(MerkleHash.leaf(input.span)) }
        try require(isLonger != nil || size == LogLimits.treeSize, "only a full tree takes no entry")
        try require(isLonger == nil || frontier.size == size + 1, "an entry makes a tree longer by one")
        try require(isLonger == nil || frontier.root != root, "an entry changes a tree's root")
        return .accepted
    }

    private static func tile(_ kind: Tile.Kind, _ input: [UInt8]) throws(BrokenProperty) -> Tile? {
        guard let first = input.first else { return nil }
        return try attempt { try Tile(kind, index: 0, width: Int(first) + 1) }
    }
}
