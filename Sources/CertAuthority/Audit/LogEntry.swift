// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// One fact of the authority's log: who, when, what (docs/formats/log-entry.md).
public struct LogEntry: Sendable, Hashable {
    /// When it was recorded, in milliseconds since 1970.
    public let milliseconds: UInt64
    /// Who asked for it.
    public let requester: Identity
    /// What happened.
    public let event: Event

    /// What can happen.
    ///
    /// All but the frequent one are indirect: an entry of an issuance is handed on by its reference.
    public enum Event: Sendable, Hashable {
        /// A certificate is about to be signed.
        case issuance(UnsignedCertificate)
        /// Policy refused a request.
        indirect case refusal(RefusalRecord)
        /// Something is no longer to be trusted.
        indirect case revocation(RevocationRecord)
        /// A CA or log key was made, brought or changed.
        indirect case authority(AuthorityRecord)
        /// An operator went on from a database that had lost entries.
        indirect case recovery(RecoveryRecord)
        /// An access policy answered.
        indirect case decision(DecisionRecord)
        /// A session began or ended.
        indirect case login(LoginRecord)
        /// What decisions are made by was changed.
        indirect case change(ChangeRecord)
        /// A host reported something of a session.
        indirect case hostEvent(HostEventRecord)
        /// Somebody asked for access that others have to approve.
        indirect case request(RequestRecord)
        /// Somebody approved, refused or took back what was asked for.
        indirect case approval(ApprovalRecord)
        /// Somebody should look at something that is no login, or it is over.
        indirect case alert(AlertRecord)
        /// The fleet's root said which CAs hosts are to take.
        indirect case fleetTrust(FleetTrustRecord)
    }

    /// The most bytes of an entry: an entry bundle gives its length 16 bits (C2SP tlog-tiles).
    public static let maximumBytes = 65_535

    public init(milliseconds: UInt64, requester: Identity, event: Event) {
        self.milliseconds = milliseconds
        self.requester = requester
        self.event = event
    }
}

/// A request that policy refused.
public struct RefusalRecord: Sendable, Hashable {
    public let kind: CertificateKind
    public let identity: Identity
    /// The fingerprint of the key in question.
    public let keyFingerprint: ExactText
    public let principals: [ExactText]
    /// At least one.
    public let reasons: [ExactText]
}

/// What is revoked, and why.
public struct RevocationRecord: Sendable, Hashable {
    /// What is revoked.
    public enum Target: Sendable, Hashable {
        /// One certificate of one authority.
        case serial(UInt64, authority: PublicKey)
        /// Every certificate of one authority with this key ID.
        case keyID(ExactText, authority: PublicKey)
        /// A key, bare or in any certificate.
        case key(PublicKey)
    }

    public let target: Target
    /// When the last certificate that it concerns ends; nil when that isn't known or it has no end.
    public let expires: UnixTime?
    /// Why, for people.
    public let reason: ExactText

    /// - Throws: `.invalidRequest` for serial 0, which no revocation list can name, for a key ID that is empty, over
    ///   ``SSHWire/Limits/keyIDBytes`` or holds NUL, and for a reason that is not 1 to 1,024 bytes in one line.
    public init(target: Target, expires: UnixTime?, reason: String) throws(CertAuthorityError) {
        try checkText(reason, field: "reason", maximumBytes: 1_024)
        switch target {
        case .serial(let serial, _):
            guard serial != 0 else {
                throw CertAuthorityError(
                    .invalidRequest, "serial 0: a revocation list can't name it",
                    hint: "revoke its key instead")
            }
        case .keyID(let keyID, _):
            let count = keyID.string.utf8.count
            guard (1...Limits.keyIDBytes).contains(count), !keyID.string.utf8.contains(0) else {
                throw CertAuthorityError(
                    .invalidRequest, "key ID: \(count) bytes, 1 to \(Limits.keyIDBytes) without NUL expected")
            }
        case .key: break
        }
        self.target = target
        self.expires = expires == .forever ? nil : expires
        self.reason = ExactText(reason)
    }

    /// A record as it was read.
    init(uncheckedTarget target: Target, expires: UnixTime?, reason: ExactText) {
        self.target = target
        self.expires = expires
        self.reason = reason
    }
}

/// What became of one of the authority's own keys.
public struct AuthorityRecord: Sendable, Hashable {
    /// What became of it.
    public enum Change: UInt8, Sendable, CaseIterable {
        case created = 1
        case imported = 2
        /// It lives in an ssh-agent.
        case entrusted = 3
    }

    public let change: Change
    public let role: AuthorityRole
    public let key: PublicKey

    public init(change: Change, role: AuthorityRole, key: PublicKey) {
        self.change = change
        self.role = role
        self.key = key
    }
}

/// What an authority's key is for.
public enum AuthorityRole: UInt8, Sendable, CaseIterable {
    /// Signs user certificates.
    case user = 1
    /// Signs host certificates.
    case host = 2
    /// Signs the log's checkpoints.
    case log = 3

    /// "user", "host" or "log".
    public var name: String {
        switch self {
        case .user: "user"
        case .host: "host"
        case .log: "log"
        }
    }
}

/// An admission that entries are lost: the log was longer once.
public struct RecoveryRecord: Sendable, Hashable {
    /// The size of the log that the last known checkpoint vouches for.
    public let knownSize: UInt64
    /// The root hash that it vouches for, 32 bytes.
    public let knownRoot: [UInt8]

    public init(knownSize: UInt64, knownRoot: [UInt8]) {
        self.knownSize = knownSize
        self.knownRoot = knownRoot
    }
}
