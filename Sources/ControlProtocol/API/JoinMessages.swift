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

/// A host's new key (`POST /v1/hosts/key`), which the host asks for with a token by the key that it has.
public struct HostKeyChange: Sendable {
    public var key: JSONWebKey
    /// A token by the new key, as ``HostToken`` makes one for this server: that it is in the same hands.
    public var proof: String

    /// The most bytes of a request's body.
    public static let maximumBytes = 16 << 10

    public init(key: JSONWebKey, proof: String) {
        self.key = key
        self.proof = proof
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("publicJwk", key.value)
        members.add("proof", proof)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "host key")
        key = try JSONWebKey(try fields.need("publicJwk", fields.take("publicJwk")))
        proof = try fields.needText("proof")
        try fields.finish()
    }
}
