// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A host that wants to join (`POST /v1/hosts/join`).
public struct JoinRequest: Sendable {
    /// What an administrator made for it: a secret.
    public var token: String
    /// What the host calls itself.
    public var hostname: String
    /// Its agent's key.
    public var key: JSONWebKey
    /// sshd's own keys.
    public var hostKeys: [PublicKey]

    /// The most bytes of a request's body.
    public static let maximumBytes = 32 << 10

    public init(token: String, hostname: String, key: JSONWebKey, hostKeys: [PublicKey]) {
        self.token = token
        self.hostname = hostname
        self.key = key
        self.hostKeys = hostKeys
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("token", token)
        members.add("hostname", hostname)
        members.add("publicJwk", key.value)
        members.add("hostKeys", .array(hostKeys.map { .string($0.text) }))
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "join request")
        token = try fields.needText("token")
        hostname = try fields.needText("hostname")
        key = try JSONWebKey(try fields.need("publicJwk", fields.take("publicJwk")))
        hostKeys = []
        for line in try fields.takeTexts("hostKeys") ?? [] {
            do {
                hostKeys.append(try PublicKeyLine(line).content.plainKey("host key"))
            } catch {
                throw ControlProtocolError(.invalidValue, "hostKeys: \(error.reason)")
            }
        }
        // A host's own idea of its labels opens no door: those of the token count.
        _ = fields.take("labels")
        try fields.finish()
    }
}

/// What a host that has joined needs to open its tunnel.
public struct JoinAnswer: Sendable, Hashable {
    /// What it calls itself in tokens.
    public var clientID: String
    /// Where the tunnel goes.
    public var tunnelURL: String
    /// The key that signs revocation lists; nil where the server sends none.
    public var revocationKey: PublicKey?
    /// The keys whose signature says which CAs the host takes; empty where the server knows none.
    public var fleetRoots: [PublicKey]

    public init(
        clientID: String, tunnelURL: String, revocationKey: PublicKey? = nil, fleetRoots: [PublicKey] = []
    ) {
        self.clientID = clientID
        self.tunnelURL = tunnelURL
        self.revocationKey = revocationKey
        self.fleetRoots = fleetRoots
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("clientId", clientID)
        members.add("tunnelUrl", tunnelURL)
        members.add("revocationKey", revocationKey?.text)
        if !fleetRoots.isEmpty { members.add("fleetRoots", .array(fleetRoots.map { .string($0.text) })) }
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "join answer")
        clientID = try fields.needText("clientId")
        tunnelURL = try fields.needText("tunnelUrl")
        if fields.has("revocationKey") { revocationKey = try fields.needKey("revocationKey") }
        fleetRoots = []
        for line in try fields.takeTexts("fleetRoots") ?? [] {
            do {
                fleetRoots.append(try PublicKeyLine(line).content.plainKey("fleet root"))
            } catch {
                throw ControlProtocolError(.invalidValue, "join answer: fleetRoots: \(error.reason)")
            }
        }
        // A newer server may say more.
    }
}

/// A token by which a host may join, as administrators make and see it.
public struct JoinTokenInfo: Sendable, Hashable {
    /// Its public name; nil in a wish.
    public var id: String?
    /// The token itself, in the answer to its making only.
    public var token: String?
    public var hostPattern: String
    public var labels: [String: String]
    /// How long it is good for, in seconds; in a wish only.
    public var lifetime: UInt64?
    /// When it ends, in seconds since 1970; nil in a wish.
    public var expires: UInt64?

    public init(
        id: String? = nil, token: String? = nil, hostPattern: String, labels: [String: String] = [:],
        lifetime: UInt64? = nil, expires: UInt64? = nil
    ) {
        self.id = id
        self.token = token
        self.hostPattern = hostPattern
        self.labels = labels
        self.lifetime = lifetime
        self.expires = expires
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("id", id)
        members.add("token", token)
        members.add("hostPattern", hostPattern)
        members.add(
            "labels", .object(labels.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }))
        members.add("lifetime", lifetime.flatMap { Int64(exactly: $0) })
        members.add("expires", expires.flatMap { Int64(exactly: $0) })
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "join token")
        id = try fields.takeText("id")
        token = try fields.takeText("token")
        hostPattern = try fields.needText("hostPattern")
        labels = try fields.takeLabels("labels")
        lifetime = try fields.takeNumber("lifetime").map { UInt64($0) }
        expires = try fields.takeNumber("expires").map { UInt64($0) }
        try fields.finish()
    }
}

/// A host's agent, as administrators see it.
public struct AgentInfo: Sendable, Hashable {
    /// The host's id.
    public var id: String
    public var clientID: String
    /// RFC 7638's thumbprint of its key.
    public var keyThumbprint: String
    /// Seconds since 1970.
    public var joined: UInt64
    /// When its tunnel was opened; nil while there is none.
    public var connected: UInt64?
    public var lastSeen: UInt64?
    /// The newest of its records that the log has.
    public var recorded: UInt64
    /// The version of the revocation list that it has in place, as far as the server has heard.
    public var revocations: UInt64?
    public var version: String?
    /// What is spoken on its tunnel, "daypass" or "p0"; nil while there is none.
    public var dialect: String?

    public init(
        id: String, clientID: String, keyThumbprint: String, joined: UInt64, connected: UInt64?,
        lastSeen: UInt64?, recorded: UInt64, revocations: UInt64?, version: String?, dialect: String? = nil
    ) {
        self.id = id
        self.clientID = clientID
        self.keyThumbprint = keyThumbprint
        self.joined = joined
        self.connected = connected
        self.lastSeen = lastSeen
        self.recorded = recorded
        self.revocations = revocations
        self.version = version
        self.dialect = dialect
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("id", id)
        members.add("clientId", clientID)
        members.add("keyThumbprint", keyThumbprint)
        members.add("joined", Int64(clamping: joined))
        members.add("connected", connected.map { Int64(clamping: $0) })
        members.add("lastSeen", lastSeen.map { Int64(clamping: $0) })
        members.add("recorded", Int64(clamping: recorded))
        members.add("revocations", revocations.map { Int64(clamping: $0) })
        members.add("version", version)
        members.add("protocol", dialect)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "agent")
        id = try fields.needText("id")
        clientID = try fields.needText("clientId")
        keyThumbprint = try fields.needText("keyThumbprint")
        joined = try fields.needCount("joined")
        connected = try fields.takeNumber("connected").map { UInt64($0) }
        lastSeen = try fields.takeNumber("lastSeen").map { UInt64($0) }
        recorded = try fields.needCount("recorded")
        revocations = try fields.takeNumber("revocations").map { UInt64($0) }
        version = try fields.takeText("version")
        dialect = try fields.takeText("protocol")
        try fields.finish()
    }
}

/// What a host reported of a session, and what the authority makes of it.
public struct HostEventInfo: Sendable, Hashable {
    /// The entry's place in the log.
    public var index: UInt64
    /// When the log got it, in milliseconds since 1970.
    public var recorded: UInt64
    /// When it happened, in milliseconds since 1970 by the host's clock.
    public var happened: UInt64
    public var host: String
    /// "opened", "closed", "refused", "killed" or "other".
    public var event: String
    public var session: String
    public var account: String
    /// Whose certificate it was; the account without one.
    public var who: String
    public var source: String
    public var method: String
    public var serial: UInt64
    /// How it relates to what was issued: "issued", "static key", "never issued", ….
    public var match: String
    public var isAlert: Bool
    /// Where the log has the certificate's issuance.
    public var issuance: UInt64?
    public var reason: String

    public init(
        index: UInt64, recorded: UInt64, happened: UInt64, host: String, event: String, session: String,
        account: String, who: String, source: String, method: String, serial: UInt64, match: String,
        isAlert: Bool, issuance: UInt64?, reason: String
    ) {
        self.index = index
        self.recorded = recorded
        self.happened = happened
        self.host = host
        self.event = event
        self.session = session
        self.account = account
        self.who = who
        self.source = source
        self.method = method
        self.serial = serial
        self.match = match
        self.isAlert = isAlert
        self.issuance = issuance
        self.reason = reason
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("index", Int64(clamping: index))
        members.add("recorded", Int64(clamping: recorded))
        members.add("happened", Int64(clamping: happened))
        members.add("host", host)
        members.add("event", event)
        members.add("session", session)
        members.add("account", account)
        members.add("who", who)
        members.add("source", source)
        members.add("method", method)
        // As a text: JSON's readers hold numbers to 53 bits.
        members.add("serial", String(serial))
        members.add("match", match)
        members.add("alert", .bool(isAlert))
        members.add("issuance", issuance.map { Int64(clamping: $0) })
        members.add("reason", reason)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "host event")
        index = try fields.needCount("index")
        recorded = try fields.needCount("recorded")
        happened = try fields.needCount("happened")
        host = try fields.needText("host")
        event = try fields.needText("event")
        session = try fields.needText("session")
        account = try fields.needText("account")
        who = try fields.needText("who")
        source = try fields.needText("source")
        method = try fields.needText("method")
        guard let serial = UInt64(try fields.needText("serial")) else {
            throw fields.wrong("serial", "a number of 64 bits in a text")
        }
        self.serial = serial
        match = try fields.needText("match")
        isAlert = try fields.need("alert", fields.take("alert")?.bool)
        issuance = try fields.takeNumber("issuance").map { UInt64($0) }
        reason = try fields.needText("reason")
        try fields.finish()
    }
}
