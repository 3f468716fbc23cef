// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The place of a complete subtree: 2^`level` entries, of which the first is number `index` × 2^`level`.
///
/// Level 0 is the leaf hashes. The hash at such a place never changes once its last entry is in the tree.
public struct TreeNode: Hashable, Sendable {
    /// How many times the subtree's size has doubled, 0...62.
    public let level: Int
    /// Which of its level's subtrees it is, from 0 at the left.
    public let index: UInt64

    // Only made for places inside a tree of at most LogLimits.treeSize, so that nothing below overflows.
    init(level: Int, index: UInt64) {
        self.level = level
        self.index = index
    }

    /// The entries that the subtree spans.
    public var entries: Range<UInt64> { (index << UInt64(level))..<((index + 1) << UInt64(level)) }

    /// The complete subtrees that make up a tree of `size` entries, from the left: the largest first, at most 63.
    ///
    /// These are what a ``Frontier`` holds. Throws `.outOfRange` above ``LogLimits/treeSize``.
    public static func covering(size: UInt64) throws(TransparencyLogError) -> [TreeNode] {
        try checkTreeSize(size)
        return covering(0..<size)
    }

    /// The complete subtrees of a range of entries that starts where a subtree at least as large as it starts.
    static func covering(_ entries: Range<UInt64>) -> [TreeNode] {
        let count = entries.upperBound - entries.lowerBound
        var nodes: [TreeNode] = []
        var start = entries.lowerBound
        for level in stride(from: 62, through: 0, by: -1) where count >> UInt64(level) & 1 == 1 {
            nodes.append(TreeNode(level: level, index: start >> UInt64(level)))
            start += 1 << UInt64(level)
        }
        return nodes
    }
}

/// Throws `.outOfRange` for more entries than a tree may have.
func checkTreeSize(_ size: UInt64) throws(TransparencyLogError) {
    guard size <= LogLimits.treeSize else {
        throw TransparencyLogError(
            .outOfRange, "tree size: \(size), at most \(LogLimits.treeSize) entries are allowed")
    }
}

/// The largest power of two below `count`, which is at least 2 (k in RFC 9162, section 2.1.1).
func splitPoint(_ count: UInt64) -> UInt64 { 1 << UInt64(63 - (count - 1).leadingZeroBitCount) }
