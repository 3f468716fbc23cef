// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Where an exported log's files are read from.
public protocol TileSource {
    /// The content of the file at `path` (for example `tile/0/x001/067`), or nil when there is none.
    ///
    /// A file with more than `maximumBytes` must not be read whole: throw, or return any bytes beyond the maximum
    /// and the file is refused. What is thrown reaches whoever asked for the verification.
    func bytes(at path: String, upTo maximumBytes: Int) throws -> [UInt8]?
}

extension TileSource {
    /// Reads a tile's file, or for a partial tile that is gone the beginning of the full one (C2SP tlog-tiles lets
    /// logs delete partial tiles once the full one exists).
    func read(_ tile: Tile) throws -> (Tile, [UInt8]) {
        if let bytes = try bytes(at: tile.path, upTo: tile.maximumBytes) {
            try checkSize(bytes, tile)
            return (tile, bytes)
        }
        if tile.isPartial {
            let full = try Tile(tile.kind, index: tile.index)
            if let bytes = try bytes(at: full.path, upTo: full.maximumBytes) {
                try checkSize(bytes, full)
                return (full, bytes)
            }
        }
        throw TransparencyLogError(.missing, "\(tile): there is no such file")
    }

    /// Reads a hash tile, exactly as wide as asked for.
    func hashTile(_ tile: Tile) throws -> HashTile {
        let (found, bytes) = try read(tile)
        let stored = try HashTile(found, bytes: bytes.span)
        return found == tile ? stored : try HashTile(tile, hashes: Array(stored.hashes.prefix(tile.width)))
    }

    private func checkSize(_ bytes: [UInt8], _ tile: Tile) throws(TransparencyLogError) {
        guard bytes.count <= tile.maximumBytes else {
            throw TransparencyLogError(
                .tooLong, "\(tile): \(bytes.count) bytes, at most \(tile.maximumBytes) are allowed")
        }
    }
}

/// An exported log's hash tiles as a tree of a given size, to make proofs from.
///
/// Nothing is verified: a proof made from damaged tiles fails when it is verified, not when it is made.
public struct TileHashSource<Source: TileSource>: HashSource {
    private let source: Source
    private let layout: TileLayout

    /// Throws `.outOfRange` above ``LogLimits/treeSize``.
    public init(_ source: Source, size: UInt64) throws(TransparencyLogError) {
        self.source = source
        self.layout = try TileLayout(size: size)
    }

    /// Reads one tile, and joins its hashes where the level lies between those that tiles store.
    ///
    /// Throws `.missing` for a hash outside of the tree or a tile that is not there, and what the source throws.
    public func hash(level: Int, index: UInt64) throws -> Hash {
        let outside = TransparencyLogError(
            .missing, "hash \(index) of level \(level) is not in a tree of \(layout.size) entries")
        guard (0...62).contains(level), index < layout.size >> UInt64(level) else { throw outside }
        let tileLevel = level >> 3
        let count = UInt64(1) << UInt64(level & 7)
        // `index` < 2^63 >> level, so this stays inside the tile level's positions.
        let first = index * count
        guard let tile = layout.tile(.hashes(level: tileLevel), index: first >> 8) else { throw outside }
        let hashes = try source.hashTile(tile).hashes
        let start = Int(truncatingIfNeeded: first & 0xff)
        let end = start + Int(truncatingIfNeeded: count)
        guard end <= hashes.count else { throw outside }
        var row = Array(hashes[start..<end])
        while row.count > 1 {
            row = stride(from: 0, to: row.count, by: 2).map { MerkleHash.node(row[$0], row[$0 + 1]) }
        }
        return row[0]
    }
}
