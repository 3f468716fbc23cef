// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Who may enter a host (`GET /v1/hosts/{id}/access`).
public struct HostAccessInfo: Sendable, Hashable {
    /// A way in.
    public struct Way: Sendable, Hashable {
        /// The account; `*` for every one that no rule names.
        public var login: String
        public var rule: String
        /// Whom the rule lets in, in words.
        public var condition: String
        /// How many have to approve; nil where nobody has.
        public var approvals: Int64?
        /// Who may approve, in words.
        public var approvers: String?
        /// How long a grant lasts at most, in seconds.
        public var longestGrant: Int64?
        /// Who may pass without the approval, in words.
        public var breakGlass: String?
        public var mayUseSudo: Bool
        /// Those who are known and whom it lets in.
        public var people: [Somebody]

        public init(
            login: String, rule: String, condition: String, approvals: Int64?, approvers: String?,
            longestGrant: Int64?, breakGlass: String?, mayUseSudo: Bool, people: [Somebody]
        ) {
            self.login = login
            self.rule = rule
            self.condition = condition
            self.approvals = approvals
            self.approvers = approvers
            self.longestGrant = longestGrant
            self.breakGlass = breakGlass
            self.mayUseSudo = mayUseSudo
            self.people = people
        }
    }

    public struct Somebody: Sendable, Hashable {
        public var identity: String
        /// An identity provider's name, `keys` or `api-key`.
        public var knownBy: [String]

        public init(identity: String, knownBy: [String]) {
            self.identity = identity
            self.knownBy = knownBy
        }
    }

    /// A grant that opens the host now.
    public struct Grant: Sendable, Hashable {
        public var request: String
        public var person: String
        public var login: String
        public var rule: String
        /// Seconds since 1970.
        public var until: Int64
        /// Empty where it was taken without approval.
        public var approvedBy: [String]
        public var isBreakGlass: Bool

        public init(
            request: String, person: String, login: String, rule: String, until: Int64, approvedBy: [String],
            isBreakGlass: Bool
        ) {
            self.request = request
            self.person = person
            self.login = login
            self.rule = rule
            self.until = until
            self.approvedBy = approvedBy
            self.isBreakGlass = isBreakGlass
        }
    }

    /// A rule that keeps people out.
    public struct Denial: Sendable, Hashable {
        public var rule: String
        /// Every account if empty.
        public var logins: [String]
        public var condition: String

        public init(rule: String, logins: [String], condition: String) {
            self.rule = rule
            self.logins = logins
            self.condition = condition
        }
    }

    /// The host's id.
    public var host: String
    public var names: [String]
    public var labels: [String: String]
    public var ways: [Way]
    public var grants: [Grant]
    public var denials: [Denial]
    /// How many people are known, and of how many the policy was asked.
    public var known: Int64
    public var asked: Int64

    public init(
        host: String, names: [String], labels: [String: String], ways: [Way], grants: [Grant],
        denials: [Denial], known: Int64, asked: Int64
    ) {
        self.host = host
        self.names = names
        self.labels = labels
        self.ways = ways
        self.grants = grants
        self.denials = denials
        self.known = known
        self.asked = asked
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("host", host)
        members.add("names", .array(names.map(JSONValue.string)))
        members.add(
            "labels", .object(labels.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }))
        members.add("ways", .array(ways.map(\.json)))
        members.add("grants", .array(grants.map(\.json)))
        members.add("denials", .array(denials.map(\.json)))
        members.add("known", known)
        members.add("asked", asked)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "host access")
        host = try fields.needText("host")
        names = try fields.takeTexts("names") ?? []
        labels = try fields.takeLabels("labels")
        (ways, grants, denials) = ([], [], [])
        for value in try fields.takeArray("ways") ?? [] { ways.append(try Way(json: value)) }
        for value in try fields.takeArray("grants") ?? [] { grants.append(try Grant(json: value)) }
        for value in try fields.takeArray("denials") ?? [] { denials.append(try Denial(json: value)) }
        known = try fields.need("known", fields.takeNumber("known"))
        asked = try fields.need("asked", fields.takeNumber("asked"))
        try fields.finish()
    }
}

extension HostAccessInfo.Way {
    fileprivate var json: JSONValue {
        var members = JSONMembers()
        members.add("login", login)
        members.add("rule", rule)
        members.add("condition", condition)
        members.add("approvals", approvals)
        members.add("approvers", approvers)
        members.add("longestGrant", longestGrant)
        members.add("breakGlass", breakGlass)
        members.add("sudo", .bool(mayUseSudo))
        members.add(
            "people",
            .array(
                people.map { somebody in
                    var members = JSONMembers()
                    members.add("identity", somebody.identity)
                    members.add("knownBy", .array(somebody.knownBy.map(JSONValue.string)))
                    return members.value
                }))
        return members.value
    }

    fileprivate init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "way")
        login = try fields.needText("login")
        rule = try fields.needText("rule")
        condition = try fields.needText("condition")
        approvals = try fields.takeNumber("approvals")
        approvers = try fields.takeText("approvers")
        longestGrant = try fields.takeNumber("longestGrant")
        breakGlass = try fields.takeText("breakGlass")
        mayUseSudo = try fields.takeFlag("sudo") ?? false
        people = []
        for value in try fields.takeArray("people") ?? [] {
            var person = try JSONFields(value, "person")
            people.append(
                HostAccessInfo.Somebody(
                    identity: try person.needText("identity"),
                    knownBy: try person.takeTexts("knownBy") ?? []))
        }
        try fields.finish()
    }
}

extension HostAccessInfo.Grant {
    fileprivate var json: JSONValue {
        var members = JSONMembers()
        members.add("request", request)
        members.add("person", person)
        members.add("login", login)
        members.add("rule", rule)
        members.add("until", until)
        members.add("approvedBy", .array(approvedBy.map(JSONValue.string)))
        members.add("breakGlass", .bool(isBreakGlass))
        return members.value
    }

    fileprivate init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "grant")
        request = try fields.needText("request")
        person = try fields.needText("person")
        login = try fields.needText("login")
        rule = try fields.needText("rule")
        until = try fields.need("until", fields.takeNumber("until"))
        approvedBy = try fields.takeTexts("approvedBy") ?? []
        isBreakGlass = try fields.takeFlag("breakGlass") ?? false
        try fields.finish()
    }
}

extension HostAccessInfo.Denial {
    fileprivate var json: JSONValue {
        var members = JSONMembers()
        members.add("rule", rule)
        members.add("logins", .array(logins.map(JSONValue.string)))
        members.add("condition", condition)
        return members.value
    }

    fileprivate init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "denial")
        rule = try fields.needText("rule")
        logins = try fields.takeTexts("logins") ?? []
        condition = try fields.needText("condition")
        try fields.finish()
    }
}
