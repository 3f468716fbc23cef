// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The most that a log, its notes and its proofs may hold, each with where the number comes from.
public enum LogLimits {
    /// Entries in a tree. Sizes stay below 2^63, so that they are positive in every language's and database's
    /// signed 64-bit integer and no sum of two of them overflows.
    public static let treeSize = UInt64(Int64.max)
    /// One entry, in bytes: an entry bundle gives its length 16 bits (C2SP tlog-tiles).
    public static let entryBytes = 65_535
    /// Hashes in a tile, entries in an entry bundle (C2SP tlog-tiles).
    public static let tileWidth = 256
    /// Tile levels: level 7 spans 2^64 entries, and so every tree.
    public static let tileLevels = 8
    /// A tile's path, in bytes. The longest that can be valid is an entry bundle's with 39.
    public static let tilePathBytes = 64
    /// A full tile, in bytes.
    public static let hashTileBytes = tileWidth * Hash.byteCount
    /// A full entry bundle whose every entry has the most bytes, in bytes.
    public static let entryBundleBytes = tileWidth * (2 + entryBytes)
    /// Hashes in an inclusion or consistency proof: one for each level of the highest tree, and for consistency
    /// one to start from. C2SP tlog-witness allows 63.
    public static let proofHashes = 63
    /// A signed note, in bytes; the same as sumdb's for a tree head (`ParseTree` in golang.org/x/mod/sumdb/tlog).
    public static let noteBytes = 1_000_000
    /// Signatures on a note; the same as golang.org/x/mod/sumdb/note. C2SP signed-note asks for 16 at least.
    public static let noteSignatures = 100
    /// A key's name, in bytes. Names are host names with a path; C2SP's ML-DSA cosignatures allow 255.
    public static let keyNameBytes = 255
    /// One signature without its key ID, in bytes: ML-DSA and SLH-DSA-128 stay below, twice over.
    public static let signatureBytes = 16 << 10
    /// A checkpoint's origin, in bytes (255 in C2SP's ML-DSA cosignatures).
    public static let originBytes = 255
    /// The opaque data in a proof, in bytes: as much as an entry.
    public static let proofExtraBytes = 65_535
    /// A proof with its checkpoint, in bytes.
    public static let proofBytes = noteBytes + (100 << 10)
}
