// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import GRDB
import SSHWire
import TransparencyLog

/// The authority's error for whatever went wrong with the database at `path`.
func ledgerError(_ error: any Error, _ path: String) -> CertAuthorityError {
    if let error = error as? CertAuthorityError { return error }
    if let error = error as? TransparencyLogError {
        return CertAuthorityError(.logInconsistent, error.reason)
    }
    if let error = error as? SSHWireError { return CertAuthorityError(.storeDamaged, error.reason) }
    guard let failure = error as? DatabaseError else {
        return CertAuthorityError(
            .storeDamaged, "database \(path.escapedForTerminal): \("\(error)".escapedForTerminal)")
    }
    let words = (failure.message ?? failure.resultCode.description).escapedForTerminal
    let reason = "database \(path.escapedForTerminal): \(words)"
    switch failure.resultCode {
    case .SQLITE_BUSY, .SQLITE_LOCKED:
        return CertAuthorityError(
            .storeLocked, reason,
            hint: "another program holds it; try again, or find it with: fuser \(path.escapedForTerminal)")
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_CANTOPEN:
        return CertAuthorityError(
            .storeReadOnly, reason, hint: "the database and its folder must be writable by you")
    case .SQLITE_FULL:
        return CertAuthorityError(
            .storeFull, reason,
            hint: "make room on the disk; nothing was issued, and it goes on by itself then")
    case .SQLITE_IOERR:
        return CertAuthorityError(
            .storeFull, reason,
            hint: "the disk is full or fails: see df and dmesg; nothing was issued")
    default:
        return CertAuthorityError(
            .storeDamaged, reason,
            hint: "check it with: daypass log verify; restore a backup if it is damaged")
    }
}
