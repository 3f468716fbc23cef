// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// The hashes of a Merkle tree (RFC 9162, section 2.1.1, and RFC 6962, section 2.1): SHA-256, with a prefix that
/// keeps leaves and inner nodes apart.
///
/// They cost no allocation and are safe to call from any thread; shim.h says which of libcrypto's calls are behind
/// them and what the other ones cost.
public enum MerkleHash {
    /// SHA-256(0x00 || entry).
    public static func leaf(_ entry: Span<UInt8>) -> Hash {
        var hash = Hash()
        unsafe entry.withUnsafeBufferPointer { unsafe daypass_merkle_leaf($0.baseAddress, $0.count, &hash) }
        return hash
    }

    /// SHA-256(0x01 || left || right).
    public static func node(_ left: Hash, _ right: Hash) -> Hash {
        var hash = Hash()
        unsafe withUnsafeBytes(of: left) { left in
            unsafe withUnsafeBytes(of: right) { right in
                unsafe daypass_merkle_node(left.baseAddress, right.baseAddress, &hash)
            }
        }
        return hash
    }

    /// The root of a tree without entries: SHA-256 of nothing.
    public static let emptyRoot = digest([])

    /// SHA-256(bytes), for what is not part of a tree.
    static func digest(_ bytes: [UInt8]) -> Hash {
        var hash = Hash()
        unsafe bytes.withUnsafeBufferPointer { unsafe daypass_sha256($0.baseAddress, $0.count, &hash) }
        return hash
    }
}
