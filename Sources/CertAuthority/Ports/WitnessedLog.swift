// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import TransparencyLog

/// An authority's log as witnesses are shown it.
public protocol WitnessedLog: Sendable {
    /// The newest checkpoint, signed by the log.
    func checkpoint() throws(CertAuthorityError) -> SignedNote
    /// The proof that the first `newSize` entries begin with the first `oldSize`; neither may be over what there is.
    func consistencyProof(from oldSize: UInt64, to newSize: UInt64) throws(CertAuthorityError)
        -> ConsistencyProof
}
