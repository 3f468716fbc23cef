// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The hashes that lead from one entry's leaf hash to the root of a tree (RFC 9162, section 2.1.3).
public struct InclusionProof: Hashable, Sendable {
    /// The entry's number, from 0.
    public let index: UInt64
    /// The tree's size; greater than `index`.
    public let size: UInt64
    /// The sibling hashes, from the leaf's sibling up to the root's child; at most ``LogLimits/proofHashes``.
    public let hashes: [Hash]

    /// A proof from somewhere else, to be verified.
    ///
    /// Throws `.outOfRange` unless `index` < `size` <= ``LogLimits/treeSize``, `.tooLong` for too many hashes.
    public init(index: UInt64, size: UInt64, hashes: [Hash]) throws(TransparencyLogError) {
        try Self.checkRange(index, size)
        try checkProofLength(hashes)
        self.index = index
        self.size = size
        self.hashes = hashes
    }

    /// Makes the proof that entry `index` is in the tree's first `size` entries.
    ///
    /// Throws `.outOfRange` unless `index` < `size`, and what the source throws. The result is as good as the
    /// source's hashes: verify it before handing it out.
    public init(index: UInt64, size: UInt64, from source: some HashSource) throws {
        try Self.checkRange(index, size)
        // PATH of RFC 9162, section 2.1.3.1, from the root down.
        var hashes: [Hash] = []
        var tree = 0..<size
        while tree.upperBound - tree.lowerBound > 1 {
            let middle = tree.lowerBound + splitPoint(tree.upperBound - tree.lowerBound)
            if index < middle {
                hashes.append(try source.root(of: middle..<tree.upperBound))
                tree = tree.lowerBound..<middle
            } else {
                hashes.append(try source.root(of: tree.lowerBound..<middle))
                tree = middle..<tree.upperBound
            }
        }
        try self.init(index: index, size: size, hashes: hashes.reversed())
    }

    /// Checks that the entry with this leaf hash is entry `index` of the tree with this root (RFC 9162, section
    /// 2.1.3.2).
    ///
    /// Throws `.invalidProof`. That the root is the log's own must come from a ``VerifiedCheckpoint``.
    public func verify(leafHash: Hash, root: Hash) throws(TransparencyLogError) {
        let computed = try computedRoot(leafHash)
        guard computed == root else {
            throw TransparencyLogError(
                .invalidProof,
                "inclusion proof: entry \(index) of \(size) leads to the root \(computed), \(root) expected")
        }
    }

    private func computedRoot(_ leafHash: Hash) throws(TransparencyLogError) -> Hash {
        var index = index
        var last = size - 1
        var root = leafHash
        for hash in hashes {
            guard last > 0 else {
                throw TransparencyLogError(
                    .invalidProof, "inclusion proof: \(hashes.count) hashes are too many for \(size) entries")
            }
            if index & 1 == 1 || index == last {
                root = MerkleHash.node(hash, root)
                while index & 1 == 0, index != 0 {
                    index >>= 1
                    last >>= 1
                }
            } else {
                root = MerkleHash.node(root, hash)
            }
            index >>= 1
            last >>= 1
        }
        guard last == 0 else {
            throw TransparencyLogError(
                .invalidProof, "inclusion proof: \(hashes.count) hashes are too few for \(size) entries")
        }
        return root
    }

    private static func checkRange(_ index: UInt64, _ size: UInt64) throws(TransparencyLogError) {
        try checkTreeSize(size)
        guard index < size else {
            throw TransparencyLogError(
                .outOfRange, "inclusion proof: entry \(index) of a tree of \(size) entries")
        }
    }
}

/// Throws `.tooLong` for more hashes than any proof has.
func checkProofLength(_ hashes: [Hash]) throws(TransparencyLogError) {
    guard hashes.count <= LogLimits.proofHashes else {
        throw TransparencyLogError(
            .tooLong, "proof: \(hashes.count) hashes, at most \(LogLimits.proofHashes) are allowed")
    }
}
