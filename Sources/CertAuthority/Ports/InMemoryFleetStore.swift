// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A fleet store that forgets everything when its process ends: for tests.
public actor InMemoryFleetStore: FleetStore {
    private let encodedEntries: @Sendable () async -> [[UInt8]]
    private var tokens: [String: JoinToken] = [:]
    private var known: [String: EnrolledHost] = [:]
    /// By host and login.
    private var entrances: [[String]: HostPrincipals] = [:]

    /// - Parameter entries: the log's, in order.
    public init(entries: @escaping @Sendable () async -> [[UInt8]]) { encodedEntries = entries }

    public func joinTokens() -> [JoinToken] { Array(tokens.values) }

    public func add(_ token: JoinToken) throws(CertAuthorityError) {
        guard tokens[token.id] == nil else { throw .joinTokenIsThere(token.id) }
        tokens[token.id] = token
    }

    public func removeJoinTokens(_ ids: [String]) { for id in ids { tokens[id] = nil } }

    public func enrolledHosts() -> [EnrolledHost] { Array(known.values) }

    public func enrol(_ host: EnrolledHost, spending token: String?) throws(CertAuthorityError) {
        if let token, tokens[token] == nil { throw .joinTokenIsGone }
        guard !known.values.contains(where: { $0.clientID == host.clientID && $0.id != host.id }) else {
            throw .clientIDIsTaken(host.clientID)
        }
        if let token { tokens[token] = nil }
        known[host.id] = host
    }

    public func removeEnrolledHost(id: String) { known[id] = nil }

    public func principals() -> [HostPrincipals] { Array(entrances.values) }

    public func set(_ principals: HostPrincipals) {
        entrances[[principals.host, principals.login]] = principals
    }

    public func removePrincipals(host: String, login: String?) {
        entrances = entrances.filter { $0.key[0] != host || login != nil && $0.key[1] != login }
    }

    public func recordPlaces() async throws(CertAuthorityError) -> [String: RecordPlace] {
        var places: [String: RecordPlace] = [:]
        for (_, entry) in try await entries() {
            guard case .hostEvent(let record) = entry.event else { continue }
            places[record.host.string] = RecordPlace(sequence: record.sequence, hash: record.recordHash)
        }
        return places
    }

    public func issuance(serial: UInt64) async throws(CertAuthorityError) -> (
        certificate: UnsignedCertificate, index: UInt64
    )? {
        for (index, entry) in try await entries() {
            if case .issuance(let certificate) = entry.event, certificate.fields.serial == serial {
                return (certificate, index)
            }
        }
        return nil
    }

    public func issuances(keyID: String) async throws(CertAuthorityError) -> [UnsignedCertificate] {
        try await issuances { $0.fields.keyID == ExactText(keyID) }
    }

    public func issuances(
        of identity: Identity, endingAfter time: UnixTime
    ) async throws(CertAuthorityError) -> [UnsignedCertificate] {
        try await issuances {
            $0.fields.kind == .user && $0.fields.validBefore > time
                && Array($0.fields.keyID.string.utf8).starts(with: Array("\(identity)#".utf8))
        }
    }

    private func issuances(
        where isWanted: (UnsignedCertificate) -> Bool
    ) async throws(CertAuthorityError) -> [UnsignedCertificate] {
        try await entries().compactMap { _, entry in
            if case .issuance(let certificate) = entry.event, isWanted(certificate) {
                certificate
            } else {
                nil
            }
        }
    }

    public func revoked() async throws(CertAuthorityError) -> [RevocationRecord] {
        try await entries().compactMap { _, entry in
            if case .revocation(let record) = entry.event { record } else { nil }
        }
    }

    public func trust() async throws(CertAuthorityError) -> FleetTrustRecord? {
        for (_, entry) in try await entries().reversed() {
            if case .fleetTrust(let record) = entry.event { return record }
        }
        return nil
    }

    public func hostCertificates(of identity: Identity) async throws(CertAuthorityError)
        -> [UnsignedCertificate]
    {
        let name = Array("\(identity)#".utf8)
        let found = try await issuances {
            $0.fields.kind == .host && Array($0.fields.keyID.string.utf8).starts(with: name)
        }
        return Array(found.reversed().prefix(Self.maximumHostCertificates))
    }

    public func hostEvents(
        _ filter: HostEventFilter, before: UInt64?, limit: Int
    ) async throws(CertAuthorityError) -> [(index: UInt64, milliseconds: UInt64, event: HostEventRecord)] {
        var found: [(index: UInt64, milliseconds: UInt64, event: HostEventRecord)] = []
        for (index, entry) in try await entries().reversed() where index < before ?? UInt64.max {
            guard case .hostEvent(let record) = entry.event, filter.wants(record, at: entry.milliseconds)
            else { continue }
            found.append((index, entry.milliseconds, record))
            if found.count == limit { break }
        }
        return found
    }

    private func entries() async throws(CertAuthorityError) -> [(index: UInt64, entry: LogEntry)] {
        var entries: [(index: UInt64, entry: LogEntry)] = []
        for (index, bytes) in await encodedEntries().enumerated() {
            entries.append((UInt64(index), try LogEntry(encoded: bytes.span)))
        }
        return entries
    }
}

extension HostEventFilter {
    fileprivate func wants(_ record: HostEventRecord, at milliseconds: UInt64) -> Bool {
        if let host, record.host != ExactText(host) { return false }
        if let who, record.who != who, record.account != ExactText(who) { return false }
        if let session, record.session != ExactText(session) { return false }
        if let since, milliseconds < since { return false }
        return !alertsOnly || record.isAlert
    }
}

/// What every fleet store says of a conflict.
extension CertAuthorityError {
    public static func joinTokenIsThere(_ id: String) -> CertAuthorityError {
        CertAuthorityError(.conflict, "there is a join token \(id) already")
    }

    public static var joinTokenIsGone: CertAuthorityError {
        CertAuthorityError(.conflict, "the join token was used meanwhile")
    }

    public static func clientIDIsTaken(_ id: String) -> CertAuthorityError {
        CertAuthorityError(.conflict, "the client id \(id) is another host's")
    }
}
