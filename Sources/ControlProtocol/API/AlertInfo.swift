// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// An entry of the log that somebody should look at (`GET /v1/alerts`).
public struct AlertInfo: Sendable, Hashable {
    /// The entry's place in the log.
    public var index: UInt64
    /// When it was recorded, in milliseconds since 1970.
    public var recorded: UInt64
    /// What it is about: "never-issued", "host-silent", ….
    public var event: String
    /// The host's id; empty where it is about none, or several.
    public var host: String
    /// What happened, in one line.
    public var text: String
    /// What else is known, by name.
    public var fields: [ChainInfo.Fact]

    public init(
        index: UInt64, recorded: UInt64, event: String, host: String, text: String, fields: [ChainInfo.Fact]
    ) {
        self.index = index
        self.recorded = recorded
        self.event = event
        self.host = host
        self.text = text
        self.fields = fields
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("index", Int64(clamping: index))
        members.add("recorded", Int64(clamping: recorded))
        members.add("event", event)
        members.add("host", host)
        members.add("text", text)
        members.add("fields", .object(fields.map { .init($0.name, .string($0.value)) }))
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "alert")
        index = try fields.needCount("index")
        recorded = try fields.needCount("recorded")
        event = try fields.needText("event")
        host = try fields.needText("host")
        text = try fields.needText("text")
        guard case .object(let members)? = fields.take("fields") else {
            throw fields.wrong("fields", "an object of texts")
        }
        self.fields = []
        for member in members {
            guard let value = member.value.string else { throw fields.wrong("fields", "an object of texts") }
            self.fields.append(ChainInfo.Fact(name: member.name, value: value))
        }
        try fields.finish()
    }
}
