// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What a host says of itself to be made known to a server, in P0's form: `daypass-agent register` prints it, and P0's agent
/// posts it.
///
/// Nothing in it is proven. Who takes it, an administrator's word or a join token, is what makes it count.
public struct RegistrationRequest: Sendable, Hashable {
    /// What the host calls itself.
    public let hostName: String
    /// The address at which people reach the host, in its own words; empty where it says none.
    public let publicAddress: String
    /// One of sshd's keys.
    public let hostKey: PublicKey
    /// Its agent's key.
    public let key: JSONWebKey
    /// The labels that the host would like, `key=value` as a rule. They open no door.
    public let labels: [String]
    /// When it was made, by the host's clock.
    public let time: UnixTime
    /// P0's environment; empty where there is none.
    public let environmentID: String
    /// What the agent calls itself, where its settings say that already; nil where the server says it.
    public let clientID: String?

    /// The longest text, in bytes; a real one has a thousand, an RSA host key in it 700 more.
    public static let maximumBytes = 16 << 10
    /// The longest name of a host, in bytes: a domain name's (RFC 1035, section 2.3.4).
    public static let maximumNameBytes = 253
    /// The longest other text but the key's, in bytes.
    private static let maximumTextBytes = 256
    private static let maximumLabels = 64
    /// The longest line of a host key, in bytes: 16,384 bits of RSA, and a comment.
    private static let maximumKeyBytes = 8 << 10

    /// Reads one out of JSON.
    ///
    /// - Throws: `.missing`, `.invalidValue`, `.tooLong`, or `.unexpected` for a member that is not known: what an
    ///   administrator is to vouch for is all understood.
    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "registration")
        hostName = try Self.short(
            "hostname", try fields.needText("hostname"), upTo: Self.maximumNameBytes)
        guard !hostName.isEmpty else { throw fields.wrong("hostname", "a name") }
        publicAddress = try Self.short("publicIp", try fields.takeText("publicIp") ?? "")
        hostKey = try Self.hostKey(&fields)
        let jwk = try fields.need("jwkPublicKey", fields.take("jwkPublicKey"))
        guard jwk["d"] == nil else {
            throw ControlProtocolError(
                .unexpected, "registration: jwkPublicKey: the key's private half is in it; make a new key")
        }
        key = try JSONWebKey(jwk)
        labels = try fields.takeTexts("labels") ?? []
        guard labels.count <= Self.maximumLabels else {
            throw ControlProtocolError(.tooLong, "registration: labels: over \(Self.maximumLabels)")
        }
        for label in labels { _ = try Self.short("labels", label) }
        let timestamp = try Self.short("timestamp", try fields.needText("timestamp"))
        guard let time = RFC3339.parse(timestamp) else {
            throw fields.wrong("timestamp", "a time such as 2026-11-20T20:21:36Z")
        }
        self.time = time
        environmentID = try Self.short("environmentId", try fields.takeText("environmentId") ?? "")
        clientID = try Self.clientID(&fields)
        try fields.finish()
    }

    /// Reads the body of P0's registration: the request's JSON in base64, in the member `key`.
    ///
    /// - Throws: also `.unexpected` for private keys of accounts, which P0's agent adds when it is asked to
    ///   (`--break-glass-user`): they are taken by nobody here.
    public init(p0Body json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "registration")
        guard !fields.has("breakGlassUserCredentials") else {
            throw ControlProtocolError(
                .unexpected,
                "registration: private keys of accounts are in it, and are not taken; register without "
                    + "--break-glass-user, and make new keys for those accounts")
        }
        let text = try fields.needText("key")
        try fields.finish()
        try self.init(base64: text)
    }

    /// Reads a request as it was printed: JSON, the lines of `register --output yaml`, or base64 of the JSON in one line or
    /// many, as P0's agents printed it once.
    public init(parsing bytes: [UInt8]) throws(ControlProtocolError) {
        try self.init(json: try Self.value(parsing: bytes))
    }

    /// The request's members as they were printed, for whoever hands them on unread.
    public static func value(parsing bytes: [UInt8]) throws(ControlProtocolError) -> JSONValue {
        guard bytes.count <= maximumBytes else {
            throw ControlProtocolError(.tooLong, "registration: over \(maximumBytes) bytes")
        }
        let isBlank = { (byte: UInt8) in byte == 0x20 || (0x09...0x0d).contains(byte) }
        if bytes.first(where: { !isBlank($0) }) == UInt8(ascii: "{") {
            let value = try JSONValue(parsing: bytes, maximumBytes: maximumBytes)
            guard let text = value["key"]?.string, case .object(let members) = value, members.count == 1
            else { return value }
            return try decode(text)
        }
        if !bytes.contains(UInt8(ascii: ":")) {
            return try decode(String(decoding: bytes.filter { !isBlank($0) }, as: UTF8.self))
        }
        return try lines(bytes)
    }

    private init(base64 text: String) throws(ControlProtocolError) {
        try self.init(json: try Self.decode(text))
    }

    private static func decode(_ text: String) throws(ControlProtocolError) -> JSONValue {
        guard text.utf8.count <= maximumBytes * 2 else {
            throw ControlProtocolError(.tooLong, "registration: over \(maximumBytes) bytes")
        }
        let bytes: [UInt8]
        do {
            bytes = try Base64.decode("registration", text)
        } catch {
            throw ControlProtocolError(.invalidValue, "registration: neither JSON nor base64 of it")
        }
        return try JSONValue(parsing: bytes, maximumBytes: maximumBytes)
    }

    /// `NAME: VALUE`, each value one of JSON's, which is YAML's too.
    private static func lines(_ bytes: [UInt8]) throws(ControlProtocolError) -> JSONValue {
        var members: [JSONValue.Member] = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
                let name = String(validating: line[..<colon], as: UTF8.self),
                let value = try? JSONValue(
                    parsing: Array(line[(colon + 1)...]), maximumBytes: maximumBytes),
                !members.contains(where: { $0.name == name })
            else {
                throw ControlProtocolError(
                    .invalidValue,
                    "registration: line \(index + 1): NAME: VALUE expected, as daypass-agent register prints it"
                )
            }
            members.append(.init(name, value))
        }
        return .object(members)
    }

    private static func short(
        _ name: String, _ text: String, upTo maximum: Int = maximumTextBytes
    ) throws(ControlProtocolError) -> String {
        guard text.utf8.count <= maximum else {
            throw ControlProtocolError(
                .tooLong, "registration: \(name): \(text.utf8.count) bytes, at most \(maximum) are allowed")
        }
        guard !text.holdsControlCharacters else {
            throw ControlProtocolError(.invalidValue, "registration: \(name): a control character in it")
        }
        return text
    }

    private static func hostKey(_ fields: inout JSONFields) throws(ControlProtocolError) -> PublicKey {
        let fingerprint = try fields.needText("fingerprint")
        let line = try short(
            "fingerprintPublicKey", try fields.needText("fingerprintPublicKey"), upTo: maximumKeyBytes)
        // P0's agent makes something up where sshd has no key.
        guard let parsed = try? PublicKeyLine(line), case .key(let key) = parsed.content else {
            throw ControlProtocolError(
                .invalidValue,
                "registration: fingerprintPublicKey: a public key of sshd's expected; ssh-keygen -A on the host makes them"
            )
        }
        guard fingerprint.utf8.elementsEqual(key.fingerprint.utf8) else {
            throw ControlProtocolError(
                .invalidValue, "registration: fingerprint: it is not the key's, which is \(key.fingerprint)")
        }
        return key
    }

    /// `clientId`, or what `orgId` and `hostId` make; where there are all three, they must say one thing.
    private static func clientID(_ fields: inout JSONFields) throws(ControlProtocolError) -> String? {
        let stated = try fields.takeText("clientId").flatMap { $0.isEmpty ? nil : $0 }
        let organisation = try fields.takeText("orgId") ?? ""
        let host = try fields.takeText("hostId") ?? ""
        if let stated {
            guard stated.utf8.count <= Tunnel.maximumClientIDBytes,
                stated.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
            else {
                throw ControlProtocolError(
                    .invalidValue,
                    "registration: clientId: 1 to \(Tunnel.maximumClientIDBytes) printable ASCII characters without spaces expected"
                )
            }
        }
        guard !organisation.isEmpty, !host.isEmpty else { return stated }
        let made = try Tunnel.clientID(organisation: organisation, host: host)
        guard stated == nil || stated == made else {
            throw ControlProtocolError(
                .invalidValue, "registration: clientId: it is not what orgId and hostId make")
        }
        return made
    }
}
