// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Where alerts are found again, and how far each webhook has got.
///
/// Alerts are entries of the log: a store finds them without reading the others. How far a webhook has got is durable
/// when the call returns. Every implementation passes one conformance suite.
public protocol AlertStore: Sendable {
    /// The alerts at or behind a place in the log, in order.
    func alerts(from place: UInt64, limit: Int) async throws(CertAuthorityError) -> [Alert]
    /// The alerts before a place in the log, newest first; nil for the newest of all.
    func alerts(before place: UInt64?, limit: Int) async throws(CertAuthorityError) -> [Alert]
    /// How many alerts of these events there are at or behind a place in the log.
    func alertCount(from place: UInt64, of events: Set<AlertEvent>) async throws(CertAuthorityError) -> Int
    /// What began and is not over: the newest entry of each host and subject, where it says so.
    func openConditions() async throws(CertAuthorityError) -> [OpenCondition]

    /// How many entries the log has.
    func logSize() async throws(CertAuthorityError) -> UInt64
    /// Where a webhook goes on; nil for one that is new.
    func deliveryPlace(of webhook: String) async throws(CertAuthorityError) -> UInt64?
    /// Keeps that a webhook has got what stands before a place in the log.
    ///
    /// - Parameter webhook: its name in the store; nothing secret.
    func setDeliveryPlace(_ place: UInt64, of webhook: String) async throws(CertAuthorityError)
}

/// Something about a host that began and is not over.
public struct OpenCondition: Sendable, Hashable {
    public let host: String
    public let subject: AlertRecord.Subject
    /// When it was recorded, in milliseconds since 1970.
    public let recorded: UInt64
    /// Since when it has been so, in milliseconds since 1970.
    public let since: UInt64

    public init(host: String, subject: AlertRecord.Subject, recorded: UInt64, since: UInt64) {
        self.host = host
        self.subject = subject
        self.recorded = recorded
        self.since = since
    }
}
