// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
import GRDB
import SSHWire
public import TransparencyLog

extension SQLiteLedger {
    /// Recomputes the whole log from its entries and compares it with the stored tiles, with the stored checkpoint and
    /// with every published one.
    ///
    /// - Parameters:
    ///   - logKey: the log's key.
    ///   - published: heads that the log must not contradict.
    ///   - progress: called now and then with the number of entries verified and of all.
    /// - Returns: the verified head of the log.
    /// - Throws: `.logInconsistent` or `.rolledBack`, naming the first thing that is wrong.
    public nonisolated func verify(
        logKey: NoteVerifier, published: [TreeHead] = [],
        progress: (_ verified: UInt64, _ all: UInt64) -> Void = { _, _ in }
    ) throws(CertAuthorityError) -> TreeHead {
        let note = try checkpoint()
        let origin = try self.origin
        let stored: VerifiedCheckpoint
        do {
            stored = try VerifiedCheckpoint(note, origin: origin, logKeys: [logKey])
        } catch {
            throw CertAuthorityError(.logInconsistent, "the database's checkpoint: \(error.reason)")
        }
        var verifier = LogVerifier(expecting: published + [stored.head])
        var stowed: TransparencyLogError?
        try forEachEntry { index, entry in
            // An entry behind the checkpoint was added by another process meanwhile.
            guard verifier.size < stored.head.size else { return false }
            do {
                guard index == verifier.size else {
                    throw CertAuthorityError(
                        .logInconsistent, "entry \(verifier.size) is gone, the next one is \(index)")
                }
                try verifier.append(entry)
                if verifier.size % 65_536 == 0 {
                    try compareTiles(verifier.takeCompletedTiles())
                    progress(verifier.size, stored.head.size)
                }
                return true
            } catch let error as TransparencyLogError {
                stowed = error
                return false
            }
        }
        do {
            // The tiles first: they name the entry, where the root only says that there is one.
            try compareTiles(verifier.takeCompletedTiles())
            if let stowed { throw stowed }
            return try verifier.finish()
        } catch let error as TransparencyLogError {
            let isShort = error.code == .rolledBack
            throw CertAuthorityError(isShort ? .rolledBack : .logInconsistent, error.reason)
        } catch let error as CertAuthorityError {
            throw error
        } catch {
            throw CertAuthorityError(.logInconsistent, "\(error)")
        }
    }

    private nonisolated func compareTiles(_ tiles: [HashTile]) throws {
        try read { db in
            for computed in tiles {
                guard let stored = try DatabaseTree(db: db).storedTile(computed.tile) else {
                    throw CertAuthorityError(
                        .logInconsistent, "\(computed.tile): the database has no such tile")
                }
                try stored.compare(withComputed: computed)
            }
        }
    }
}
