// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A hash tile with its hashes.
public struct HashTile: Hashable, Sendable {
    /// Which tile it is.
    public let tile: Tile
    /// As many hashes as the tile is wide, from the left.
    public let hashes: [Hash]

    /// Throws `.outOfRange` for an entry bundle's coordinates or another number of hashes than the width.
    public init(_ tile: Tile, hashes: [Hash]) throws(TransparencyLogError) {
        try Self.checkKind(tile)
        guard hashes.count == tile.width else {
            throw TransparencyLogError(.outOfRange, "\(tile): \(hashes.count) hashes, \(tile.width) expected")
        }
        self.tile = tile
        self.hashes = hashes
    }

    /// Reads a tile's file: the hashes, 32 bytes each, and nothing else.
    ///
    /// Throws `.truncated` or `.trailingBytes`.
    public init(_ tile: Tile, bytes: Span<UInt8>) throws(TransparencyLogError) {
        try Self.checkKind(tile)
        guard bytes.count == tile.maximumBytes else {
            throw TransparencyLogError(
                bytes.count < tile.maximumBytes ? .truncated : .trailingBytes,
                "\(tile): \(bytes.count) bytes, \(tile.maximumBytes) expected")
        }
        var hashes: [Hash] = []
        hashes.reserveCapacity(tile.width)
        for start in stride(from: 0, to: bytes.count, by: Hash.byteCount) {
            hashes.append(try Hash(bytes.extracting(start..<(start + Hash.byteCount))))
        }
        try self.init(tile, hashes: hashes)
    }

    /// Builds a tile from a stored tree; rethrows what the source throws.
    public init(_ tile: Tile, from source: some HashSource) throws {
        var hashes: [Hash] = []
        hashes.reserveCapacity(tile.width)
        for position in 0..<UInt64(tile.width) {
            hashes.append(try source.hash(level: 8 * tile.level, index: tile.firstPosition + position))
        }
        try self.init(tile, hashes: hashes)
    }

    /// The tile's file.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(tile.maximumBytes)
        for hash in hashes { hash.append(to: &bytes) }
        return bytes
    }

    /// Compares a stored tile with the one that the entries make, and names the first hash that differs.
    ///
    /// Throws `.entryMismatch` with the entry's number at level 0, `.tileMismatch` with the entries below it above,
    /// and `.outOfRange` when `computed` is another tile.
    public func compare(withComputed computed: HashTile) throws(TransparencyLogError) {
        guard computed.tile == tile else {
            throw TransparencyLogError(.outOfRange, "\(tile): it was compared with \(computed.tile)")
        }
        for (position, (stored, made)) in zip(hashes, computed.hashes).enumerated() where stored != made {
            throw mismatch(at: position, computed: made)
        }
    }

    func mismatch(at position: Int, computed: Hash) -> TransparencyLogError {
        let entries = tile.entries(at: position)
        guard tile.level > 0 else {
            return entryMismatch(entries.lowerBound, computed: computed, stored: hashes[position])
        }
        return TransparencyLogError(
            .tileMismatch,
            "\(tile), hash \(position): entries \(entries.lowerBound)...\(entries.upperBound - 1) make \(computed) "
                + "and the tree says \(hashes[position])")
    }

    private static func checkKind(_ tile: Tile) throws(TransparencyLogError) {
        guard tile.kind != .entries else {
            throw TransparencyLogError(.outOfRange, "\(tile): it holds entries, not hashes")
        }
    }
}

func entryMismatch(_ number: UInt64, computed: Hash, stored: Hash) -> TransparencyLogError {
    TransparencyLogError(
        .entryMismatch, "entry \(number): its hash is \(computed) and the tree says \(stored)")
}
