// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A history that reads the whole log for every question: for tests.
public struct InMemoryEntryHistory: EntryHistory {
    private let encodedEntries: @Sendable () async -> [[UInt8]]

    /// - Parameter entries: the log's, in order.
    public init(entries: @escaping @Sendable () async -> [[UInt8]]) { encodedEntries = entries }

    public func entry(at index: UInt64) async throws(CertAuthorityError) -> LogEntry? {
        let entries = await encodedEntries()
        guard let place = Int(exactly: index), entries.indices.contains(place) else { return nil }
        let bytes = entries[place]
        return try LogEntry(encoded: bytes.span)
    }

    public func entries(
        about subject: EntrySubject, limit: Int
    ) async throws(CertAuthorityError) -> [PlacedEntry] {
        Array(try await all().filter { $0.entry.event.subjects.contains(subject) }.prefix(limit))
    }

    public func issuance(serial: UInt64) async throws(CertAuthorityError) -> UInt64? {
        try await issuance { $0.serial == serial }
    }

    public func issuance(keyID: String) async throws(CertAuthorityError) -> UInt64? {
        try await issuance { $0.keyID == ExactText(keyID) }
    }

    private func issuance(
        where isMeant: (CertificateFields) -> Bool
    ) async throws(CertAuthorityError) -> UInt64? {
        try await all().first { placed in
            if case .issuance(let certificate) = placed.entry.event {
                isMeant(certificate.fields)
            } else {
                false
            }
        }?.index
    }

    public func revocations() async throws(CertAuthorityError) -> [PlacedEntry] {
        try await all().filter { if case .revocation = $0.entry.event { true } else { false } }
    }

    private func all() async throws(CertAuthorityError) -> [PlacedEntry] {
        var all: [PlacedEntry] = []
        for (index, bytes) in await encodedEntries().enumerated() {
            all.append(PlacedEntry(index: UInt64(index), entry: try LogEntry(encoded: bytes.span)))
        }
        return all
    }
}
