// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Recomputes a log from its entries, fed one after the other, and compares it with every checkpoint that was
/// published.
///
/// ```swift
/// var verifier = LogVerifier(expecting: checkpoints.map(\.head))
/// for row in rows { try verifier.append(row.entry.span, storedLeafHash: row.leafHash) }
/// let head = try verifier.finish()
/// ```
///
/// Its memory does not grow with the log as long as ``takeCompletedTiles()`` is called now and then.
public struct LogVerifier: Sendable {
    private var builder = TreeBuilder()
    // Smaller sizes first; `checked` counts those that were met.
    var expected: [TreeHead]
    private var checked = 0

    /// Expects the log to have each of these roots at its size, in any order; the same size may occur twice.
    ///
    /// They should come from ``VerifiedCheckpoint``s: what anybody could have written proves nothing.
    public init(expecting heads: [TreeHead] = []) {
        expected = heads.sorted { $0.size < $1.size }
    }

    /// How many entries were appended.
    public var size: UInt64 { builder.frontier.size }

    /// The size, and the root of the entries that were appended.
    public var head: TreeHead { builder.frontier.head }

    /// Appends entry number ``size``.
    ///
    /// Throws `.rootMismatch` when the log is now as long as an expected head and has another root, `.tooLong` above
    /// ``LogLimits/entryBytes``, and `.treeFull`. After an error the verification is over.
    public mutating func append(_ entry: Span<UInt8>) throws(TransparencyLogError) {
        try append(leafHash: try leafHash(ofEntry: size, entry))
    }

    /// Appends entry number ``size`` after comparing its leaf hash with the one that was stored for it.
    ///
    /// Throws `.entryMismatch` with the entry's number, and as ``append(_:)`` does.
    public mutating func append(
        _ entry: Span<UInt8>, storedLeafHash: Hash
    ) throws(TransparencyLogError) {
        let computed = try leafHash(ofEntry: size, entry)
        guard computed == storedLeafHash else {
            throw entryMismatch(size, computed: computed, stored: storedLeafHash)
        }
        try append(leafHash: computed)
    }

    private mutating func append(leafHash: Hash) throws(TransparencyLogError) {
        // Expected heads of size 0 are met before the first entry.
        if checked < expected.count, expected[checked].size <= size { try checkExpectedHeads() }
        try builder.append(leafHash)
        if checked < expected.count, expected[checked].size <= size { try checkExpectedHeads() }
    }

    /// The full hash tiles completed since the last call, to be compared with stored ones by
    /// ``HashTile/compare(withComputed:)``.
    public mutating func takeCompletedTiles() -> [HashTile] { builder.takeCompletedTiles() }

    /// The partial hash tiles of the log as it is now.
    public var partialTiles: [HashTile] { builder.partialTiles }

    /// Ends the verification: returns the log's size and root, every expected head having been met.
    ///
    /// Throws `.rolledBack` when the log is shorter than an expected head, and `.rootMismatch`.
    public mutating func finish() throws(TransparencyLogError) -> TreeHead {
        try checkExpectedHeads()
        if checked < expected.count, let longest = expected.last {
            throw Self.rolledBack(to: size, from: longest.size)
        }
        return head
    }

    private mutating func checkExpectedHeads() throws(TransparencyLogError) {
        while checked < expected.count, expected[checked].size <= size {
            let wanted = expected[checked]
            let made = head
            guard wanted == made else {
                let intact = checked > 0 ? expected[checked - 1].size : 0
                throw TransparencyLogError(
                    .rootMismatch,
                    "the checkpoint of \(wanted.size) entries states the root \(wanted.root) and the entries make "
                        + "\(made.root)" + Self.suspects(intact..<wanted.size))
            }
            checked += 1
        }
    }

    /// Up to the last head that was met nothing has changed.
    private static func suspects(_ entries: Range<UInt64>) -> String {
        entries.isEmpty
            ? "" : ": an entry of \(entries.lowerBound)...\(entries.upperBound - 1) is not what was logged"
    }

    static func rolledBack(to size: UInt64, from published: UInt64) -> TransparencyLogError {
        TransparencyLogError(
            .rolledBack,
            "the log has \(size) entries, and a checkpoint of \(published) was published: entries "
                + "\(size)...\(published - 1) are gone")
    }
}
