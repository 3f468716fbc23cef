// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What a client must know before anybody logs in (`GET /v1/server`).
public struct ServerInfo: Sendable, Hashable {
    /// The program's version.
    public var version: String
    /// The log's name, which is the authority's too.
    public var origin: String
    /// The CA key of user certificates.
    public var userAuthority: PublicKey
    /// The CA key of host certificates.
    public var hostAuthority: PublicKey
    /// How people log in: `keys`, and the names of identity providers.
    public var loginMethods: [String]
    /// By which ways people sign in at each identity provider, the one that is to be preferred first: `code`, `page`,
    /// `device`. Others may come.
    public var signIn: [String: [String]]
    /// The patterns of host names for which the host CA speaks, as known_hosts has them.
    public var hostPatterns: [String]
    /// The log's key as a verifier key (C2SP signed-note); nil where the server is older than that.
    public var logKey: String?

    public init(
        version: String, origin: String, userAuthority: PublicKey, hostAuthority: PublicKey,
        loginMethods: [String], hostPatterns: [String], logKey: String? = nil,
        signIn: [String: [String]] = [:]
    ) {
        self.version = version
        self.origin = origin
        self.userAuthority = userAuthority
        self.hostAuthority = hostAuthority
        self.loginMethods = loginMethods
        self.hostPatterns = hostPatterns
        self.logKey = logKey
        self.signIn = signIn
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("version", version)
        members.add("origin", origin)
        members.add("userAuthority", userAuthority.text)
        members.add("hostAuthority", hostAuthority.text)
        members.add("loginMethods", .array(loginMethods.map(JSONValue.string)))
        members.add("hostPatterns", .array(hostPatterns.map(JSONValue.string)))
        members.add("logKey", logKey)
        let ways = signIn.sorted { $0.key < $1.key }.map { name, ways in
            JSONValue.Member(name, .array(ways.map(JSONValue.string)))
        }
        if !ways.isEmpty { members.add("signIn", .object(ways)) }
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "server")
        version = try fields.needText("version")
        origin = try fields.needText("origin")
        userAuthority = try fields.needKey("userAuthority")
        hostAuthority = try fields.needKey("hostAuthority")
        loginMethods = try fields.takeTexts("loginMethods") ?? []
        hostPatterns = try fields.takeTexts("hostPatterns") ?? []
        logKey = try fields.takeText("logKey")
        signIn = try fields.takeTextLists("signIn")
    }
}

/// A server's random text, to be signed by whoever logs in with an enrolled key (`POST /v1/login/challenge`).
public struct LoginChallenge: Sendable, Hashable {
    /// 43 characters of base64url.
    public var challenge: String
    /// When it can't be used any more, in seconds since 1970.
    public var expires: Int64

    /// The SSHSIG namespace of login signatures.
    public static let namespace = "login.daypass"

    public init(challenge: String, expires: Int64) {
        self.challenge = challenge
        self.expires = expires
    }

    /// What is signed: names the authority and the session's key, so that a signature can't be shown to another
    /// authority, nor start a session for somebody else's key.
    public static func message(challenge: String, origin: String, sessionKey: PublicKey) -> [UInt8] {
        Array("daypass login\norigin \(origin)\nchallenge \(challenge)\nkey \(sessionKey.text)\n".utf8)
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("challenge", challenge)
        members.add("expires", expires)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "challenge")
        challenge = try fields.needText("challenge")
        expires = try fields.need("expires", try fields.takeNumber("expires"))
        try fields.finish()
    }
}

/// A login by an enrolled key (`POST /v1/login/keys`).
public struct KeyLoginRequest: Sendable, Hashable {
    public var challenge: String
    /// The Ed25519 key that the session will be bound to.
    public var sessionKey: PublicKey
    /// An SSHSIG signature of ``LoginChallenge/message(challenge:origin:sessionKey:)`` by the enrolled key, armoured.
    public var signature: String

    public init(challenge: String, sessionKey: PublicKey, signature: String) {
        self.challenge = challenge
        self.sessionKey = sessionKey
        self.signature = signature
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("challenge", challenge)
        members.add("sessionKey", sessionKey.text)
        members.add("signature", signature)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "login")
        challenge = try fields.needText("challenge")
        sessionKey = try fields.needKey("sessionKey")
        signature = try fields.needText("signature")
        try fields.finish()
    }
}

/// A session with the control plane.
public struct SessionInfo: Sendable, Hashable {
    /// Its name. Worth nothing without its key.
    public var id: String
    public var identity: String
    public var provider: String
    public var email: String?
    public var groups: [String]
    /// Whether the policy counts this person among the administrators.
    public var isAdministrator: Bool
    /// The fingerprint of the session's key.
    public var keyFingerprint: String
    public var sourceAddress: String
    /// In seconds since 1970.
    public var created: Int64
    public var expires: Int64

    public init(
        id: String, identity: String, provider: String, email: String?, groups: [String],
        isAdministrator: Bool, keyFingerprint: String, sourceAddress: String, created: Int64, expires: Int64
    ) {
        self.id = id
        self.identity = identity
        self.provider = provider
        self.email = email
        self.groups = groups
        self.isAdministrator = isAdministrator
        self.keyFingerprint = keyFingerprint
        self.sourceAddress = sourceAddress
        self.created = created
        self.expires = expires
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("id", id)
        members.add("identity", identity)
        members.add("provider", provider)
        members.add("email", email)
        members.add("groups", .array(groups.map(JSONValue.string)))
        members.add("administrator", .bool(isAdministrator))
        members.add("keyFingerprint", keyFingerprint)
        members.add("sourceAddress", sourceAddress)
        members.add("created", created)
        members.add("expires", expires)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "session")
        id = try fields.needText("id")
        identity = try fields.needText("identity")
        provider = try fields.needText("provider")
        email = try fields.takeText("email")
        groups = try fields.takeTexts("groups") ?? []
        isAdministrator = fields.take("administrator")?.bool ?? false
        keyFingerprint = try fields.needText("keyFingerprint")
        sourceAddress = try fields.takeText("sourceAddress") ?? ""
        created = try fields.need("created", try fields.takeNumber("created"))
        expires = try fields.need("expires", try fields.takeNumber("expires"))
    }
}
