// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// An administrator's word that a host may connect by the key in its registration (`POST /v1/agents`).
public struct EnrolmentRequest: Sendable, Hashable {
    /// What the host printed.
    public let registration: RegistrationRequest
    /// As it was printed.
    private let printed: JSONValue
    /// The host's id in the inventory; nil for the name that it calls itself.
    public var id: String?
    /// Its labels; nil leaves those that the inventory has.
    public var labels: [String: String]?
    /// Whether a key that the host has already may be replaced.
    public var replaces: Bool

    /// The most bytes of a request's body.
    public static let maximumBytes = 32 << 10

    /// - Parameter printed: the registration's members (``RegistrationRequest/value(parsing:)``).
    public init(
        _ printed: JSONValue, id: String? = nil, labels: [String: String]? = nil, replaces: Bool = false
    ) throws(ControlProtocolError) {
        registration = try RegistrationRequest(json: printed)
        self.printed = printed
        self.id = id
        self.labels = labels
        self.replaces = replaces
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("registration", printed)
        members.add("id", id)
        members.add(
            "labels",
            labels.map { labels in
                .object(labels.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
            })
        if replaces { members.add("replace", .bool(true)) }
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "enrolment")
        let printed = try fields.need("registration", fields.take("registration"))
        let id = try fields.takeText("id")
        let labels = fields.has("labels") ? try fields.takeLabels("labels") : nil
        let replaces = try fields.takeFlag("replace") ?? false
        try fields.finish()
        try self.init(printed, id: id, labels: labels, replaces: replaces)
    }
}

/// The answer to P0's registration, and what our own agents need beside (``JoinAnswer`` is Daypass's own).
public struct RegistrationReply: Sendable, Hashable {
    public var organisation: String
    public var hostID: String
    public var environmentID: String
    /// Where the tunnel goes.
    public var tunnelURL: String

    public init(organisation: String, hostID: String, environmentID: String, tunnelURL: String) {
        self.organisation = organisation
        self.hostID = hostID
        self.environmentID = environmentID
        self.tunnelURL = tunnelURL
    }

    /// Members as P0's backend has them. `trustedCa` is empty: no answer makes a host trust somebody. `protocol` tells our
    /// agent that it may use Daypass's tokens; P0's passes it over.
    public var json: JSONValue {
        var members = JSONMembers()
        members.add("ok", .bool(true))
        members.add("environmentId", environmentID)
        members.add("hostId", hostID)
        members.add("orgId", organisation)
        members.add("trustedCa", "")
        members.add("tunnelHost", tunnelURL)
        members.add("protocol", "daypass")
        return members.value
    }
}
