// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Where the control plane keeps which hosts have joined, and how far their records have come.
///
/// Every change is durable when the call returns, or has not happened. Text is kept and compared byte by byte.
public protocol FleetStore: Sendable {
    func joinTokens() async throws(CertAuthorityError) -> [JoinToken]
    /// - Throws: `.conflict` when there is one of its id.
    func add(_ token: JoinToken) async throws(CertAuthorityError)
    /// Takes tokens away; ids that there aren't do no harm.
    func removeJoinTokens(_ ids: [String]) async throws(CertAuthorityError)

    func enrolledHosts() async throws(CertAuthorityError) -> [EnrolledHost]
    /// Takes the token away, if there is one to be spent, and adds the host, or puts it in the place of the one with its
    /// id: both or neither.
    ///
    /// - Parameter token: the token's id; nil where an administrator's word is enough.
    /// - Throws: `.conflict` when the token is gone, and when another host has the client id.
    func enrol(_ host: EnrolledHost, spending token: String?) async throws(CertAuthorityError)
    /// Forgets a host's key; nothing happens when there is none.
    func removeEnrolledHost(id: String) async throws(CertAuthorityError)

    /// Who may enter accounts of hosts, as administrators say.
    func principals() async throws(CertAuthorityError) -> [HostPrincipals]
    /// Keeps it, in the place of what was said of the account before.
    func set(_ principals: HostPrincipals) async throws(CertAuthorityError)
    /// Forgets what was said of an account, or of all of the host where `login` is nil; nothing happens when there is none.
    func removePrincipals(host: String, login: String?) async throws(CertAuthorityError)

    /// The newest record of each host that the log has, by the host's id.
    func recordPlaces() async throws(CertAuthorityError) -> [String: RecordPlace]
    /// The issuance of a serial, and its place in the log; nil when there is none.
    func issuance(serial: UInt64) async throws(CertAuthorityError) -> (
        certificate: UnsignedCertificate, index: UInt64
    )?
    /// The certificates that were issued with a key ID, in order.
    func issuances(keyID: String) async throws(CertAuthorityError) -> [UnsignedCertificate]
    /// The user certificates that were issued to somebody and end after `time`, in order.
    func issuances(of identity: Identity, endingAfter time: UnixTime) async throws(CertAuthorityError)
        -> [UnsignedCertificate]
    /// What was revoked until now.
    func revoked() async throws(CertAuthorityError) -> [RevocationRecord]
    /// The newest statement of the fleet's root; nil when there is none.
    func trust() async throws(CertAuthorityError) -> FleetTrustRecord?
    /// The host certificates that were issued to a host of this name, newest first, at most
    /// ``maximumHostCertificates``.
    func hostCertificates(of identity: Identity) async throws(CertAuthorityError) -> [UnsignedCertificate]
    /// What hosts reported, newest first.
    ///
    /// - Parameter before: entries before this place in the log; nil for the newest.
    func hostEvents(_ filter: HostEventFilter, before: UInt64?, limit: Int) async throws(CertAuthorityError)
        -> [(index: UInt64, milliseconds: UInt64, event: HostEventRecord)]
}

extension FleetStore {
    /// How many certificates of a host are looked back upon.
    public static var maximumHostCertificates: Int { 100 }
}

/// Which reports of hosts are wanted.
public struct HostEventFilter: Sendable, Hashable {
    /// The host's id.
    public var host: String?
    /// Whose certificate it was, or the account's name.
    public var who: String?
    /// Not before, in milliseconds since 1970 by the log's clock.
    public var since: UInt64?
    /// The session's name on the host.
    public var session: String?
    /// Only what raised an alert.
    public var alertsOnly = false

    public init() {}
}
