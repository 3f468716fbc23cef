// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TransparencyLog

@Suite struct InclusionProofTests {
    @Test(
        arguments: [
            (0, 1, []),
            (
                0, 8,
                [
                    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
                ]
            ),
            (
                5, 8,
                [
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                ]
            ),
            (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        ] as [(UInt64, UInt64, [String])])
    func referenceTreeHasItsPublishedProofs(index: UInt64, size: UInt64, hashes: [String]) throws {
        let proof = try InclusionProof(index: index, size: size, from: try tree(of: ReferenceTree.entries))
        #expect(proof.hashes == (try hashes.map { try Hash(hex: $0) }))
        try proof.verify(
            leafHash: leaf(ReferenceTree.entries[Int(index)]),
            root: try Hash(hex: ReferenceTree.roots[Int(size)]))
    }

    @Test func everyEntryOfEverySizeUpTo300IsProved() throws {
        let entries = sampleEntries(300)
        let naive = NaiveTree(entries)
        let tree = try tree(of: entries)
        let leaves = entries.map { leaf($0) }
        for size in 1...entries.count {
            let root = try Hash(of: naive.root(0..<size))
            for index in 0..<size {
                let proof = try InclusionProof(index: UInt64(index), size: UInt64(size), from: tree)
                if proof.hashes.map(\.bytes) != naive.path(index, 0..<size) {
                    Issue.record("entry \(index) of \(size) has another path")
                }
                try proof.verify(leafHash: leaves[index], root: root)
            }
        }
    }

    @Test func everyChangedPartOfAProofIsRefused() throws {
        let entries = sampleEntries(21)
        let tree = try tree(of: entries)
        for size in 1...21 as ClosedRange<UInt64> {
            let root = try tree.root(size: size)
            for index in 0..<size {
                let entry = leaf(entries[Int(index)])
                let proof = try InclusionProof(index: index, size: size, from: tree)
                #expect(
                    code { try proof.verify(leafHash: MerkleHash.emptyRoot, root: root) } == .invalidProof)
                #expect(
                    code { try proof.verify(leafHash: entry, root: MerkleHash.emptyRoot) } == .invalidProof)
                for other in 0..<size where other != index {
                    let moved = try InclusionProof(index: other, size: size, hashes: proof.hashes)
                    #expect(code { try moved.verify(leafHash: entry, root: root) } == .invalidProof)
                }
                for hashes in variants(of: proof.hashes) {
                    let changed = try InclusionProof(index: index, size: size, hashes: hashes)
                    #expect(code { try changed.verify(leafHash: entry, root: root) } == .invalidProof)
                }
            }
        }
    }

    @Test func anEntryOutsideOfTheTreeIsRefused() throws {
        let tree = try tree(of: sampleEntries(4))
        #expect(throws: Never.self) { try InclusionProof(index: 3, size: 4, from: tree) }
        #expect(code { _ = try InclusionProof(index: 4, size: 4, from: tree) } == .outOfRange)
        #expect(code { _ = try InclusionProof(index: 0, size: 0, from: tree) } == .outOfRange)
        #expect(code { _ = try InclusionProof(index: 0, size: .max, hashes: []) } == .outOfRange)
        #expect(code { _ = try InclusionProof(index: 3, size: 5, from: tree) } == .missing)
    }

    @Test func moreHashesThanAnyProofHasAreRefused() throws {
        let hashes = [Hash](repeating: MerkleHash.emptyRoot, count: 64)
        let largest = LogLimits.treeSize
        #expect(throws: Never.self) {
            try InclusionProof(index: 0, size: largest, hashes: Array(hashes.dropLast()))
        }
        #expect(code { _ = try InclusionProof(index: 0, size: largest, hashes: hashes) } == .tooLong)
        let proof = try InclusionProof(index: largest - 1, size: largest, hashes: Array(hashes.dropLast()))
        #expect(
            code { try proof.verify(leafHash: hashes[0], root: hashes[0]) } == .invalidProof)
    }
}

@Suite struct ConsistencyProofTests {
    @Test(
        arguments: [
            (1, 1, []),
            (
                1, 8,
                [
                    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
                ]
            ),
            (
                6, 8,
                [
                    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                ]
            ),
            (
                2, 5,
                [
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                ]
            ),
        ] as [(UInt64, UInt64, [String])])
    func referenceTreeHasItsPublishedProofs(oldSize: UInt64, newSize: UInt64, hashes: [String]) throws {
        let proof = try ConsistencyProof(
            oldSize: oldSize, newSize: newSize, from: try tree(of: ReferenceTree.entries))
        #expect(proof.hashes == (try hashes.map { try Hash(hex: $0) }))
        try proof.verify(
            oldRoot: try Hash(hex: ReferenceTree.roots[Int(oldSize)]),
            newRoot: try Hash(hex: ReferenceTree.roots[Int(newSize)]))
    }

    @Test func everyPairOfSizesUpTo70IsProved() throws {
        let entries = sampleEntries(70)
        let naive = NaiveTree(entries)
        let tree = try tree(of: entries)
        for newSize in 0...70 {
            let newRoot = try Hash(of: naive.root(0..<newSize))
            for oldSize in 0...newSize {
                let proof = try ConsistencyProof(
                    oldSize: UInt64(oldSize), newSize: UInt64(newSize), from: tree)
                if oldSize > 0 {
                    #expect(proof.hashes.map(\.bytes) == naive.subproof(oldSize, 0..<newSize, true))
                }
                try proof.verify(oldRoot: try Hash(of: naive.root(0..<oldSize)), newRoot: newRoot)
            }
        }
    }

    @Test func everyChangedPartOfAProofIsRefused() throws {
        let tree = try tree(of: sampleEntries(20))
        for newSize in 0...20 as ClosedRange<UInt64> {
            let newRoot = try tree.root(size: newSize)
            for oldSize in 0...newSize {
                let oldRoot = try tree.root(size: oldSize)
                let proof = try ConsistencyProof(oldSize: oldSize, newSize: newSize, from: tree)
                let wrong = leaf([0xff])
                #expect(code { try proof.verify(oldRoot: wrong, newRoot: newRoot) } == .invalidProof)
                // Everything is consistent with the empty tree, so only its own root is checked.
                if oldSize > 0 {
                    #expect(code { try proof.verify(oldRoot: oldRoot, newRoot: wrong) } == .invalidProof)
                }
                for hashes in variants(of: proof.hashes) {
                    let changed = try ConsistencyProof(oldSize: oldSize, newSize: newSize, hashes: hashes)
                    #expect(code { try changed.verify(oldRoot: oldRoot, newRoot: newRoot) } == .invalidProof)
                }
            }
        }
    }

    @Test func aTreeWithAChangedOldEntryIsRefused() throws {
        let entries = sampleEntries(12)
        let oldRoot = try tree(of: entries).root(size: 7)
        for victim in 0..<7 {
            var rewritten = entries
            rewritten[victim] = [0]
            let forged = try tree(of: rewritten)
            let proof = try ConsistencyProof(oldSize: 7, newSize: 12, from: forged)
            #expect(
                code { try proof.verify(oldRoot: oldRoot, newRoot: forged.frontier.root) } == .invalidProof)
        }
    }

    @Test func aProofThatEndsBelowTheRootOfTheClaimedSizeIsRefused() throws {
        let tree = try tree(of: sampleEntries(4))
        let proof = try ConsistencyProof(oldSize: 3, newSize: 4, from: tree)
        let roots = (old: try tree.root(size: 3), new: try tree.root(size: 4))
        try proof.verify(oldRoot: roots.old, newRoot: roots.new)
        let claimed = try ConsistencyProof(oldSize: 3, newSize: 7, hashes: proof.hashes)
        #expect(code { try claimed.verify(oldRoot: roots.old, newRoot: roots.new) } == .invalidProof)
    }

    @Test func aProofBackwardsIsRefused() throws {
        let tree = try tree(of: sampleEntries(4))
        #expect(code { _ = try ConsistencyProof(oldSize: 4, newSize: 3, from: tree) } == .outOfRange)
        #expect(code { _ = try ConsistencyProof(oldSize: 1, newSize: .max, hashes: []) } == .outOfRange)
    }
}

/// Hash lists that differ from the given one: each hash changed, each dropped, each doubled, neighbours swapped, one
/// more at either end.
private func variants(of hashes: [Hash]) -> [[Hash]] {
    let other = leaf([0xee])
    var variants = [hashes + [other], [other] + hashes]
    for position in hashes.indices {
        var changed = hashes
        changed[position] = other
        var dropped = hashes
        dropped.remove(at: position)
        var doubled = hashes
        doubled.insert(hashes[position], at: position)
        variants += [changed, dropped, doubled]
        if position > 0 {
            var swapped = hashes
            swapped.swapAt(position, position - 1)
            variants.append(swapped)
        }
    }
    return variants
}
