// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import TransparencyLog

/// RFC 9162's recursive definitions, word for word and with another SHA-256 than the library's: the expectation that
/// the iterative code is compared with.
final class NaiveTree {
    let entries: [[UInt8]]
    private var roots: [Range<Int>: [UInt8]] = [:]

    init(_ entries: [[UInt8]]) { self.entries = entries }

    /// MTH(D[range]), section 2.1.1.
    func root(_ range: Range<Int>) -> [UInt8] {
        if let known = roots[range] { return known }
        let root: [UInt8]
        switch range.count {
        case 0: root = sha256([])
        case 1: root = sha256([0x00] + entries[range.lowerBound])
        default:
            let middle = range.lowerBound + split(range.count)
            root = sha256(
                [0x01] + self.root(range.lowerBound..<middle) + self.root(middle..<range.upperBound))
        }
        roots[range] = root
        return root
    }

    /// PATH(m, D_n), section 2.1.3.1.
    func path(_ index: Int, _ range: Range<Int>) -> [[UInt8]] {
        guard range.count > 1 else { return [] }
        let middle = range.lowerBound + split(range.count)
        return index < middle
            ? path(index, range.lowerBound..<middle) + [root(middle..<range.upperBound)]
            : path(index, middle..<range.upperBound) + [root(range.lowerBound..<middle)]
    }

    /// SUBPROOF(m, D_n, b), section 2.1.4.1.
    func subproof(_ size: Int, _ range: Range<Int>, _ isWhole: Bool) -> [[UInt8]] {
        guard size < range.count else { return isWhole ? [] : [root(range)] }
        let half = split(range.count)
        let middle = range.lowerBound + half
        return size <= half
            ? subproof(size, range.lowerBound..<middle, isWhole) + [root(middle..<range.upperBound)]
            : subproof(size - half, middle..<range.upperBound, false) + [root(range.lowerBound..<middle)]
    }

    private func split(_ count: Int) -> Int {
        var power = 1
        while power * 2 < count { power *= 2 }
        return power
    }
}

/// SHA-256 through OpenSSL's EVP interface.
func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    _ = unsafe EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
    return digest
}

/// Distinct entries of different lengths.
func sampleEntries(_ count: Int) -> [[UInt8]] {
    (0..<count).map { number in
        Array("entry \(number)".utf8) + [UInt8](repeating: 0x2e, count: number % 5)
    }
}

func tree(of entries: [[UInt8]]) throws -> MemoryTree {
    var tree = MemoryTree()
    for entry in entries { try tree.append(entry: entry.span) }
    return tree
}

func unhex(_ text: String) -> [UInt8] {
    let digits = Array(text)
    return stride(from: 0, to: digits.count, by: 2).compactMap {
        UInt8(String(digits[$0...($0 + 1)]), radix: 16)
    }
}

func leaf(_ entry: [UInt8]) -> Hash { MerkleHash.leaf(entry.span) }

extension Hash {
    init(of bytes: [UInt8]) throws { try self.init(bytes.span) }

    init(hex: String) throws { try self.init(of: unhex(hex)) }
}

/// The code of what a call throws; nil when it returns.
func code(of body: () throws -> Void) -> TransparencyLogError.Code? {
    do {
        try body()
        return nil
    } catch let error as TransparencyLogError {
        return error.code
    } catch {
        return nil
    }
}

/// The error that a call throws; nil when it returns.
func failure(of body: () throws -> Void) -> TransparencyLogError? {
    do {
        try body()
        return nil
    } catch {
        return error as? TransparencyLogError
    }
}
