// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import TransparencyLog

extension SQLiteLedger: WitnessedLog {
    public func consistencyProof(
        from oldSize: UInt64, to newSize: UInt64
    ) throws(CertAuthorityError) -> ConsistencyProof {
        try withTree { tree in try ConsistencyProof(oldSize: oldSize, newSize: newSize, from: tree) }
    }
}
