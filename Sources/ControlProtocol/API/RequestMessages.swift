// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Access that somebody asks others to approve (`POST /v1/requests`).
public struct NewAccessRequest: Sendable, Hashable {
    /// A host's id, name or address; nil where labels say which.
    public var host: String?
    /// All hosts that have these labels now; empty where a host is named.
    public var labels: [String: String]
    /// The account on them.
    public var login: String
    /// For how long, in seconds; nil for the longest that the policy grants.
    public var duration: UInt64?
    public var wantsSudo: Bool
    /// What sshd is to permit; nil for all that the policy gives.
    public var permissions: [String]?
    /// The only command to be run.
    public var forceCommand: String?
    /// The only key to be certified; nil for any of the person's.
    public var key: PublicKey?
    /// Why, in the person's words.
    public var reason: String
    /// What it is about elsewhere.
    public var ticket: String?
    /// Whether to pass without approval.
    public var isBreakGlass: Bool

    public init(
        host: String?, labels: [String: String] = [:], login: String, duration: UInt64? = nil,
        wantsSudo: Bool = false, permissions: [String]? = nil, forceCommand: String? = nil,
        key: PublicKey? = nil, reason: String, ticket: String? = nil, isBreakGlass: Bool = false
    ) {
        self.host = host
        self.labels = labels
        self.login = login
        self.duration = duration
        self.wantsSudo = wantsSudo
        self.permissions = permissions
        self.forceCommand = forceCommand
        self.key = key
        self.reason = reason
        self.ticket = ticket
        self.isBreakGlass = isBreakGlass
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("host", host)
        if !labels.isEmpty {
            members.add("labels", .object(labels.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }))
        }
        members.add("login", login)
        members.add("duration", duration.flatMap { Int64(exactly: $0) })
        if wantsSudo { members.add("sudo", .bool(true)) }
        members.add("permissions", permissions.map { .array($0.map(JSONValue.string)) })
        members.add("forceCommand", forceCommand)
        members.add("key", key?.text)
        members.add("reason", reason)
        members.add("ticket", ticket)
        if isBreakGlass { members.add("breakGlass", .bool(true)) }
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "access request")
        host = try fields.takeText("host")
        labels = try fields.takeLabels("labels")
        guard (host == nil) != labels.isEmpty else {
            throw ControlProtocolError(.invalidValue, "access request: host or labels expected, one of the two")
        }
        login = try fields.needText("login")
        duration = try fields.takeNumber("duration", 1...Int64.max).map { UInt64($0) }
        wantsSudo = try fields.takeFlag("sudo") ?? false
        permissions = try fields.takeTexts("permissions")
        forceCommand = try fields.takeText("forceCommand")
        key = try fields.takeKey("key")
        reason = try fields.needText("reason")
        ticket = try fields.takeText("ticket")
        isBreakGlass = try fields.takeFlag("breakGlass") ?? false
        try fields.finish()
    }
}

/// What a person says to a request: `POST /v1/requests/{id}/approve`, `…/deny`, `/v1/reviews/{id}/acknowledge`.
public enum RequestAnswer {
    /// An armoured SSHSIG signature over the request's text.
    public static func approval(signature: String) -> JSONValue {
        .object([.init("signature", .string(signature))])
    }

    /// One line, that may be empty where the operation lets it.
    public static func reason(_ reason: String) -> JSONValue {
        .object(reason.isEmpty ? [] : [.init("reason", .string(reason))])
    }

    public static func signature(json: JSONValue) throws(ControlProtocolError) -> String {
        var fields = try JSONFields(json, "approval")
        let signature = try fields.needText("signature")
        try fields.finish()
        return signature
    }

    public static func reason(json: JSONValue) throws(ControlProtocolError) -> String {
        var fields = try JSONFields(json, "answer")
        let reason = try fields.takeText("reason") ?? ""
        try fields.finish()
        return reason
    }
}
