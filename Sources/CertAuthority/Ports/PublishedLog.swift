// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What everybody may see of an authority's log.
public protocol PublishedLog: Sendable {
    /// The newest signed checkpoint (C2SP tlog-checkpoint).
    func publishedCheckpoint() async throws(CertAuthorityError) -> [UInt8]
    /// A tile or bundle of entries by its path below the log's address (C2SP tlog-tiles); nil for what isn't there.
    func publishedTile(_ path: String) async throws(CertAuthorityError) -> [UInt8]?
    /// How many entries there are.
    func publishedSize() async throws(CertAuthorityError) -> UInt64
}
