// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TransparencyLog

/// The tree that Certificate Transparency's reference implementations are tested with.
enum ReferenceTree {
    static let entries = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ].map(unhex)

    static let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
}

@Suite struct MerkleTreeTests {
    @Test(arguments: 0...8)
    func referenceTreeHasItsPublishedRoots(size: Int) throws {
        let root = try Hash(hex: ReferenceTree.roots[size])
        #expect(try tree(of: Array(ReferenceTree.entries[..<size])).frontier.root == root)
        #expect(NaiveTree(ReferenceTree.entries).root(0..<size) == root.bytes)
    }

    @Test func rootsOfEverySizeAreTheRecursiveDefinitions() throws {
        let entries = sampleEntries(600)
        let naive = NaiveTree(entries)
        let whole = try tree(of: entries)
        var frontier = Frontier()
        for size in 0...entries.count {
            let expected = naive.root(0..<size)
            #expect(frontier.root.bytes == expected)
            #expect(try whole.root(size: UInt64(size)).bytes == expected)
            #expect(try Frontier(size: UInt64(size), from: whole) == frontier)
            if size < entries.count { try frontier.append(leaf(entries[size])) }
        }
    }

    @Test func aLeafAndANodeOfTheSameBytesDiffer() throws {
        let left = leaf([1])
        let right = leaf([2])
        #expect(leaf(left.bytes + right.bytes) != MerkleHash.node(left, right))
        #expect(MerkleHash.node(left, right) != MerkleHash.node(right, left))
    }

    @Test func anEntryThatFillsItsLengthIsTakenAndOneByteMoreIsRefused() throws {
        var tree = MemoryTree()
        try tree.append(entry: [UInt8](repeating: 7, count: 65_535).span)
        #expect(code { try tree.append(entry: [UInt8](repeating: 7, count: 65_536).span) } == .tooLong)
        #expect(tree.frontier.size == 1)
    }

    @Test func aHashOutsideOfTheTreeIsMissing() throws {
        let tree = try tree(of: sampleEntries(5))
        #expect(throws: Never.self) { try tree.hash(level: 2, index: 0) }
        #expect(code { _ = try tree.hash(level: 2, index: 1) } == .missing)
        #expect(code { _ = try tree.hash(level: 3, index: 0) } == .missing)
        #expect(code { _ = try tree.hash(level: -1, index: 0) } == .missing)
        #expect(code { _ = try tree.hash(level: 0, index: .max) } == .missing)
    }
}

@Suite struct HashTests {
    @Test func base64AndBytesReadBack() throws {
        let hash = leaf([1, 2, 3])
        #expect(try Hash(base64: hash.base64) == hash)
        #expect(try Hash(hash.bytes.span) == hash)
        #expect(hash.bytes == sha256([0, 1, 2, 3]))
        #expect(MerkleHash.emptyRoot.base64 == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
    }

    @Test(arguments: [0, 31, 33, 64])
    func otherCountsThan32BytesAreRefused(count: Int) {
        let bytes = [UInt8](repeating: 0, count: count)
        #expect(code { _ = try Hash(bytes.span) } == (count < 32 ? .truncated : .tooLong))
    }

    @Test(arguments: [
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=", TransparencyLogError.Code.notCanonical),
        ("47DEQpj8HBSa-/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", .malformed),
        ("47DEQpj8HBSa+_TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", .malformed),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", .malformed),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF=U", .malformed),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF==", .notCanonical),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==", .truncated),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUA", .tooLong),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSu===", .malformed),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", .tooLong),
        (" 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", .malformed),
        ("", .truncated), ("====", .malformed),
    ])
    func base64IsStrict(text: String, expected: TransparencyLogError.Code) {
        #expect(code { _ = try Hash(base64: text) } == expected)
    }
}

@Suite struct FrontierTests {
    @Test func everySizeReadsBackAndContinues() throws {
        let entries = sampleEntries(130)
        let naive = NaiveTree(entries)
        var frontier = Frontier()
        for (number, entry) in entries.enumerated() {
            frontier = try Frontier(frontier.bytes.span)
            #expect(frontier.size == UInt64(number))
            #expect(frontier.bytes.count == 8 + 32 * number.nonzeroBitCount)
            try frontier.append(leaf(entry))
        }
        #expect(frontier.root.bytes == naive.root(0..<130))
    }

    @Test func everyPrefixAndEveryAddedByteIsRefused() throws {
        let bytes = try tree(of: sampleEntries(7)).frontier.bytes
        for count in 0..<bytes.count {
            #expect(code { _ = try Frontier(Array(bytes[..<count]).span) } == .truncated)
        }
        #expect(code { _ = try Frontier((bytes + [0]).span) } == .trailingBytes)
    }

    @Test func everyOneByteChangeIsRefusedOrAnotherFrontier() throws {
        let frontier = try tree(of: sampleEntries(6)).frontier
        let bytes = frontier.bytes
        for position in bytes.indices {
            for mask in [0x01, 0x80, 0xff] as [UInt8] {
                var changed = bytes
                changed[position] ^= mask
                #expect((try? Frontier(changed.span)) != frontier)
            }
        }
    }

    @Test func theLargestTreeIsFullAndOneEntryLessIsNot() throws {
        let hash = MerkleHash.emptyRoot
        let largest = LogLimits.treeSize
        var full = try Frontier(size: largest, hashes: Array(repeating: hash, count: 63))
        #expect(full.bytes.count == Frontier.maximumBytes)
        #expect(code { try full.append(hash) } == .treeFull)
        #expect(full.size == largest)
        var almost = try Frontier(size: largest - 1, hashes: Array(repeating: hash, count: 62))
        try almost.append(hash)
        #expect(almost.size == largest)
        #expect(code { _ = try Frontier(size: largest + 1, hashes: [hash]) } == .outOfRange)
        #expect(code { _ = try Frontier(size: 3, hashes: [hash]) } == .outOfRange)
    }

    @Test func appendingReportsEveryFinalHashOnce() throws {
        let entries = sampleEntries(70)
        let naive = NaiveTree(entries)
        var frontier = Frontier()
        var reported: [TreeNode: Hash] = [:]
        for entry in entries {
            try frontier.append(leaf(entry)) { node, hash in
                #expect(reported.updateValue(hash, forKey: node) == nil)
            }
        }
        // 70 leaves, 35 pairs, 17, 8, 4, 2, 1.
        #expect(reported.count == 137)
        for (node, hash) in reported {
            #expect(naive.root(Int(node.entries.lowerBound)..<Int(node.entries.upperBound)) == hash.bytes)
        }
    }
}
