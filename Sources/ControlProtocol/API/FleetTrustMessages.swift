// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A statement about the CAs that hosts take, with the signature of the fleet's root key (`PUT /v1/fleet/trust`).
public struct FleetTrustRequest: Sendable, Hashable {
    public var statement: TrustStatement
    public var signature: SSHSignature

    /// The most bytes of a request's body: a statement whose every character is escaped would not fit, and has none.
    public static let maximumBytes = 60 << 10

    public init(statement: TrustStatement, signature: SSHSignature) {
        self.statement = statement
        self.signature = signature
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("statement", statement.text)
        members.add("signature", signature.armoured)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "fleet trust")
        statement = try TrustStatement(parsing: try fields.needText("statement"))
        signature = try fields.needSignature("signature")
        try fields.finish()
    }
}

/// What hosts are to trust, and how far they are (`GET /v1/fleet/trust`).
public struct FleetTrustInfo: Sendable, Hashable {
    /// A host, and what it said to the newest statement.
    public struct Host: Sendable, Hashable {
        public enum State: String, Sendable, CaseIterable {
            /// It has the newest statement in place.
            case acknowledged
            /// It was not reached, or has not answered yet.
            case pending
            /// It said no, or could not prove the change and took it back.
            case refused
        }

        /// Its id.
        public var host: String
        public var state: State
        /// Why it doesn't have it; nil when it does.
        public var reason: String?

        public init(host: String, state: State, reason: String? = nil) {
            self.host = host
            self.state = state
            self.reason = reason
        }
    }

    /// The newest statement, and its signature; nil when there is none.
    public var current: FleetTrustRequest?
    /// The keys whose signature the server takes; empty before the first statement, unless it was told.
    public var roots: [PublicKey]
    /// Every host that has joined, by id.
    public var hosts: [Host]

    public init(current: FleetTrustRequest?, roots: [PublicKey], hosts: [Host]) {
        self.current = current
        self.roots = roots
        self.hosts = hosts
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("version", current.map { Int64(clamping: $0.statement.version) })
        members.add("statement", current?.statement.text)
        members.add("signature", current?.signature.armoured)
        members.add("roots", .array(roots.map { .string($0.text) }))
        members.add(
            "hosts",
            .array(
                hosts.map { host in
                    var entry = JSONMembers()
                    entry.add("host", host.host)
                    entry.add("state", host.state.rawValue)
                    entry.add("reason", host.reason)
                    return entry.value
                }))
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "fleet trust")
        _ = try fields.takeNumber("version")
        if let text = try fields.takeText("statement") {
            current = FleetTrustRequest(
                statement: try TrustStatement(parsing: text),
                signature: try fields.needSignature("signature"))
        }
        roots = []
        for line in try fields.takeTexts("roots") ?? [] {
            do throws(SSHWireError) {
                roots.append(try PublicKeyLine(line).content.plainKey("root"))
            } catch {
                throw ControlProtocolError(.invalidValue, "fleet trust: roots: \(error.reason)")
            }
        }
        hosts = []
        for item in try fields.takeArray("hosts") ?? [] {
            var entry = try JSONFields(item, "host's trust")
            let name = try entry.needText("host")
            guard let state = Host.State(rawValue: try entry.needText("state")) else {
                throw entry.wrong("state", "acknowledged, pending or refused")
            }
            hosts.append(Host(host: name, state: state, reason: try entry.takeText("reason")))
        }
    }
}

extension JSONFields {
    /// Takes an armoured SSHSIG that must be there.
    fileprivate mutating func needSignature(_ name: String) throws(ControlProtocolError) -> SSHSignature {
        let text = try needText(name)
        do throws(SSHWireError) {
            return try SSHSignature(armoured: Array(text.utf8))
        } catch {
            throw ControlProtocolError(.invalidValue, "fleet trust: \(name): \(error.reason)")
        }
    }
}
