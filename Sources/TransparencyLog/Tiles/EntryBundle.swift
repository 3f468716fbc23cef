// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The entries of up to 256 leaves in one file: each with its length before it, 16 bits big-endian (C2SP tlog-tiles,
/// "Log entries").
public struct EntryBundle: Hashable, Sendable {
    /// Which bundle it is.
    public let tile: Tile
    /// As many entries as the bundle is wide, each at most ``LogLimits/entryBytes`` bytes.
    public let entries: [[UInt8]]

    /// Throws `.outOfRange` for a hash tile's coordinates or another number of entries than the width, `.tooLong`
    /// for an entry above ``LogLimits/entryBytes``.
    public init(_ tile: Tile, entries: [[UInt8]]) throws(TransparencyLogError) {
        try Self.checkKind(tile)
        guard entries.count == tile.width else {
            throw TransparencyLogError(
                .outOfRange, "\(tile): \(entries.count) entries, \(tile.width) expected")
        }
        for (position, entry) in entries.enumerated() where entry.count > LogLimits.entryBytes {
            throw TransparencyLogError(
                .tooLong,
                "entry \(tile.firstPosition + UInt64(position)): \(entry.count) bytes, at most "
                    + "\(LogLimits.entryBytes) are allowed")
        }
        self.tile = tile
        self.entries = entries
    }

    /// Reads a bundle's file to its last byte.
    ///
    /// Throws `.truncated` or `.trailingBytes`, with the number of the entry.
    public init(_ tile: Tile, bytes: Span<UInt8>) throws(TransparencyLogError) {
        var entries: [[UInt8]] = []
        try Self.forEachEntry(of: tile, in: bytes) { _, entry throws(TransparencyLogError) in
            entries.append([UInt8](copying: entry))
        }
        try self.init(tile, entries: entries)
    }

    /// The bundle's file.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.reduce(0) { $0 + 2 + $1.count })
        for entry in entries {
            bytes += bigEndianBytes(UInt16(truncatingIfNeeded: entry.count))
            bytes += entry
        }
        return bytes
    }

    /// Visits a bundle's entries in the file, with their numbers, without copying them.
    ///
    /// Throws as ``init(_:bytes:)`` does and what `body` throws; entries before the fault have been visited then.
    public static func forEachEntry(
        of tile: Tile, in bytes: Span<UInt8>,
        _ body: (_ number: UInt64, _ entry: Span<UInt8>) throws(TransparencyLogError) -> Void
    ) throws(TransparencyLogError) {
        try checkKind(tile)
        var offset = 0
        for position in 0..<UInt64(tile.width) {
            let number = tile.firstPosition + position
            guard bytes.count - offset >= 2 else {
                throw TransparencyLogError(
                    .truncated,
                    "\(tile), entry \(number): 2 bytes of length expected, \(bytes.count - offset) left")
            }
            let length = Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
            offset += 2
            guard bytes.count - offset >= length else {
                throw TransparencyLogError(
                    .truncated,
                    "\(tile), entry \(number): \(length) bytes expected, \(bytes.count - offset) left")
            }
            try body(number, bytes.extracting(offset..<(offset + length)))
            offset += length
        }
        guard offset == bytes.count else {
            throw TransparencyLogError(
                .trailingBytes,
                "\(tile): \(bytes.count - offset) bytes follow entry "
                    + "\(tile.firstPosition + UInt64(tile.width) - 1), its last")
        }
    }

    private static func checkKind(_ tile: Tile) throws(TransparencyLogError) {
        guard tile.kind == .entries else {
            throw TransparencyLogError(.outOfRange, "\(tile): it holds hashes, not entries")
        }
    }
}
