// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// An alert store that forgets everything when its process ends: for tests.
public actor InMemoryAlertStore: AlertStore {
    private let encodedEntries: @Sendable () async -> [[UInt8]]
    private var places: [String: UInt64] = [:]

    /// - Parameter entries: the log's, in order.
    public init(entries: @escaping @Sendable () async -> [[UInt8]]) { encodedEntries = entries }

    public func alerts(from place: UInt64, limit: Int) async throws(CertAuthorityError) -> [Alert] {
        Array(try await all().filter { $0.index >= place }.prefix(limit))
    }

    public func alerts(before place: UInt64?, limit: Int) async throws(CertAuthorityError) -> [Alert] {
        Array(try await all().reversed().filter { $0.index < place ?? .max }.prefix(limit))
    }

    public func alertCount(
        from place: UInt64, of events: Set<AlertEvent>
    ) async throws(CertAuthorityError) -> Int {
        try await all().count { $0.index >= place && events.contains($0.event) }
    }

    public func openConditions() async throws(CertAuthorityError) -> [OpenCondition] {
        struct Key: Hashable {
            let host: ExactText
            let subject: AlertRecord.Subject
        }
        var open: [Key: OpenCondition] = [:]
        for bytes in await encodedEntries() {
            let entry = try LogEntry(encoded: bytes.span)
            guard case .alert(let record) = entry.event, record.subject.isLasting else { continue }
            open[Key(host: record.host, subject: record.subject)] =
                record.isPresent
                ? OpenCondition(
                    host: record.host.string, subject: record.subject, recorded: entry.milliseconds,
                    since: record.since) : nil
        }
        return Array(open.values)
    }

    public func logSize() async -> UInt64 { UInt64(await encodedEntries().count) }

    public func deliveryPlace(of webhook: String) -> UInt64? { places[webhook] }

    public func setDeliveryPlace(_ place: UInt64, of webhook: String) { places[webhook] = place }

    private func all() async throws(CertAuthorityError) -> [Alert] {
        var alerts: [Alert] = []
        for (index, bytes) in await encodedEntries().enumerated() {
            if let alert = Alert(UInt64(index), try LogEntry(encoded: bytes.span)) { alerts.append(alert) }
        }
        return alerts
    }
}
