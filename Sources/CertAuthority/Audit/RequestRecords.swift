// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Somebody asked for access that others have to approve; the entry's requester is whom it is for.
public struct RequestRecord: Sendable, Hashable {
    /// The request's id.
    public let request: ExactText
    /// Whose session asked; its public name.
    public let session: ExactText
    /// Where it came from; empty when that isn't known.
    public let sourceAddress: ExactText
    /// SHA-256 of the policy file by which it was taken, 32 bytes.
    public let policyDigest: [UInt8]
    /// Whether it is granted without approval, and until when, in seconds since 1970; 0 where it waits.
    public let grantedUntil: UnixTime
    /// All that was asked for: what is signed by whoever approves it.
    public let text: ExactText

    /// The longest text, in bytes: 64 hosts, 5 permissions, and a command, a reason and a ticket of the greatest
    /// lengths, with an RSA-16384 key.
    static let maximumTextBytes = 24 << 10

    public init(
        request: ExactText, session: ExactText, sourceAddress: ExactText, policyDigest: [UInt8],
        grantedUntil: UnixTime, text: ExactText
    ) {
        self.request = request
        self.session = session
        self.sourceAddress = sourceAddress
        self.policyDigest = policyDigest
        self.grantedUntil = grantedUntil
        self.text = text
    }
}

/// What somebody did to a request, or to the grant that came of it; the entry's requester is who.
public struct ApprovalRecord: Sendable, Hashable {
    /// What they did.
    public enum Change: UInt8, Sendable, CaseIterable {
        case approved = 1
        case denied = 2
        /// Whoever had asked took it back before it was granted.
        case withdrawn = 3
        /// The grant was taken back.
        case revoked = 4
        /// Somebody else has looked at access without approval.
        case reviewed = 5
        /// They were not let decide over it.
        case refused = 6

        /// "approved", "denied", "withdrawn", "revoked", "reviewed" or "refused".
        public var name: String {
            switch self {
            case .approved: "approved"
            case .denied: "denied"
            case .withdrawn: "withdrawn"
            case .revoked: "revoked"
            case .reviewed: "reviewed"
            case .refused: "refused"
            }
        }
    }

    public let change: Change
    /// The request's id.
    public let request: ExactText
    /// Whose request it is.
    public let person: Identity
    /// Whose session did it; its public name.
    public let session: ExactText
    public let sourceAddress: ExactText
    /// Until when it is granted, in seconds since 1970; 0 where it isn't, or more approvals are needed.
    public let grantedUntil: UnixTime
    /// What was signed; empty where nothing was.
    public let text: ExactText
    /// The SSHSIG signature over it, without armour; empty where nothing was signed.
    public let signature: [UInt8]
    /// Why, in their words; may be empty.
    public let reason: ExactText

    public init(
        change: Change, request: ExactText, person: Identity, session: ExactText, sourceAddress: ExactText,
        grantedUntil: UnixTime, text: ExactText, signature: [UInt8], reason: ExactText
    ) {
        self.change = change
        self.request = request
        self.person = person
        self.session = session
        self.sourceAddress = sourceAddress
        self.grantedUntil = grantedUntil
        self.text = text
        self.signature = signature
        self.reason = reason
    }
}

/// The encodings (docs/formats/log-entry.md).
extension RequestRecord {
    func write(to writer: inout WireWriter) {
        for text in [request, session, sourceAddress] { writer.writeString(text) }
        writer.writeString(policyDigest)
        writer.write(grantedUntil.seconds)
        writer.writeString(text)
    }

    init(from reader: inout WireReader) throws(SSHWireError) {
        request = try reader.readText("request", upTo: 64)
        session = try reader.readText("session", upTo: 64)
        sourceAddress = try reader.readText("source address", upTo: 64)
        policyDigest = try reader.readBytes("policy digest", upTo: 32)
        guard policyDigest.count == 32 else {
            throw SSHWireError(.truncated, "policy digest: \(policyDigest.count) bytes, 32 expected")
        }
        grantedUntil = UnixTime(seconds: try reader.readUInt64("granted until"))
        text = try reader.readText("text", upTo: Self.maximumTextBytes)
    }
}

extension ApprovalRecord {
    func write(to writer: inout WireWriter) {
        writer.write(change.rawValue)
        writer.writeString(request)
        writer.writeString(person.text)
        writer.writeString(session)
        writer.writeString(sourceAddress)
        writer.write(grantedUntil.seconds)
        writer.writeString(text)
        writer.writeString(signature)
        writer.writeString(reason)
    }

    init(from reader: inout WireReader) throws(SSHWireError) {
        let number = try reader.readUInt8("change of a request")
        guard let change = Change(rawValue: number) else {
            throw SSHWireError(.unsupportedType, "change \(number) of a request is not known")
        }
        self.change = change
        request = try reader.readText("request", upTo: 64)
        person = try reader.readIdentity("person")
        session = try reader.readText("session", upTo: 64)
        sourceAddress = try reader.readText("source address", upTo: 64)
        grantedUntil = UnixTime(seconds: try reader.readUInt64("granted until"))
        text = try reader.readText("text", upTo: RequestRecord.maximumTextBytes)
        signature = try reader.readBytes("signature", upTo: Limits.sshSignatureBytes)
        reason = try reader.readText("reason", upTo: 1_024)
    }
}
