// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

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
