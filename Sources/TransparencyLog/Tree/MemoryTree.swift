// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A tree whose every hash is kept in memory: 64 bytes an entry.
public struct MemoryTree: HashSource, Sendable {
    /// The tree's right edge, with its size and root.
    public private(set) var frontier = Frontier()
    private var nodes = Nodes()

    private struct Nodes: NodeSink, Sendable {
        var levels: [[Hash]] = []

        mutating func take(_ node: TreeNode, _ hash: Hash) {
            if node.level == levels.count { levels.append([]) }
            levels[node.level].append(hash)
        }
    }

    /// An empty tree.
    public init() {}

    /// Appends an entry; throws `.tooLong` above ``LogLimits/entryBytes``.
    public mutating func append(entry: Span<UInt8>) throws(TransparencyLogError) {
        try append(try leafHash(ofEntry: frontier.size, entry))
    }

    /// Appends an entry's leaf hash.
    public mutating func append(_ leafHash: Hash) throws(TransparencyLogError) {
        try frontier.append(leafHash, into: &nodes)
    }

    /// Throws `.missing` outside of the tree.
    public func hash(level: Int, index: UInt64) throws(TransparencyLogError) -> Hash {
        guard nodes.levels.indices.contains(level), let position = Int(exactly: index),
            nodes.levels[level].indices.contains(position)
        else {
            throw TransparencyLogError(
                .missing, "hash \(index) of level \(level) is not in a tree of \(frontier.size) entries")
        }
        return nodes.levels[level][position]
    }
}

/// The leaf hash of an entry that fits a tile; throws `.tooLong` for one that doesn't.
func leafHash(ofEntry number: UInt64, _ entry: Span<UInt8>) throws(TransparencyLogError) -> Hash {
    guard entry.count <= LogLimits.entryBytes else {
        throw TransparencyLogError(
            .tooLong,
            "entry \(number): \(entry.count) bytes, at most \(LogLimits.entryBytes) are allowed")
    }
    return MerkleHash.leaf(entry)
}
