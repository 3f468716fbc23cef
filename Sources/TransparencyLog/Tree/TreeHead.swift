// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// How many entries a tree has, and the root over them.
public struct TreeHead: Hashable, Sendable {
    /// The number of entries, at most ``LogLimits/treeSize``.
    public let size: UInt64
    /// The root over the first `size` entries (MTH in RFC 9162, section 2.1.1).
    public let root: Hash

    /// Throws `.outOfRange` for a size above ``LogLimits/treeSize``.
    public init(size: UInt64, root: Hash) throws(TransparencyLogError) {
        try checkTreeSize(size)
        self.init(uncheckedSize: size, root: root)
    }

    init(uncheckedSize size: UInt64, root: Hash) {
        self.size = size
        self.root = root
    }
}

extension TreeHead: CustomStringConvertible {
    public var description: String { "size \(size), root \(root)" }
}
