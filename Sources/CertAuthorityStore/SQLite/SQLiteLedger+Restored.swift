// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import SSHWire
import TransparencyLog

extension SQLiteLedger {
    /// Readies a database that a backup was restored to for being issued from.
    ///
    /// Serials go on beyond all that may have been given out since, the log admits the restoration, and every session
    /// ends: one that was ended since the backup would be open again.
    ///
    /// - Parameters:
    ///   - newest: the largest head that is known to have been published, this database's own if there is none.
    /// - Returns: how many sessions were ended.
    func goOn(
        from newest: TreeHead, requester: Identity, at milliseconds: UInt64
    ) async throws(CertAuthorityError) -> Int {
        let size = try size()
        let lost = newest.size > size ? newest.size - size : 0
        try await access.write { db in
            let row = try db.ledger()
            let key = try row.decode(Data?.self, forColumn: "serial_key")
            var serials = SerialSequence(
                key.map { .random(key: Array($0)) } ?? .sequential,
                position: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "serial_position")))
            try serials.skip(
                lost, at: UnixTime(seconds: milliseconds / 1_000), millisecond: milliseconds % 1_000)
            try db.execute(
                sql: "UPDATE ledger SET serial_position = ?", arguments: [Int64(bitPattern: serials.position)]
            )
        }
        let directory = SQLiteDirectory(self)
        let sessions = try await directory.sessions()
        let ends = sessions.map { session in
            LedgerDraft.login(
                LoginRecord(
                    change: .ended, identity: session.person.identity, session: ExactText(session.id),
                    provider: ExactText(session.person.provider),
                    keyFingerprint: ExactText(session.key.fingerprint), sourceAddress: "",
                    expires: session.expires, reason: "the control plane was restored from a backup"),
                requester: requester)
        }
        let record = RecoveryRecord(knownSize: newest.size, knownRoot: newest.root.bytes)
        _ = try await append([.recovery(record, requester: requester)] + ends, at: milliseconds)
        try await directory.removeSessions(sessions.map(\.id))
        return sessions.count
    }
}
