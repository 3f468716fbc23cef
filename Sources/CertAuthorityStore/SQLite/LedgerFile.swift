// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import SSHWire
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A ledger that somebody else writes, perhaps another account: opened for reading when an entry is asked for, and again when
/// another file has taken its place.
///
/// Whoever may only read a database in write-ahead mode can't make the files beside it, `-wal` and `-shm`, and SQLite opens
/// it only while they are there (sqlite.org/wal.html, "Read-Only Databases"): as long as its writer runs, and no longer after
/// that one has ended in order. So it need not open at the start, and may open later.
public final class LedgerFile: RecordedEntries {
    /// Which file it is, whatever its name.
    private struct Mark: Hashable {
        let device: UInt64
        let number: UInt64
    }

    private let path: String
    private let opened = Mutex<(ledger: SQLiteLedger, mark: Mark)?>(nil)

    /// - Parameter path: the database's file, which need not be there yet.
    public init(_ path: String) { self.path = path }

    /// Opens it, if it isn't open.
    ///
    /// - Throws: what ``SQLiteLedger/init(opening:signer:)`` throws.
    public func open() throws(CertAuthorityError) { _ = try ledger() }

    public func recordedEntries(at indexes: [UInt64]) throws(CertAuthorityError) -> [[UInt8]] {
        do throws(CertAuthorityError) {
            return try ledger().recordedEntries(at: indexes)
        } catch {
            // That an entry isn't there is an answer; anything else may be of files that have gone.
            guard error.code != .logInconsistent else { throw error }
            opened.withLock { $0 = nil }
            return try ledger().recordedEntries(at: indexes)
        }
    }

    private func ledger() throws(CertAuthorityError) -> SQLiteLedger {
        let mark = try mark()
        if let known = opened.withLock({ $0 }), known.mark == mark { return known.ledger }
        let ledger = try SQLiteLedger(reading: path)
        opened.withLock { $0 = (ledger, mark) }
        return ledger
    }

    private func mark() throws(CertAuthorityError) -> Mark {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            let reason = describeSystemError(errno)
            throw CertAuthorityError(
                .storeMissing, "cannot look at the database \(path.escapedForTerminal): \(reason)",
                hint: "its folder must let this account through: daypassd split sees to it")
        }
        return Mark(
            device: UInt64(truncatingIfNeeded: status.st_dev),
            number: UInt64(truncatingIfNeeded: status.st_ino))
    }
}
