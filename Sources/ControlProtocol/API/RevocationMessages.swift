// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What is to be revoked (`POST /v1/revocations`).
public struct RevocationRequest: Sendable, Hashable {
    public var serials: [UInt64] = []
    public var keyIDs: [String] = []
    public var keys: [PublicKey] = []
    /// Identities: their certificates, and their sessions with the control plane.
    public var people: [String] = []
    /// `HOST/SESSION`: the certificates that opened these sessions.
    public var sessions: [String] = []
    public var reason: String

    public init(reason: String) { self.reason = reason }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("serials", .array(serials.map { .string(String($0)) }))
        members.add("keyIds", .array(keyIDs.map(JSONValue.string)))
        members.add("keys", .array(keys.map { .string($0.text) }))
        members.add("people", .array(people.map(JSONValue.string)))
        members.add("sessions", .array(sessions.map(JSONValue.string)))
        members.add("reason", reason)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "revocation")
        for text in try fields.takeTexts("serials") ?? [] {
            guard let serial = UInt64(text), String(serial) == text else {
                throw fields.wrong("serials", "numbers of 64 bits in texts")
            }
            serials.append(serial)
        }
        keyIDs = try fields.takeTexts("keyIds") ?? []
        for line in try fields.takeTexts("keys") ?? [] {
            do {
                keys.append(try PublicKeyLine(line).content.plainKey("key"))
            } catch {
                throw ControlProtocolError(.invalidValue, "revocation: keys: \(error.reason)")
            }
        }
        people = try fields.takeTexts("people") ?? []
        sessions = try fields.takeTexts("sessions") ?? []
        reason = try fields.needText("reason")
        try fields.finish()
    }
}

/// What became of a revocation.
public struct RevocationAnswer: Sendable, Hashable {
    /// A host that does not have the list yet.
    public struct Pending: Sendable, Hashable {
        public var host: String
        public var reason: String

        public init(host: String, reason: String) {
            self.host = host
            self.reason = reason
        }
    }

    /// What was revoked, one line each.
    public var revoked: [String]
    /// The version of the list that says so; 0 where there is none.
    public var version: UInt64
    /// The hosts that have the list in place, by id.
    public var acknowledged: [String]
    public var pending: [Pending]

    public init(revoked: [String], version: UInt64, acknowledged: [String], pending: [Pending]) {
        self.revoked = revoked
        self.version = version
        self.acknowledged = acknowledged
        self.pending = pending
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("revoked", .array(revoked.map(JSONValue.string)))
        members.add("version", Int64(clamping: version))
        members.add("acknowledged", .array(acknowledged.map(JSONValue.string)))
        members.add(
            "pending",
            .array(
                pending.map {
                    .object([.init("host", .string($0.host)), .init("reason", .string($0.reason))])
                }))
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "revocation answer")
        revoked = try fields.takeTexts("revoked") ?? []
        version = try fields.needCount("version")
        acknowledged = try fields.takeTexts("acknowledged") ?? []
        pending = []
        for item in try fields.takeArray("pending") ?? [] {
            var entry = try JSONFields(item, "pending host")
            pending.append(
                Pending(host: try entry.needText("host"), reason: try entry.needText("reason")))
        }
    }
}
