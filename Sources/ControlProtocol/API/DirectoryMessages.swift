// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A workload's API key as administrators see it (`GET /v1/api-keys`).
public struct APIKeyInfo: Sendable, Hashable {
    /// 16 hexadecimal digits.
    public var id: String
    public var name: String
    /// Whom it logs in.
    public var identity: String
    public var groups: [String]
    /// From where it may be used, as addresses and blocks of addresses; from anywhere if empty.
    public var sourceAddresses: [String]
    /// In seconds since 1970, as is `expires`.
    public var created: Int64
    /// Nil where it never expires.
    public var expires: Int64?
    /// What its holder shows. Only in the answer to its making.
    public var token: String?

    public init(
        id: String, name: String, identity: String, groups: [String], sourceAddresses: [String],
        created: Int64, expires: Int64?, token: String? = nil
    ) {
        self.id = id
        self.name = name
        self.identity = identity
        self.groups = groups
        self.sourceAddresses = sourceAddresses
        self.created = created
        self.expires = expires
        self.token = token
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("id", id)
        members.add("name", name)
        members.add("identity", identity)
        members.add("groups", .array(groups.map(JSONValue.string)))
        members.add("sourceAddresses", .array(sourceAddresses.map(JSONValue.string)))
        members.add("created", created)
        members.add("expires", expires)
        members.add("token", token)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "API key")
        id = try fields.needText("id")
        name = try fields.needText("name")
        identity = try fields.needText("identity")
        groups = try fields.takeTexts("groups") ?? []
        sourceAddresses = try fields.takeTexts("sourceAddresses") ?? []
        created = try fields.need("created", try fields.takeNumber("created"))
        expires = try fields.takeNumber("expires")
        token = try fields.takeText("token")
    }
}

/// An API key that is wanted (`POST /v1/api-keys`).
public struct NewAPIKey: Sendable, Hashable {
    public var name: String
    public var groups: [String]
    public var sourceAddresses: [String]
    /// For how long it is good, in seconds; nil for ever.
    public var lifetime: UInt64?

    public init(name: String, groups: [String], sourceAddresses: [String], lifetime: UInt64?) {
        self.name = name
        self.groups = groups
        self.sourceAddresses = sourceAddresses
        self.lifetime = lifetime
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("name", name)
        members.add("groups", .array(groups.map(JSONValue.string)))
        members.add("sourceAddresses", .array(sourceAddresses.map(JSONValue.string)))
        members.add("lifetime", lifetime.flatMap { Int64(exactly: $0) })
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "API key")
        name = try fields.needText("name")
        groups = try fields.takeTexts("groups") ?? []
        sourceAddresses = try fields.takeTexts("sourceAddresses") ?? []
        lifetime = try fields.takeNumber("lifetime", 1...Int64.max).map { UInt64($0) }
        try fields.finish()
    }
}

/// Whose an identity is (`GET /v1/identities`).
public struct IdentityBindingInfo: Sendable, Hashable {
    public var identity: String
    /// The identity provider that vouches for its owner.
    public var provider: String
    /// That provider's own name for them.
    public var subject: String
    /// In seconds since 1970.
    public var firstSeen: Int64

    public init(identity: String, provider: String, subject: String, firstSeen: Int64) {
        self.identity = identity
        self.provider = provider
        self.subject = subject
        self.firstSeen = firstSeen
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("identity", identity)
        members.add("provider", provider)
        members.add("subject", subject)
        members.add("firstSeen", firstSeen)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "identity binding")
        identity = try fields.needText("identity")
        provider = try fields.needText("provider")
        subject = try fields.needText("subject")
        firstSeen = try fields.takeNumber("firstSeen") ?? 0
    }
}
