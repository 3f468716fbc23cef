// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import TransparencyLog

/// The log's tree as the database has it: complete tiles where they are stored, hashes of entries elsewhere.
struct DatabaseTree: HashSource {
    let db: Database

    func hash(level: Int, index: UInt64) throws -> Hash {
        let tileLevel = level / 8
        let width = UInt64(1) << UInt64(level % 8)
        let first = index * width
        let stored = try Row.fetchOne(
            db, sql: "SELECT hashes FROM tiles WHERE level = ? AND position = ?",
            arguments: [tileLevel, Int64(bitPattern: first / 256)])
        var hashes: [Hash] = []
        if let stored {
            let data = try stored.decode(Data.self, atIndex: 0)
            let tile = try HashTile(
                try Tile(.hashes(level: tileLevel), index: first / 256, width: 256), bytes: Array(data).span)
            let start = Int(first % 256)
            hashes = Array(tile.hashes[start..<(start + Int(width))])
        } else if tileLevel == 0 {
            hashes = try leafHashes(first..<(first + width))
        } else {
            for position in first..<(first + width) {
                hashes.append(try completeTileRoot(tileLevel - 1, position))
            }
        }
        return try root(hashes)
    }

    /// The root of a complete tile, which is one hash of the tile above.
    private func completeTileRoot(_ level: Int, _ position: UInt64) throws -> Hash {
        try root((0..<2).map { try hash(level: 8 * level + 7, index: position * 2 + $0) })
    }

    private func root(_ hashes: [Hash]) throws -> Hash {
        var frontier = Frontier()
        for hash in hashes { try frontier.append(hash) }
        return frontier.root
    }

    private func leafHashes(_ range: Range<UInt64>) throws -> [Hash] {
        let rows = try Data.fetchAll(
            db, sql: "SELECT entry FROM entries WHERE position >= ? AND position < ? ORDER BY position",
            arguments: [Int64(bitPattern: range.lowerBound), Int64(bitPattern: range.upperBound)])
        guard rows.count == range.count else {
            throw CertAuthorityError(
                .logInconsistent,
                "entries \(range.lowerBound)...\(range.upperBound - 1): \(rows.count) are there")
        }
        return rows.map { MerkleHash.leaf(Array($0).span) }
    }
}
