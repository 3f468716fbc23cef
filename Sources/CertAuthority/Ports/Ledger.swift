// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Where an authority's history is kept: numbered, hashed into the log's tree, on disk before anybody acts on it.
///
/// Every implementation passes one conformance suite. Entries of several callers may share one durable step; the
/// entries of one call stay together and in order.
public protocol Ledger: Sendable {
    /// Appends entries and makes them durable, or changes nothing and throws.
    ///
    /// Serials are given out here, in the same step: a serial without a record, or a record without a serial, can't be.
    func append(_ drafts: [LedgerDraft], at milliseconds: UInt64) async throws(CertAuthorityError)
        -> [LedgerReceipt]
}

/// An entry before it has its place and serial.
public struct LedgerDraft: Sendable {
    enum Content: Sendable {
        case issuance(ApprovedIssuance)
        // Indirect, as in `LogEntry.Event`: a draft is as large, and copied as fast, as one reference.
        indirect case event(LogEntry.Event, requester: Identity)
    }

    let content: Content

    /// A certificate to number and record.
    public static func issuance(_ approved: ApprovedIssuance) -> LedgerDraft {
        LedgerDraft(content: .issuance(approved))
    }

    /// Something else to record. Issuances can't be recorded this way.
    public static func refusal(_ record: RefusalRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.refusal(record), requester: requester))
    }

    public static func revocation(_ record: RevocationRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.revocation(record), requester: requester))
    }

    public static func authority(_ record: AuthorityRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.authority(record), requester: requester))
    }

    public static func recovery(_ record: RecoveryRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.recovery(record), requester: requester))
    }

    public static func decision(_ record: DecisionRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.decision(record), requester: requester))
    }

    public static func login(_ record: LoginRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.login(record), requester: requester))
    }

    public static func change(_ record: ChangeRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.change(record), requester: requester))
    }

    public static func hostEvent(_ record: HostEventRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.hostEvent(record), requester: requester))
    }

    public static func request(_ record: RequestRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.request(record), requester: requester))
    }

    public static func alert(_ record: AlertRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.alert(record), requester: requester))
    }

    public static func approval(_ record: ApprovalRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.approval(record), requester: requester))
    }

    public static func fleetTrust(_ record: FleetTrustRecord, requester: Identity) -> LedgerDraft {
        LedgerDraft(content: .event(.fleetTrust(record), requester: requester))
    }

    /// The entry, once its time is known; takes a serial if it is an issuance. For ledgers.
    ///
    /// - Throws: what ``SerialSequence/next(at:millisecond:)`` throws, and `.invalidRequest` for what no certificate can hold.
    public func entry(at milliseconds: UInt64, serials: inout SerialSequence) throws(CertAuthorityError)
        -> LogEntry
    {
        switch content {
        case .issuance(let approved):
            let serial = try serials.next(
                at: UnixTime(seconds: milliseconds / 1_000), millisecond: milliseconds % 1_000)
            let certificate = try approved.certificate(serial: serial)
            return LogEntry(
                milliseconds: milliseconds, requester: approved.request.requester,
                event: .issuance(certificate))
        case .event(let event, let requester):
            return LogEntry(milliseconds: milliseconds, requester: requester, event: event)
        }
    }
}

extension LedgerDraft {
    /// True when `entry` is this draft with a serial, which is not 0.
    fileprivate func isRecorded(by entry: LogEntry) -> Bool {
        switch (content, entry.event) {
        case (.issuance(let approved), .issuance(let certificate)):
            approved.isApproval(of: certificate)
        case (.event(let event, _), let recorded): event == recorded
        case (.issuance, _): false
        }
    }
}

/// The word of a ledger that an entry is durable.
public struct LedgerReceipt: Sendable {
    /// The entry's place in the log, from 0.
    public let index: UInt64
    /// The entry.
    public let entry: LogEntry

    public init(index: UInt64, entry: LogEntry) {
        self.index = index
        self.entry = entry
    }
}

extension Ledger {
    /// Records drafts and returns the issuances among them. Nothing else makes a ``RecordedIssuance``, and nothing but
    /// that can be signed.
    ///
    /// - Throws: what the ledger throws, and `.logInconsistent` when it recorded something else or less.
    public func record(
        _ drafts: [LedgerDraft], at milliseconds: UInt64
    ) async throws(CertAuthorityError) -> [RecordedIssuance] {
        let receipts = try await append(drafts, at: milliseconds)
        guard receipts.count == drafts.count else {
            throw CertAuthorityError(
                .logInconsistent, "the ledger recorded \(receipts.count) of \(drafts.count) entries")
        }
        var recorded: [RecordedIssuance] = []
        recorded.reserveCapacity(receipts.count)
        for number in drafts.indices {
            let index = receipts[number].index
            // A key signs what comes from here: whether it is what policy approved is not left to the store.
            guard drafts[number].isRecorded(by: receipts[number].entry) else {
                throw CertAuthorityError(
                    .logInconsistent, "the ledger recorded something else as entry \(index)")
            }
            guard case .issuance(let certificate) = receipts[number].entry.event else { continue }
            recorded.append(RecordedIssuance(certificate, index: index))
        }
        return recorded
    }
}

/// An issuance that has its serial and is durable in the log: the only thing that a CA key signs.
public struct RecordedIssuance: Sendable {
    /// What was recorded.
    public let certificate: UnsignedCertificate
    /// Its place in the log.
    public let index: UInt64

    fileprivate init(_ certificate: UnsignedCertificate, index: UInt64) {
        self.certificate = certificate
        self.index = index
    }
}
