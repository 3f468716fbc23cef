// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Which tiles a tree of a given size consists of (C2SP tlog-tiles, "Merkle Tree" and "Log entries").
public struct TileLayout: Hashable, Sendable {
    /// The tree's size, in entries.
    public let size: UInt64

    /// Throws `.outOfRange` above ``LogLimits/treeSize``.
    public init(size: UInt64) throws(TransparencyLogError) {
        try checkTreeSize(size)
        self.size = size
    }

    /// The tile of this kind and index, as wide as the tree makes it; nil when the tree has none.
    public func tile(_ kind: Tile.Kind, index: UInt64) -> Tile? {
        guard let level = try? Tile(kind, index: 0, width: 1).level else { return nil }
        let (first, overflow) = index.multipliedReportingOverflow(by: UInt64(LogLimits.tileWidth))
        let count = size >> UInt64(8 * level)
        guard !overflow, first < count else { return nil }
        return try? Tile(
            kind, index: index,
            width: Int(truncatingIfNeeded: min(count - first, UInt64(LogLimits.tileWidth))))
    }

    /// Whether the tree has the tile, or a wider one of which it is the beginning.
    public func contains(_ tile: Tile) -> Bool {
        self.tile(tile.kind, index: tile.index).map { tile.width <= $0.width } ?? false
    }

    /// Every tile, entry bundles first, then hash tiles by level; each kind from the left.
    public var tiles: Tiles { Tiles(layout: self, oldSize: 0) }

    /// The tiles that differ from, or did not exist in, the same tree when it had `oldSize` entries: what must be
    /// written when it has grown. In the order of ``tiles``.
    ///
    /// Throws `.outOfRange` when `oldSize` is greater than `size`.
    public func tiles(changedSince oldSize: UInt64) throws(TransparencyLogError) -> Tiles {
        guard oldSize <= size else {
            throw TransparencyLogError(.outOfRange, "tiles: from \(oldSize) to \(size) entries")
        }
        return Tiles(layout: self, oldSize: oldSize)
    }

    /// Tiles in their order, computed one by one: 10^9 entries have 8 million.
    public struct Tiles: Sequence, IteratorProtocol, Sendable {
        private let layout: TileLayout
        private let oldSize: UInt64
        private var kinds: ArraySlice<Tile.Kind>
        private var index: UInt64

        init(layout: TileLayout, oldSize: UInt64) {
            self.layout = layout
            self.oldSize = oldSize
            self.kinds = ([.entries] + (0..<LogLimits.tileLevels).map { Tile.Kind.hashes(level: $0) })[...]
            self.index = oldSize / UInt64(LogLimits.tileWidth)
        }

        public mutating func next() -> Tile? {
            while let kind = kinds.first {
                // A tile that held every one of its level's hashes before, and was partial, has not changed.
                if let tile = layout.tile(kind, index: index),
                    tile.firstPosition + UInt64(tile.width) > oldCount(tile.level)
                {
                    index += 1
                    return tile
                }
                kinds.removeFirst()
                guard case .hashes(let level)? = kinds.first else { break }
                index = oldCount(level) / UInt64(LogLimits.tileWidth)
            }
            return nil
        }

        private func oldCount(_ level: Int) -> UInt64 { oldSize >> UInt64(8 * level) }
    }
}
