// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Builds a tree and its hash tiles from entries in order, in memory that does not grow with the tree as long as the
/// completed tiles are taken.
public struct TreeBuilder: Sendable {
    /// The tree's right edge, with its size and root.
    public private(set) var frontier: Frontier
    private var open = OpenTiles()

    /// The hashes of each tile level's last tile, and full tiles that nobody has taken.
    private struct OpenTiles: NodeSink, Sendable {
        var levels: [[Hash]] = []
        var full: [HashTile] = []

        mutating func take(_ node: TreeNode, _ hash: Hash) {
            guard node.level & 7 == 0 else { return }
            let level = node.level >> 3
            if level == levels.count { levels.append([]) }
            levels[level].append(hash)
            guard levels[level].count == LogLimits.tileWidth else { return }
            // The place is inside the tree, and there are as many hashes as the tile is wide: this can't throw.
            let index = node.index >> 8
            if let tile = try? Tile(.hashes(level: level), index: index),
                let complete = try? HashTile(tile, hashes: levels[level])
            {
                full.append(complete)
            }
            levels[level].removeAll(keepingCapacity: true)
        }
    }

    /// An empty tree.
    public init() { frontier = Frontier() }

    /// A stored tree's first `size` entries, to be appended to; reads at most 63 + 8 × 255 hashes.
    ///
    /// Throws `.outOfRange` above ``LogLimits/treeSize``, and what the source throws.
    public init(size: UInt64, from source: some HashSource) throws {
        frontier = try Frontier(size: size, from: source)
        let layout = try TileLayout(size: size)
        for level in 0..<LogLimits.tileLevels where size >> UInt64(8 * level) > 0 {
            let last = size >> UInt64(8 * level + 8)
            // Where the level's last tile is full, the next one has no hash yet.
            let partial = layout.tile(.hashes(level: level), index: last)
            open.levels.append(try partial.map { try HashTile($0, from: source).hashes } ?? [])
        }
    }

    /// Appends an entry; throws `.tooLong` above ``LogLimits/entryBytes``, `.treeFull`, both with nothing changed.
    public mutating func append(entry: Span<UInt8>) throws(TransparencyLogError) {
        try append(try leafHash(ofEntry: frontier.size, entry))
    }

    /// Appends an entry's leaf hash; throws `.treeFull` with nothing changed.
    public mutating func append(_ leafHash: Hash) throws(TransparencyLogError) {
        try frontier.append(leafHash, into: &open)
    }

    /// The full tiles completed since the last call, lower levels first where one entry completed several.
    public mutating func takeCompletedTiles() -> [HashTile] {
        guard !open.full.isEmpty else { return [] }
        defer { open.full.removeAll() }
        return open.full
    }

    /// The partial tiles of the tree as it is now, lower levels first.
    public var partialTiles: [HashTile] {
        open.levels.enumerated().compactMap { level, hashes in
            guard !hashes.isEmpty,
                let tile = try? Tile(
                    .hashes(level: level), index: frontier.size >> UInt64(8 * level + 8), width: hashes.count
                )
            else { return nil }
            return try? HashTile(tile, hashes: hashes)
        }
    }
}
