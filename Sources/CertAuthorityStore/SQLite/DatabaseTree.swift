// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import TransparencyLog

/// The log's tree as the database has it: complete tiles where they are stored, leaf hashes elsewhere.
struct DatabaseTree: HashSource {
    let db: Database

    func hash(level: Int, index: UInt64) throws -> Hash {
        let tileLevel = level / 8
        let width = UInt64(1) << UInt64(level % 8)
        let first = index * width
        let stored = try storedTile(Tile(.hashes(level: tileLevel), index: first / 256))
        var hashes: [Hash] = []
        if let stored {
            let start = Int(first % 256)
            hashes = Array(stored.hashes[start..<(start + Int(width))])
        } else if tileLevel == 0 {
            hashes = try leafHashes(first..<(first + width))
        } else {
            for position in first..<(first + width) {
                hashes.append(try completeTileRoot(tileLevel - 1, position))
            }
        }
        return try root(hashes)
    }

    /// A complete hash tile as it is stored, nil when it is not there.
    func storedTile(_ tile: Tile) throws -> HashTile? {
        // A row, not its value: a damaged row without bytes is not a tile that isn't there.
        let row = try Row.fetchOne(
            db, sql: "SELECT hashes FROM tiles WHERE level = ? AND position = ?",
            arguments: [tile.level, Int64(bitPattern: tile.index)])
        guard let row else { return nil }
        let bytes = Array(try row.decode(Data.self, atIndex: 0))
        return try HashTile(tile, bytes: bytes.span)
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
            db, sql: "SELECT hash FROM entries WHERE position >= ? AND position < ? ORDER BY position",
            arguments: [Int64(bitPattern: range.lowerBound), Int64(bitPattern: range.upperBound)])
        guard rows.count == range.count else {
            throw CertAuthorityError(
                .logInconsistent,
                "entries \(range.lowerBound)...\(range.upperBound - 1): \(rows.count) are there")
        }
        return try rows.map { try Hash(Array($0).span) }
    }
}
