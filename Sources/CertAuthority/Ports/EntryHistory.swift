// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What an entry of the log is about, where it is no issuance: those are found by their serials and key IDs.
public enum EntrySubject: Sendable, Hashable {
    /// A certificate by its serial: what hosts reported of it.
    case serial(UInt64)
    /// A request for approval by its id: it, what was done to it, and decisions by its grant.
    case request(ExactText)
    /// A session with the control plane by its public name: its beginning and its end.
    case session(ExactText)

    /// A store's key: no two subjects have the same.
    public var key: [UInt8] {
        switch self {
        case .serial(let serial): [1] + bigEndian(serial)
        case .request(let id): [2] + Array(id.string.utf8)
        case .session(let id): [3] + Array(id.string.utf8)
        }
    }

    private func bigEndian(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
    }
}

extension LogEntry.Event {
    /// What the entry is found by.
    public var subjects: [EntrySubject] {
        switch self {
        case .hostEvent(let record): record.serial == 0 ? [] : [.serial(record.serial)]
        case .decision(let record): record.request.map { $0.isEmpty ? [] : [.request($0)] } ?? []
        case .request(let record): [.request(record.request)]
        case .approval(let record): [.request(record.request)]
        case .login(let record): record.session.isEmpty ? [] : [.session(record.session)]
        case .issuance, .refusal, .revocation, .authority, .recovery, .change, .alert, .fleetTrust: []
        }
    }
}

/// An entry with its place in the log.
public struct PlacedEntry: Sendable, Hashable {
    public let index: UInt64
    public let entry: LogEntry

    public init(index: UInt64, entry: LogEntry) {
        self.index = index
        self.entry = entry
    }
}

/// Where entries of the log are found by what they are about, without reading the others.
///
/// Every implementation passes one conformance suite.
public protocol EntryHistory: Sendable {
    /// The entry at a place in the log; nil when there is none.
    func entry(at index: UInt64) async throws(CertAuthorityError) -> LogEntry?
    /// The first entries about something, in order.
    func entries(about subject: EntrySubject, limit: Int) async throws(CertAuthorityError) -> [PlacedEntry]
    /// The place of the certificate with a serial, or with a key ID.
    func issuance(serial: UInt64) async throws(CertAuthorityError) -> UInt64?
    func issuance(keyID: String) async throws(CertAuthorityError) -> UInt64?
    /// All revocations, in order.
    func revocations() async throws(CertAuthorityError) -> [PlacedEntry]
}
