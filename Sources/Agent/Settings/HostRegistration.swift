// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
public import SSHWire

/// What a host says of itself when it is made known to a server.
public struct HostRegistration: Sendable {
    public var hostName: String
    /// The address at which people reach the host; empty where nobody says so. We ask no stranger what it is.
    public var publicAddress = ""
    /// The public keys of sshd, as their files have them; one at least.
    public let hostKeys: [String]
    public let key: JSONWebKey
    public var labels: [String]

    /// The files of sshd's host keys, in the order in which P0's agent looks for them.
    static let hostKeyNames = ["ssh_host_ed25519_key.pub", "ssh_host_rsa_key.pub", "ssh_host_ecdsa_key.pub"]

    /// Reads the public host keys.
    ///
    /// - Parameter folder: where they are, "/etc/ssh" as a rule.
    /// - Throws: `.notFound` without any: P0's agent makes up a fingerprint of the host's name then, which is nobody's.
    public init(
        hostName: String, key: JSONWebKey, labels: [String], hostKeyFolder folder: String
    ) throws(AgentError) {
        let files = SystemFiles()
        var found: [String] = []
        for name in Self.hostKeyNames {
            let path = "\(folder)/\(name)"
            guard let file = try files.read(path, maximumBytes: 64 << 10) else { continue }
            let text = String(decoding: file.bytes, as: UTF8.self)
            let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            do {
                _ = try PublicKeyLine(line)
            } catch {
                throw AgentError(.damaged, "\(path.escapedForTerminal): \(error)")
            }
            found.append(line)
        }
        guard !found.isEmpty else {
            throw AgentError(
                .notFound, "\(folder.escapedForTerminal): no public host key of sshd's",
                hint: "ssh-keygen -A makes them")
        }
        (self.hostName, self.key, self.labels, hostKeys) = (hostName, key, labels, found)
    }

    /// The first host key's fingerprint.
    public var fingerprint: String {
        guard let line = hostKeys.first, let parsed = try? PublicKeyLine(line),
            case .key(let key) = parsed.content
        else { return "" }
        return key.fingerprint
    }

    /// What P0's backend is told, members in the order in which P0's agent writes them.
    public func value(at time: UnixTime) -> JSONValue {
        .object([
            .init("hostname", .string(hostName)), .init("publicIp", .string(publicAddress)),
            .init("fingerprint", .string(fingerprint)),
            .init("fingerprintPublicKey", .string(hostKeys.first ?? "")),
            // As a flat map, in the order of its names.
            .init("jwkPublicKey", Self.sorted(key.value)),
            .init("labels", .array(labels.map(JSONValue.string))),
            .init("timestamp", .string(time.description)),
        ])
    }

    /// The body of P0's registration: that value's text in base64, in one member.
    public func p0Body(at time: UnixTime) -> JSONValue {
        .object([.init("key", .string(Base64.encode(Array(value(at: time).text.utf8))))])
    }

    /// The body of `POST /v1/hosts/join`.
    ///
    /// - Parameter token: the join token, a secret.
    public func joinBody(token: String) -> JSONValue {
        .object([
            .init("token", .string(token)), .init("hostname", .string(hostName)),
            .init("publicJwk", key.value), .init("labels", .array(labels.map(JSONValue.string))),
            .init("hostKeys", .array(hostKeys.map(JSONValue.string))),
        ])
    }

    private static func sorted(_ value: JSONValue) -> JSONValue {
        guard case .object(let members) = value else { return value }
        return .object(members.sorted { $0.name < $1.name })
    }
}

/// What a server answers to a registration: who this host is from now on.
public struct RegistrationAnswer: Sendable, Hashable {
    /// The settings that come of it, in the order in which they are written.
    public let settings: [(name: SettingName, value: String)]
    /// The keys of the fleet's root, which alone change whom hosts trust; Daypass's servers send them.
    public let fleetRoots: [PublicKey]
    /// The key that signs revocation lists.
    public let revocationKey: PublicKey?

    /// The most roots that are pinned.
    private static let maximumRoots = 16

    /// Reads the answer of a Daypass server: `clientId`, `tunnelUrl`, `fleetRoots`, `revocationKey`.
    ///
    /// - Throws: `.network` when it isn't one, or names a tunnel that isn't encrypted.
    public init(joined bytes: [UInt8]) throws(AgentError) {
        let json = try Self.json(bytes)
        let id = try Self.text(json, "clientId")
        let url = try Self.url(json, "tunnelUrl")
        settings = [(.clientID, id), (.tunnel, url), (.dialect, "daypass")]
        switch json["fleetRoots"] {
        case nil, .null?: fleetRoots = []
        case .array(let lines)? where lines.count <= Self.maximumRoots:
            var roots: [PublicKey] = []
            for line in lines { roots.append(try Self.key(line, "fleetRoots")) }
            fleetRoots = roots
        default:
            throw AgentError(
                .network, "the answer: fleetRoots: a list of at most \(Self.maximumRoots) keys expected")
        }
        switch json["revocationKey"] {
        case nil, .null?: revocationKey = nil
        case let value?: revocationKey = try Self.key(value, "revocationKey")
        }
    }

    /// Reads the answer of P0's backend: `ok`, `orgId`, `hostId`, `environmentId`, `tunnelHost`. Its `trustedCa` is passed
    /// over: no answer of a server's makes a host trust somebody.
    public init(p0 bytes: [UInt8]) throws(AgentError) {
        let json = try Self.json(bytes)
        guard json["ok"] == true else { throw AgentError(.refused, "the server did not register this host") }
        settings = [
            (.organisation, try Self.text(json, "orgId")), (.host, try Self.text(json, "hostId")),
            (.environment, try Self.text(json, "environmentId")), (.tunnel, try Self.url(json, "tunnelHost")),
            // Daypass's servers say so; they take tokens that are good once.
            (.dialect, json["protocol"] == "daypass" ? "daypass" : "p0"),
        ]
        (fleetRoots, revocationKey) = ([], nil)
    }

    /// What the host calls itself from now on.
    public var clientID: String {
        func value(_ name: SettingName) -> String? { settings.first { $0.name == name }?.value }
        return value(.clientID) ?? "\(value(.organisation) ?? ""):\(value(.host) ?? ""):ssh"
    }

    private static func key(_ value: JSONValue, _ name: String) throws(AgentError) -> PublicKey {
        guard let text = value.string, text.utf8.count <= OperationFields.Limit.keyBytes,
            let line = try? PublicKeyLine(text), let key = try? line.content.plainKey("key")
        else { throw AgentError(.network, "the answer: \(name): a plain public key expected") }
        return key
    }

    private static func json(_ bytes: [UInt8]) throws(AgentError) -> JSONValue {
        try understand("the answer") { () throws(ControlProtocolError) in
            try JSONValue(parsing: bytes, maximumBytes: HTTPExchange.maximumBodyBytes, otherNumbers: .null)
        }
    }

    /// A text that can stand in a configuration file.
    private static func text(_ json: JSONValue, _ name: String) throws(AgentError) -> String {
        guard let text = json[name]?.string, (1...TunnelURL.maximumBytes).contains(text.utf8.count),
            !text.holdsControlCharacters
        else { throw AgentError(.network, "the answer: \(name): a text of one line expected") }
        return text
    }

    private static func url(_ json: JSONValue, _ name: String) throws(AgentError) -> String {
        let text = try text(json, name)
        let url = try understand("the answer: \(name)") { () throws(ControlProtocolError) in
            try TunnelURL(text)
        }
        guard url.isWebSocket, url.isEncrypted || url.isLoopback else {
            throw AgentError(.network, "the answer: \(name): wss://… expected")
        }
        return text
    }

    public static func == (one: Self, other: Self) -> Bool {
        one.fleetRoots == other.fleetRoots && one.settings.elementsEqual(other.settings) { $0 == $1 }
    }

    public func hash(into hasher: inout Hasher) {
        for (name, value) in settings {
            hasher.combine(name)
            hasher.combine(value)
        }
    }
}

/// Writes the agent's configuration file.
public enum ConfigurationFile {
    /// The text of a file: each value a JSON string, which is YAML's double-quoted form too, so that no value can be more
    /// than one.
    public static func text(_ settings: [(name: SettingName, value: String)], labels: [String]) -> String {
        var text = "# Written by daypass-agent register.\nversion: \"1.0\"\n"
        for (name, value) in settings { text += "\(name.rawValue): \(JSONValue.string(value).text)\n" }
        if !labels.isEmpty {
            text += "labels:\n" + labels.map { "  - \(JSONValue.string($0).text)\n" }.joined()
        }
        return text
    }
}
