// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Who may enter an account of a host for good, and what the host has made of it (`GET /v1/hosts/{id}/principals`).
public struct HostPrincipalsInfo: Sendable, Hashable {
    /// The account's name.
    public var login: String
    /// Nobody enters by certificate where there are none.
    public var principals: [String]
    /// `pending`, `delivered`, `refused` or `unmanaged`.
    public var state: HostDelivery.State
    /// Why it is as it is; nil where there is nothing to say.
    public var reason: String?

    public init(login: String, principals: [String], state: HostDelivery.State, reason: String? = nil) {
        self.login = login
        self.principals = principals
        self.state = state
        self.reason = reason
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("login", login)
        members.add("principals", .array(principals.map(JSONValue.string)))
        members.add("state", state.rawValue)
        members.add("reason", reason)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "principals")
        login = try fields.needText("login")
        principals = try fields.takeTexts("principals") ?? []
        guard let state = HostDelivery.State(rawValue: try fields.needText("state")) else {
            throw fields.wrong("state", "pending, delivered, refused or unmanaged")
        }
        self.state = state
        reason = try fields.takeText("reason")
    }
}

/// Who is to enter an account (`PUT /v1/hosts/{id}/principals/{login}`).
public struct PrincipalsRequest: Sendable, Hashable {
    public var principals: [String]

    public init(principals: [String]) { self.principals = principals }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("principals", .array(principals.map(JSONValue.string)))
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "principals")
        // Left out, it would let nobody in by mistake.
        principals = try fields.need("principals", try fields.takeTexts("principals"))
        try fields.finish()
    }
}
