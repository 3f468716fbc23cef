// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

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
