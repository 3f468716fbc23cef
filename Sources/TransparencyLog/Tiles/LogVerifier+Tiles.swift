// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension LogVerifier {
    /// Verifies an exported log: reads every entry bundle and hash tile of the checkpoint's tree, hashes every
    /// entry, and compares every stored hash, the root, and the roots of earlier checkpoints.
    ///
    /// - Parameters:
    ///   - tiles: the exported files. Files that the checkpoint's tree does not have are not looked at.
    ///   - checkpoint: what the log is verified against.
    ///   - published: other checkpoints that the log has signed and that it must not contradict.
    ///   - progress: called after each bundle with the number of entries verified and the number of all.
    ///
    /// Throws the first fault by entry: `.entryMismatch` (the entry's number), `.tileMismatch`, `.missing`,
    /// `.truncated` or `.trailingBytes` (the file), `.rootMismatch` (the checkpoint), `.rolledBack` for a published
    /// checkpoint longer than this one, `.wrongOrigin` for one of another log, and what the source throws.
    public static func verify(
        tiles: some TileSource, checkpoint: VerifiedCheckpoint, published: [VerifiedCheckpoint] = [],
        progress: (_ verified: UInt64, _ all: UInt64) -> Void = { _, _ in }
    ) throws {
        let head = checkpoint.head
        for other in published {
            let origin = checkpoint.checkpoint.origin.utf8
            guard other.checkpoint.origin.utf8.elementsEqual(origin) else {
                throw TransparencyLogError(
                    .wrongOrigin,
                    "checkpoint: it is of the log \(quoted(other.checkpoint.origin.utf8)), \(quoted(origin)) expected"
                )
            }
            guard other.head.size <= head.size else { throw rolledBack(to: head.size, from: other.head.size) }
        }
        let layout = try TileLayout(size: head.size)
        // A partial tile can name a fault more exactly than a root, so the roots at the end wait for them.
        let heads = published.map(\.head)
        var verifier = LogVerifier(expecting: heads.filter { $0.size < head.size })
        var index: UInt64 = 0
        while let bundle = layout.tile(.entries, index: index),
            let leaves = layout.tile(.hashes(level: 0), index: index)
        {
            try verifier.append(try tiles.read(bundle), leaves: try tiles.hashTile(leaves))
            for computed in verifier.takeCompletedTiles() where computed.tile.level > 0 {
                try tiles.hashTile(computed.tile).compare(withComputed: computed)
            }
            progress(verifier.size, head.size)
            index += 1
        }
        for computed in verifier.partialTiles where computed.tile.level > 0 {
            try tiles.hashTile(computed.tile).compare(withComputed: computed)
        }
        verifier.expected += [head] + heads.filter { $0.size == head.size }
        _ = try verifier.finish()
    }

    /// Appends a bundle's entries, as many as there are leaf hashes.
    private mutating func append(
        _ bundle: (tile: Tile, bytes: [UInt8]), leaves: HashTile
    ) throws(TransparencyLogError) {
        let first = bundle.tile.firstPosition
        try EntryBundle.forEachEntry(of: bundle.tile, in: bundle.bytes.span) {
            number, entry throws(TransparencyLogError) in
            let position = Int(truncatingIfNeeded: number - first)
            // A full bundle may stand in for a partial one.
            guard leaves.hashes.indices.contains(position) else { return }
            try append(entry, storedLeafHash: leaves.hashes[position])
        }
    }
}
