// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Somebody's session with the control plane: who they are, for how long that holds, and the key that must sign every
/// request.
public struct LoginSession: Sendable, Hashable {
    /// Its public name: 32 hexadecimal digits. It opens nothing without the key.
    public let id: String
    public let person: Person
    /// The Ed25519 key that the session is bound to.
    public let key: PublicKey
    /// The fingerprint of the enrolled key that proved who they are, or ``APIKey/credential``; nil where a provider did.
    /// When that key goes, the session goes.
    public let credential: String?
    /// Where it was started from, as text; empty when that isn't known.
    public let sourceAddress: String
    public let created: UnixTime
    /// When it ends by itself.
    public let expires: UnixTime

    public init(
        id: String, person: Person, key: PublicKey, credential: String?, sourceAddress: String,
        created: UnixTime, expires: UnixTime
    ) {
        self.id = id
        self.person = person
        self.key = key
        self.credential = credential
        self.sourceAddress = sourceAddress
        self.created = created
        self.expires = expires
    }
}

/// An SSH key by which somebody may log in.
public struct EnrolledKey: Sendable, Hashable {
    public let key: PublicKey
    /// Whose it is. One identity may have several keys, one key has one identity.
    public let identity: Identity
    /// Facts for the policy, vouched for by whoever enrolled it.
    public let email: String?
    public let groups: [String]
    /// When it was enrolled.
    public let added: UnixTime

    /// The most groups of one key, and the most bytes of each and of the e-mail address.
    public static let maximumGroups = 64
    public static let maximumTextBytes = 256

    /// - Throws: `.invalidRequest` naming the field.
    public init(
        key: PublicKey, identity: Identity, email: String? = nil, groups: [String] = [], added: UnixTime
    ) throws(CertAuthorityError) {
        if let email { try checkText(email, field: "email", maximumBytes: Self.maximumTextBytes) }
        guard groups.count <= Self.maximumGroups else {
            throw CertAuthorityError(
                .invalidRequest, "groups: \(groups.count), at most \(Self.maximumGroups) are allowed")
        }
        for group in groups { try checkText(group, field: "group", maximumBytes: Self.maximumTextBytes) }
        self.key = key
        self.identity = identity
        self.email = email
        self.groups = groups
        self.added = added
    }
}
