// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Somebody's request for access that a rule gives only with others' approval, and what became of it.
///
/// What is asked for never changes. Whoever approves it signs its text (``text(origin:)``), so an approval is good for
/// this request and nothing else.
public struct GrantRequest: Sendable, Hashable {
    /// 32 hexadecimal digits.
    public let id: String
    /// Who asks, and for whom it is.
    public let person: Identity
    /// The ids of the hosts, sorted: 1 to ``maximumHosts``. What a label meant when it was asked for.
    public let hosts: [String]
    /// The account on them.
    public let login: String
    /// Whether the account shall be able to use sudo.
    public let wantsSudo: Bool
    /// What sshd is to permit; the most that a certificate under the grant has.
    public let permissions: Set<Permission>
    /// The only command.
    public let forceCommand: String?
    /// The only key that may be certified; any of the person's if nil.
    public let key: PublicKey?
    /// For how long, from the approval on, in seconds.
    public let duration: UInt64
    /// Why, in the person's words: one line.
    public let reason: String
    /// What it is about elsewhere, for example in a tracker.
    public let ticket: String?
    /// The rule that gives it, once it is approved.
    public let rule: String
    /// Whether the person passed without approval, as the policy lets them in an emergency.
    public let isBreakGlass: Bool
    public let created: UnixTime
    /// Until when it waits for approval.
    public let expires: UnixTime

    /// In the order in which they were given.
    public var approvals: [Approval] = []
    /// From when until when it is granted; nil where it isn't, or not yet.
    public var window: Window?
    /// Who ended it before its time.
    public var end: End?
    /// What has to be looked at afterwards; of a grant without approval alone.
    public var review: Review?
    /// The certificates that were issued under it and have not expired.
    public var certificates: [IssuedUnder] = []

    /// The most hosts of one request: their list is read by whoever approves.
    public static let maximumHosts = 64
    /// The longest ticket, in bytes.
    public static let maximumTicketBytes = 256
    /// The most requests of one person that wait or are granted.
    public static let maximumOpen = 100
    /// The most that are kept, ended ones among them: some 20 MB in memory.
    public static let maximumCount = 10_000
    /// For how long one that has ended is still shown, in seconds: the log has it for good.
    public static let keptSeconds: UInt64 = 30 * 86_400
    /// The most certificates of one grant that are known; the oldest are forgotten, and end by themselves.
    public static let maximumCertificates = 1_000

    /// What became of it.
    public enum Status: String, Sendable, CaseIterable {
        /// It waits for approval.
        case pending
        /// It is granted, and its time is not up.
        case approved
        /// Somebody who may approve it said no.
        case denied
        /// Whoever asked took it back.
        case withdrawn
        /// Nobody, or not everybody who was needed, approved it in time.
        case expired
        /// The grant was taken back before its time was up.
        case revoked
        /// The grant's time is up.
        case ended

        /// True while it may still open something.
        public var isOpen: Bool { self == .pending || self == .approved }
    }

    /// The time of a grant: from the first second on, until just before the second.
    public struct Window: Sendable, Hashable {
        public let from: UnixTime
        public let until: UnixTime

        public init(from: UnixTime, until: UnixTime) {
            self.from = from
            self.until = until
        }
    }

    /// How a request or grant ended before its time.
    public struct End: Sendable, Hashable {
        public let status: Status
        public let by: Identity
        public let at: UnixTime
        /// One line; may be empty.
        public let reason: String
        /// Whether it is kept and in the log: access is taken first.
        public var isRecorded: Bool

        public init(
            status: Status, by: Identity, at: UnixTime, reason: String, isRecorded: Bool = false
        ) {
            self.status = status
            self.by = by
            self.at = at
            self.reason = reason
            self.isRecorded = isRecorded
        }
    }

    /// What somebody else has to say to access without approval.
    public struct Review: Sendable, Hashable {
        /// Nil while it is open.
        public var acknowledgedBy: Identity?
        public var at: UnixTime?
        /// What they found, in one line; may be empty.
        public var note: String

        public init(acknowledgedBy: Identity? = nil, at: UnixTime? = nil, note: String = "") {
            self.acknowledgedBy = acknowledgedBy
            self.at = at
            self.note = note
        }

        public var isOpen: Bool { acknowledgedBy == nil }
    }

    /// A certificate that a grant gave.
    public struct IssuedUnder: Sendable, Hashable {
        public let serial: UInt64
        public let expires: UnixTime

        public init(serial: UInt64, expires: UnixTime) {
            self.serial = serial
            self.expires = expires
        }
    }

    public init(
        id: String, person: Identity, hosts: [String], login: String, wantsSudo: Bool,
        permissions: Set<Permission>, forceCommand: String?, key: PublicKey?, duration: UInt64,
        reason: String,
        ticket: String?, rule: String, isBreakGlass: Bool, created: UnixTime, expires: UnixTime
    ) {
        self.id = id
        self.person = person
        self.hosts = hosts
        self.login = login
        self.wantsSudo = wantsSudo
        self.permissions = permissions
        self.forceCommand = forceCommand
        self.key = key
        self.duration = duration
        self.reason = reason
        self.ticket = ticket
        self.rule = rule
        self.isBreakGlass = isBreakGlass
        self.created = created
        self.expires = expires
    }

    /// Whether another one asks for the same, at another time.
    func asksTheSame(as other: GrantRequest) -> Bool {
        let one = GrantRequest(
            id: other.id, person: person, hosts: hosts, login: login, wantsSudo: wantsSudo,
            permissions: permissions, forceCommand: forceCommand, key: key, duration: duration,
            reason: reason,
            ticket: ticket, rule: rule, isBreakGlass: isBreakGlass, created: other.created,
            expires: other.expires)
        return one.text(origin: "") == other.text(origin: "")
    }

    /// What has become of it by `now`.
    public func status(at now: UnixTime) -> Status {
        if let end { return end.status }
        if let window { return now < window.until ? .approved : .ended }
        return now < expires ? .pending : .expired
    }

    /// When it was over; nil while it may still open something.
    func over(at now: UnixTime) -> UnixTime? {
        status(at: now).isOpen ? nil : end?.at ?? window?.until ?? expires
    }

    /// Whether it still has to be kept, whatever its age.
    func mustBeKept(at now: UnixTime) -> Bool {
        status(at: now).isOpen || review?.isOpen == true || end?.isRecorded == false
    }
}

/// Somebody's word that a request may be granted.
public struct Approval: Sendable, Hashable {
    /// Who, with what was known of them then.
    public let person: Person
    /// The fingerprint of the enrolled key that they had logged in by; nil where an identity provider vouched.
    public let credential: String?
    /// By an enrolled key of theirs, or by their session's; over ``GrantRequest/text(origin:)``.
    public let signature: SSHSignature
    /// Whether it is their session's key, which nobody knows any more once that is over.
    public let isBySessionKey: Bool
    /// Where it came from; nil when that isn't known.
    public let sourceAddress: IPAddress?
    public let at: UnixTime

    /// The SSHSIG namespace of approvals.
    public static let namespace: ExactText = "approval.daypass"

    public init(
        person: Person, credential: String?, signature: SSHSignature, isBySessionKey: Bool,
        sourceAddress: IPAddress?, at: UnixTime
    ) {
        self.person = person
        self.credential = credential
        self.signature = signature
        self.isBySessionKey = isBySessionKey
        self.sourceAddress = sourceAddress
        self.at = at
    }
}
