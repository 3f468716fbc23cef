// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The hashes that show that a tree is an earlier one with entries appended and nothing changed (RFC 9162, section
/// 2.1.4).
public struct ConsistencyProof: Hashable, Sendable {
    /// The earlier tree's size.
    public let oldSize: UInt64
    /// The later tree's size; not less than `oldSize`.
    public let newSize: UInt64
    /// The hashes in the order of RFC 9162; at most ``LogLimits/proofHashes``. None when `oldSize` is 0 or equals
    /// `newSize`.
    public let hashes: [Hash]

    /// A proof from somewhere else, to be verified.
    ///
    /// Throws `.outOfRange` unless `oldSize` <= `newSize` <= ``LogLimits/treeSize``, `.tooLong` for too many hashes.
    public init(oldSize: UInt64, newSize: UInt64, hashes: [Hash]) throws(TransparencyLogError) {
        try Self.checkRange(oldSize, newSize)
        try checkProofLength(hashes)
        self.oldSize = oldSize
        self.newSize = newSize
        self.hashes = hashes
    }

    /// Makes the proof that the tree's first `newSize` entries begin with its first `oldSize` entries.
    ///
    /// Throws `.outOfRange` unless `oldSize` <= `newSize`, and what the source throws. The result is as good as the
    /// source's hashes: verify it before handing it out.
    public init(oldSize: UInt64, newSize: UInt64, from source: some HashSource) throws {
        try Self.checkRange(oldSize, newSize)
        var hashes: [Hash] = []
        if oldSize > 0, oldSize < newSize {
            // SUBPROOF of RFC 9162, section 2.1.4.1, from the root down.
            var tree = 0..<newSize
            while tree.upperBound != oldSize {
                let middle = tree.lowerBound + splitPoint(tree.upperBound - tree.lowerBound)
                if oldSize <= middle {
                    hashes.append(try source.root(of: middle..<tree.upperBound))
                    tree = tree.lowerBound..<middle
                } else {
                    hashes.append(try source.root(of: tree.lowerBound..<middle))
                    tree = middle..<tree.upperBound
                }
            }
            // Where the old tree is itself a subtree from entry 0 on, the verifier has this hash: the old root.
            if tree.lowerBound > 0 { hashes.append(try source.root(of: tree)) }
        }
        try self.init(oldSize: oldSize, newSize: newSize, hashes: hashes.reversed())
    }

    /// Checks that the tree with the new root begins with the tree that has the old one (RFC 9162, section
    /// 2.1.4.2).
    ///
    /// An empty old tree must have ``MerkleHash/emptyRoot``; every tree begins with it. Throws `.invalidProof`.
    public func verify(oldRoot: Hash, newRoot: Hash) throws(TransparencyLogError) {
        guard oldSize > 0, oldSize < newSize else {
            return try verifyTrivial(oldRoot, newRoot)
        }
        // A complete old tree is a subtree of the new one: its root is the first hash, and is not sent.
        var path = hashes[...]
        guard let first = oldSize.nonzeroBitCount == 1 ? oldRoot : path.popFirst() else {
            throw TransparencyLogError(.invalidProof, "consistency proof: it has no hashes")
        }
        var node = oldSize - 1
        var last = newSize - 1
        while node & 1 == 1 {
            node >>= 1
            last >>= 1
        }
        var computedOld = first
        var computedNew = first
        for hash in path {
            guard last > 0 else { throw wrongLength("many") }
            if node & 1 == 1 || node == last {
                computedOld = MerkleHash.node(hash, computedOld)
                computedNew = MerkleHash.node(hash, computedNew)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                computedNew = MerkleHash.node(computedNew, hash)
            }
            node >>= 1
            last >>= 1
        }
        guard last == 0 else { throw wrongLength("few") }
        try check(computedOld, oldRoot, oldSize)
        try check(computedNew, newRoot, newSize)
    }

    private func verifyTrivial(_ oldRoot: Hash, _ newRoot: Hash) throws(TransparencyLogError) {
        guard hashes.isEmpty else { throw wrongLength("many") }
        if oldSize == 0 { try check(MerkleHash.emptyRoot, oldRoot, 0) }
        if oldSize == newSize { try check(oldRoot, newRoot, newSize) }
    }

    private func check(_ computed: Hash, _ root: Hash, _ size: UInt64) throws(TransparencyLogError) {
        guard computed == root else {
            throw TransparencyLogError(
                .invalidProof,
                "consistency proof from \(oldSize) to \(newSize): it leads to the root \(computed) at \(size), "
                    + "\(root) expected")
        }
    }

    private func wrongLength(_ what: StaticString) -> TransparencyLogError {
        TransparencyLogError(
            .invalidProof,
            "consistency proof: \(hashes.count) hashes are too \(what) from \(oldSize) to \(newSize) entries")
    }

    private static func checkRange(_ oldSize: UInt64, _ newSize: UInt64) throws(TransparencyLogError) {
        try checkTreeSize(newSize)
        guard oldSize <= newSize else {
            throw TransparencyLogError(
                .outOfRange, "consistency proof: from \(oldSize) to \(newSize) entries")
        }
    }
}
