// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What a host's agent reported of a session, and what the authority makes of it.
public struct HostEventRecord: Sendable, Hashable {
    /// What happened.
    public enum Kind: UInt8, Sendable, CaseIterable {
        case opened = 1
        case closed = 2
        /// sshd did not let somebody in.
        case refused = 3
        /// The host's administrator, or the authority, ended a session.
        case killed = 4
        /// Something else of the host's records.
        case other = 5

        /// "opened", "closed", "refused", "killed" or "other".
        public var name: String {
            switch self {
            case .opened: "opened"
            case .closed: "closed"
            case .refused: "refused"
            case .killed: "killed"
            case .other: "other"
            }
        }
    }

    /// How a login relates to what was issued.
    public enum Match: UInt8, Sendable, CaseIterable {
        /// Nothing was to be matched.
        case none = 0
        /// The log has the issuance of exactly this certificate.
        case issued = 1
        /// A plain key, which no log has.
        case staticKey = 2
        /// A password or another method without a key.
        case noKey = 3
        /// Signed by this authority's key, and no issuance has its serial.
        case unknown = 4
        /// An issuance has its serial, and says something else.
        case different = 5
        /// Signed by another authority.
        case foreign = 6
        /// Issued, and used after it was revoked.
        case revoked = 7
        /// What sshd said of it could not be read.
        case unreadable = 8

        /// One word or two for people.
        public var name: String {
            switch self {
            case .none: "-"
            case .issued: "issued"
            case .staticKey: "static key"
            case .noKey: "no key"
            case .unknown: "never issued"
            case .different: "not as issued"
            case .foreign: "other authority"
            case .revoked: "revoked"
            case .unreadable: "unreadable"
            }
        }

        /// True for what somebody should look at.
        public var isAlert: Bool {
            switch self {
            case .none, .issued: false
            case .staticKey, .noKey, .unknown, .different, .foreign, .revoked, .unreadable: true
            }
        }
    }

    public let kind: Kind
    /// The host's id.
    public let host: ExactText
    /// The record's place among the host's own.
    public let sequence: UInt64
    /// SHA-256 of the record's line: the host keeps the line itself.
    public let recordHash: [UInt8]
    /// When it happened, in milliseconds since 1970 by the host's clock.
    public let happened: UInt64
    /// The session's name on the host; empty where there is none.
    public let session: ExactText
    public let account: ExactText
    /// Where the login came from; empty when that isn't known.
    public let sourceAddress: ExactText
    /// sshd's name of the method: "publickey", "password", ….
    public let method: ExactText
    /// The fingerprint of the key that somebody logged in with.
    public let keyFingerprint: ExactText
    /// The certificate's key ID; empty without one.
    public let keyID: ExactText
    /// The certificate's serial; 0 without one.
    public let serial: UInt64
    /// The fingerprint of the CA that signed it; empty without one.
    public let authority: ExactText
    public let match: Match
    /// The place of the certificate's issuance in the log, where there is one.
    public let issuance: UInt64?
    /// Why it ended or was refused; may be empty.
    public let reason: ExactText
    /// What is missing before the record, or was changed; empty where nothing is. Nil in entries of version 1, whose
    /// reason begins with `gap: ` then.
    public let gap: ExactText?

    public init(
        kind: Kind, host: ExactText, sequence: UInt64, recordHash: [UInt8], happened: UInt64,
        session: ExactText, account: ExactText, sourceAddress: ExactText, method: ExactText,
        keyFingerprint: ExactText, keyID: ExactText, serial: UInt64, authority: ExactText, match: Match,
        issuance: UInt64?, reason: ExactText, gap: ExactText? = ""
    ) {
        self.kind = kind
        self.host = host
        self.sequence = sequence
        self.recordHash = recordHash
        self.happened = happened
        self.session = session
        self.account = account
        self.sourceAddress = sourceAddress
        self.method = method
        self.keyFingerprint = keyFingerprint
        self.keyID = keyID
        self.serial = serial
        self.authority = authority
        self.match = match
        self.issuance = issuance
        self.reason = reason
        self.gap = gap
    }

    /// True where records are missing before this one, or were changed.
    public var hasGap: Bool { gap.map { !$0.isEmpty } ?? reason.string.hasPrefix("gap: ") }

    /// True for what somebody should look at.
    public var isAlert: Bool { match.isAlert || hasGap }

    /// Whose certificate it was: the key ID up to its last `#`; the account without one.
    public var who: String {
        let text = keyID.string
        guard !text.isEmpty else { return account.string }
        return text.utf8.lastIndex(of: UInt8(ascii: "#")).map { String(text[..<$0]) } ?? text
    }
}

/// The encoding (docs/formats/log-entry.md).
extension HostEventRecord {
    func write(to writer: inout WireWriter) {
        writer.write(kind.rawValue)
        writer.writeString(host)
        writer.write(sequence)
        writer.writeString(recordHash)
        writer.write(happened)
        for text in [session, account, sourceAddress, method, keyFingerprint, keyID] {
            writer.writeString(text)
        }
        writer.write(serial)
        writer.writeString(authority)
        writer.write(match.rawValue)
        writer.write(issuance ?? UInt64.max)
        writer.writeString(reason)
        if let gap { writer.writeString(gap) }
    }

    init(from reader: inout WireReader, version: UInt8) throws(SSHWireError) {
        let number = try reader.readUInt8("host event")
        guard let kind = Kind(rawValue: number) else {
            throw SSHWireError(.unsupportedType, "host event \(number) is not known")
        }
        self.kind = kind
        host = try reader.readText("host", upTo: 256)
        sequence = try reader.readUInt64("sequence")
        recordHash = try reader.readBytes("record hash", upTo: 32)
        guard recordHash.count == 32 else {
            throw SSHWireError(.truncated, "record hash: \(recordHash.count) bytes, 32 expected")
        }
        happened = try reader.readUInt64("time")
        session = try reader.readText("session", upTo: 64)
        account = try reader.readText("account", upTo: 256)
        sourceAddress = try reader.readText("source address", upTo: 64)
        method = try reader.readText("method", upTo: 256)
        keyFingerprint = try reader.readText("fingerprint", upTo: 256)
        keyID = try reader.readText("key ID", upTo: Limits.keyIDBytes)
        serial = try reader.readUInt64("serial")
        authority = try reader.readText("authority", upTo: 256)
        let match = try reader.readUInt8("match")
        guard let match = Match(rawValue: match) else {
            throw SSHWireError(.unsupportedType, "match \(match) is not known")
        }
        self.match = match
        let index = try reader.readUInt64("issuance")
        issuance = index == UInt64.max ? nil : index
        reason = try reader.readText("reason", upTo: 1_024)
        gap = version == 1 ? nil : try reader.readText("gap", upTo: 1_024)
    }
}
