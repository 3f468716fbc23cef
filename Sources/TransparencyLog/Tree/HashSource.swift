// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Where a stored tree's hashes are read from, to make proofs.
public protocol HashSource {
    /// The hash of a complete subtree: `level` 0 is the leaf hash of entry `index`, each further level joins two.
    ///
    /// Asked only for subtrees that lie wholly inside the tree. Throws when the hash can't be had; what is thrown
    /// reaches whoever asked for the proof.
    func hash(level: Int, index: UInt64) throws -> Hash
}

extension HashSource {
    /// The root of the first `size` entries; reads at most 63 hashes.
    ///
    /// Throws `.outOfRange` above ``LogLimits/treeSize``, and what the source throws.
    public func root(size: UInt64) throws -> Hash { try Frontier(size: size, from: self).root }

    /// The root over a range of entries that starts where a subtree at least as large as it starts.
    func root(of entries: Range<UInt64>) throws -> Hash {
        var hashes: [Hash] = []
        for node in TreeNode.covering(entries) {
            hashes.append(try hash(level: node.level, index: node.index))
        }
        return foldedRoot(hashes)
    }
}
