// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire
public import TransparencyLog

extension SQLiteLedger: PublishedLog {
    public func publishedCheckpoint() async throws(CertAuthorityError) -> [UInt8] {
        try await access.read { db in Array(try db.ledger().decode(Data.self, forColumn: "checkpoint")) }
    }

    public func publishedSize() async throws(CertAuthorityError) -> UInt64 {
        try await access.read { db in
            UInt64(bitPattern: try db.ledger().decode(Int64.self, forColumn: "size"))
        }
    }

    public func publishedTile(_ path: String) async throws(CertAuthorityError) -> [UInt8]? {
        guard let tile = try? Tile(path: path) else { return nil }
        return try await access.read { db in
            let size = UInt64(bitPattern: try db.ledger().decode(Int64.self, forColumn: "size"))
            guard try TileLayout(size: size).contains(tile) else { return nil }
            return try db.contents(of: tile)
        }
    }

    /// The bytes of a tile or bundle, which must be there.
    public func contents(of tile: Tile) throws(CertAuthorityError) -> [UInt8] {
        try read { db in try db.contents(of: tile) }
    }
}

extension Database {
    fileprivate func contents(of tile: Tile) throws -> [UInt8] {
        guard case .entries = tile.kind else {
            return try HashTile(tile, from: DatabaseTree(db: self)).bytes
        }
        var entries: [[UInt8]] = []
        entries.reserveCapacity(tile.width)
        try forEachEntry(from: tile.firstPosition) { _, entry in
            entries.append([UInt8](entry))
            return entries.count < tile.width
        }
        return try EntryBundle(tile, entries: entries).bytes
    }
}

extension SQLiteLedger: RecordedEntries {
    public func recordedEntries(at indexes: [UInt64]) throws(CertAuthorityError) -> [[UInt8]] {
        try read { db in
            let statement = try db.cachedStatement(
                sql: "SELECT position, entry FROM entries WHERE position = ?")
            return try indexes.map { index in
                let rows = try EntryRows(statement, arguments: [Int64(bitPattern: index)], blobs: 1)
                guard try rows.next() != nil else {
                    throw CertAuthorityError(.logInconsistent, "entry \(index) is not there")
                }
                return [UInt8](rows.blob(1))
            }
        }
    }
}
