// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A wish for a certificate (`POST /v1/certificates`, `POST /v1/explain`).
public struct CertificateWish: Sendable, Hashable {
    /// The host's id, or a name or address of it.
    public var host: String
    /// The account on it.
    public var login: String
    /// The key to certify.
    public var key: PublicKey
    /// For how long, in seconds; nil for the policy's default.
    public var lifetime: UInt64?
    /// What sshd is to permit; nil for all that the policy gives.
    public var permissions: [String]?
    /// The only command to be run.
    public var forceCommand: String?
    /// Why, in the person's words.
    public var reason: String?

    /// The most bytes of a request's body; an RSA-16384 key in base64 is under 3 KiB.
    public static let maximumBytes = 16 << 10

    public init(
        host: String, login: String, key: PublicKey, lifetime: UInt64? = nil, permissions: [String]? = nil,
        forceCommand: String? = nil, reason: String? = nil
    ) {
        self.host = host
        self.login = login
        self.key = key
        self.lifetime = lifetime
        self.permissions = permissions
        self.forceCommand = forceCommand
        self.reason = reason
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("host", host)
        members.add("login", login)
        members.add("key", key.text)
        members.add("lifetime", lifetime.flatMap { Int64(exactly: $0) })
        members.add("permissions", permissions.map { .array($0.map(JSONValue.string)) })
        members.add("forceCommand", forceCommand)
        members.add("reason", reason)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "certificate request")
        host = try fields.needText("host")
        login = try fields.needText("login")
        key = try fields.needKey("key")
        lifetime = try fields.takeNumber("lifetime", 1...Int64.max).map { UInt64($0) }
        permissions = try fields.takeTexts("permissions")
        forceCommand = try fields.takeText("forceCommand")
        reason = try fields.takeText("reason")
        try fields.finish()
    }
}

/// A certificate that was issued.
public struct IssuedCertificate: Sendable, Hashable {
    /// The certificate as a line of a `-cert.pub` file.
    public var certificate: String
    /// The id of the host that it was asked for.
    public var host: String
    public var login: String
    /// The rule that allows it.
    public var rule: String
    /// Where the log records it.
    public var logIndex: UInt64

    public init(certificate: String, host: String, login: String, rule: String, logIndex: UInt64) {
        self.certificate = certificate
        self.host = host
        self.login = login
        self.rule = rule
        self.logIndex = logIndex
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("certificate", certificate)
        members.add("host", host)
        members.add("login", login)
        members.add("rule", rule)
        members.add("logIndex", Int64(clamping: logIndex))
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "certificate")
        certificate = try fields.needText("certificate")
        host = try fields.needText("host")
        login = try fields.needText("login")
        rule = try fields.takeText("rule") ?? ""
        logIndex = UInt64(try fields.need("logIndex", try fields.takeNumber("logIndex")))
    }
}

/// A host, and which accounts somebody may enter there.
public struct HostInfo: Sendable, Hashable {
    public var id: String
    public var names: [String]
    public var labels: [String: String]
    /// Accounts that whoever asks may enter; nil where that was not the question.
    public var logins: [String]?
    /// Accounts that they may enter once somebody approves.
    public var loginsOnApproval: [String]?

    public init(
        id: String, names: [String], labels: [String: String], logins: [String]? = nil,
        loginsOnApproval: [String]? = nil
    ) {
        self.id = id
        self.names = names
        self.labels = labels
        self.logins = logins
        self.loginsOnApproval = loginsOnApproval
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("id", id)
        members.add("names", .array(names.map(JSONValue.string)))
        members.add(
            "labels",
            .object(labels.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) }))
        members.add("logins", logins.map { .array($0.map(JSONValue.string)) })
        members.add("loginsOnApproval", loginsOnApproval.map { .array($0.map(JSONValue.string)) })
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "host")
        id = try fields.needText("id")
        names = try fields.takeTexts("names") ?? []
        labels = try fields.takeLabels("labels")
        logins = try fields.takeTexts("logins")
        loginsOnApproval = try fields.takeTexts("loginsOnApproval")
        try fields.finish()
    }
}

/// Somebody's SSH key that may log in (`POST /v1/keys`).
public struct EnrolledKeyInfo: Sendable, Hashable {
    public var identity: String
    public var key: PublicKey
    public var email: String?
    public var groups: [String]

    public init(identity: String, key: PublicKey, email: String? = nil, groups: [String] = []) {
        self.identity = identity
        self.key = key
        self.email = email
        self.groups = groups
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("identity", identity)
        members.add("key", key.text)
        members.add("fingerprint", key.fingerprint)
        members.add("email", email)
        members.add("groups", .array(groups.map(JSONValue.string)))
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "enrolled key")
        identity = try fields.needText("identity")
        key = try fields.needKey("key")
        _ = fields.take("fingerprint")
        email = try fields.takeText("email")
        groups = try fields.takeTexts("groups") ?? []
        try fields.finish()
    }
}
