// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The right edge of an append-only tree: all that is needed to append to it and to compute its root.
///
/// It holds the roots of the complete subtrees that the tree is made of, largest first: as many as there are ones
/// in the binary form of `size`, so at most 63. A store keeps it beside its entries and never reads the tree back
/// to append.
public struct Frontier: Hashable, Sendable {
    /// How many entries the tree has.
    public private(set) var size: UInt64 = 0
    /// The roots of ``TreeNode/covering(size:)``, largest subtree first.
    public private(set) var hashes: [Hash] = []

    /// An empty tree.
    public init() { hashes.reserveCapacity(64) }

    /// A tree of `size` entries with these subtree roots, largest first.
    ///
    /// Throws `.outOfRange` above ``LogLimits/treeSize`` or when `size` asks for another number of hashes. Whether
    /// the hashes are right shows only when the root is compared with a checkpoint's.
    public init(size: UInt64, hashes: [Hash]) throws(TransparencyLogError) {
        try checkTreeSize(size)
        guard hashes.count == size.nonzeroBitCount else {
            throw TransparencyLogError(
                .outOfRange,
                "frontier: \(hashes.count) hashes, \(size.nonzeroBitCount) expected for \(size) entries")
        }
        self.init()
        self.size = size
        self.hashes += hashes
    }

    /// The right edge of the first `size` entries of a stored tree; reads at most 63 hashes and rethrows what the
    /// source throws.
    public init(size: UInt64, from source: some HashSource) throws {
        var hashes: [Hash] = []
        for node in try TreeNode.covering(size: size) {
            hashes.append(try source.hash(level: node.level, index: node.index))
        }
        try self.init(size: size, hashes: hashes)
    }

    /// The tree's root (MTH in RFC 9162, section 2.1.1); of an empty tree ``MerkleHash/emptyRoot``.
    public var root: Hash { foldedRoot(hashes) }

    /// The tree's size and root.
    public var head: TreeHead { TreeHead(uncheckedSize: size, root: root) }

    /// Appends the leaf hash of entry number `size`.
    ///
    /// Throws `.treeFull`, with nothing changed, at ``LogLimits/treeSize``.
    public mutating func append(_ leafHash: Hash) throws(TransparencyLogError) {
        var sink = NoSink()
        try append(leafHash, into: &sink)
    }

    /// Appends the leaf hash of entry number `size`, and hands over every hash that is final with it: the leaf's
    /// own, then the roots of the subtrees that it completes, upwards.
    ///
    /// What a store needs for tiles are those whose level is a multiple of 8. Throws `.treeFull`, with nothing
    /// changed, at ``LogLimits/treeSize``.
    public mutating func append(
        _ leafHash: Hash, completed: (TreeNode, Hash) -> Void
    ) throws(TransparencyLogError) {
        try withoutActuallyEscaping(completed) { completed throws(TransparencyLogError) in
            var sink = ClosureSink(completed: completed)
            try append(leafHash, into: &sink)
        }
    }

    mutating func append(_ leafHash: Hash, into sink: inout some NodeSink) throws(TransparencyLogError) {
        guard size < LogLimits.treeSize else {
            throw TransparencyLogError(
                .treeFull, "the tree has \(size) entries, and at most \(LogLimits.treeSize) are allowed")
        }
        var node = TreeNode(level: 0, index: size)
        var hash = leafHash
        sink.take(node, hash)
        // The lowest ones of `size` are the subtrees that the new entry doubles.
        while node.index & 1 == 1, let left = hashes.popLast() {
            hash = MerkleHash.node(left, hash)
            node = TreeNode(level: node.level + 1, index: node.index >> 1)
            sink.take(node, hash)
        }
        hashes.append(hash)
        size += 1
    }
}

// The exact binary form: the size, 8 bytes big-endian, then the hashes, 32 bytes each.
extension Frontier {
    /// The most bytes that ``bytes`` has.
    public static let maximumBytes = 8 + 63 * Hash.byteCount

    /// The size (8 bytes, big-endian), then the hashes, largest subtree first; nothing else.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + hashes.count * Hash.byteCount)
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: size >> shift))
        }
        for hash in hashes { hash.append(to: &bytes) }
        return bytes
    }

    /// Reads ``bytes`` back.
    ///
    /// Throws `.truncated`, `.trailingBytes` or `.outOfRange`.
    public init(_ bytes: Span<UInt8>) throws(TransparencyLogError) {
        guard bytes.count >= 8 else {
            throw TransparencyLogError(.truncated, "frontier: \(bytes.count) bytes, 8 or more expected")
        }
        var size: UInt64 = 0
        for index in 0..<8 { size = size << 8 | UInt64(bytes[index]) }
        try checkTreeSize(size)
        let expected = 8 + size.nonzeroBitCount * Hash.byteCount
        guard bytes.count == expected else {
            throw TransparencyLogError(
                bytes.count < expected ? .truncated : .trailingBytes,
                "frontier: \(bytes.count) bytes, \(expected) expected for \(size) entries")
        }
        var hashes: [Hash] = []
        for start in stride(from: 8, to: expected, by: Hash.byteCount) {
            hashes.append(try Hash(bytes.extracting(start..<(start + Hash.byteCount))))
        }
        try self.init(size: size, hashes: hashes)
    }
}

/// Takes the hashes that become final with an appended entry.
protocol NodeSink {
    mutating func take(_ node: TreeNode, _ hash: Hash)
}

private struct NoSink: NodeSink {
    /// Not empty: to ThreadSanitizer, all empty values are one, and two threads that have one each race.
    private var padding: UInt8 = 0

    mutating func take(_ node: TreeNode, _ hash: Hash) {}
}

private struct ClosureSink: NodeSink {
    let completed: (TreeNode, Hash) -> Void
    mutating func take(_ node: TreeNode, _ hash: Hash) { completed(node, hash) }
}

/// The root over adjacent complete subtrees, largest first.
func foldedRoot(_ hashes: [Hash]) -> Hash {
    guard var root = hashes.last else { return MerkleHash.emptyRoot }
    for left in hashes.dropLast().reversed() { root = MerkleHash.node(left, root) }
    return root
}
