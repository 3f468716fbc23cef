// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
public import TransparencyLog

/// A ledger that forgets everything when its process ends: for tests and measurements, not for issuing.
public actor InMemoryLedger: Ledger {
    private var serials: SerialSequence
    /// Every entry's exact bytes, in order.
    public private(set) var entries: [[UInt8]] = []
    private var frontier = Frontier()

    public init(serials: SerialSequence.Order = .sequential) {
        self.serials = SerialSequence(serials, position: 0)
    }

    public func append(
        _ drafts: [LedgerDraft], at milliseconds: UInt64
    ) throws(CertAuthorityError) -> [LedgerReceipt] {
        var serials = self.serials
        var receipts: [LedgerReceipt] = []
        var encoded: [[UInt8]] = []
        receipts.reserveCapacity(drafts.count)
        encoded.reserveCapacity(drafts.count)
        for draft in drafts {
            let entry = try draft.entry(at: milliseconds, serials: &serials)
            encoded.append(try entry.encoded())
            receipts.append(LedgerReceipt(index: UInt64(entries.count + receipts.count), entry: entry))
        }
        var frontier = self.frontier
        do {
            for entry in encoded { try frontier.append(MerkleHash.leaf(entry.span)) }
        } catch {
            throw CertAuthorityError(.logInconsistent, error.reason)
        }
        // Only now: an entry that is refused leaves no trace of those before it.
        self.frontier = frontier
        self.serials = serials
        entries += encoded
        return receipts
    }

    /// The root hash of the log's tree.
    public var root: Hash { frontier.root }
}
