// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire

@testable import ControlPlane

/// A host's end of a tunnel, as bytes: what an agent says and what it is answered.
struct TestTunnel {
    let connection: RawConnection
    private var seen = 0
    private var reader = WebSocketReader(expectsMasks: false)

    /// A host that has joined.
    struct Host {
        let host: EnrolledHost
        let key: HostKey

        /// A token, as it should be unless a parameter says otherwise.
        func token(
            _ plane: TestPlane, audience: String? = nil,
            tokenID: String = "t\(UInt64.random(in: 0...(.max)))",
            subject: String? = nil, by other: HostKey? = nil
        ) throws -> String {
            try HostToken.sign(
                subject: subject ?? host.clientID, audience: audience ?? "https://\(plane.name)",
                tokenID: tokenID, now: plane.authority.now, by: other ?? key)
        }
    }

    static func join(_ plane: TestPlane, _ name: String = "web1") async throws -> Host {
        let key = try HostKey.generate()
        let admin = try await plane.parts.session("admin@example.com")
        let made = try await plane.send(
            TestRequest(
                "POST", "/v1/join-tokens", JoinTokenInfo(hostPattern: name, lifetime: 600).json, by: admin))
        guard let token = made.json?["token"]?.string else { throw UnexpectedOutcome(what: made.text) }
        let answer = try await plane.send(
            TestRequest(
                "POST", "/v1/hosts/join",
                JoinRequest(token: token, hostname: name, key: key.publicKey, hostKeys: []).json))
        guard answer.status == 201, let json = answer.json else {
            throw UnexpectedOutcome(what: answer.text)
        }
        let joined = try JoinAnswer(json: json)
        guard let host = plane.hub.fleet.host(clientID: joined.clientID) else {
            throw UnexpectedOutcome(what: "no host \(joined.clientID)")
        }
        return Host(host: host, key: key)
    }

    /// Asks for a tunnel and leaves the answer to the caller.
    init(asking plane: TestPlane, token: String?, subprotocol: String? = Tunnel.subprotocol) async throws {
        connection = try await RawConnection(port: plane.port, rootPEM: plane.rootPEM)
        var text = "GET /any/path HTTP/1.1\r\nHost: \(plane.name)\r\nConnection: Upgrade\r\n"
        text += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        text += "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n"
        if let token { text += "Authorization: Bearer \(token)\r\n" }
        if let subprotocol { text += "Sec-WebSocket-Protocol: \(subprotocol)\r\n" }
        try await connection.say(text + "\r\n")
    }

    /// Opens a connection, and says these bytes first.
    init(saying text: String, to plane: TestPlane) async throws {
        connection = try await RawConnection(port: plane.port, rootPEM: plane.rootPEM)
        try await connection.say(text)
    }

    /// A host whose agent is P0's, by an administrator's word, and its tunnel.
    static func openP0(_ plane: TestPlane, _ host: Host) async throws -> TestTunnel {
        let known = host.host
        try await plane.hub.fleet.enrol(
            Enrolment(
                name: known.id, id: known.id, clientID: known.clientID, key: known.key,
                hostKeys: known.hostKeys, replaces: true), by: try Identity("admin@example.com"))
        let token = try HostToken.signP0(
            subject: host.host.clientID, now: plane.authority.now, by: host.key)
        var tunnel = try await TestTunnel(asking: plane, token: token, subprotocol: nil)
        try await tunnel.passHead()
        try await tunnel.say(
            .request(
                id: .number(0), method: Tunnel.setClientID,
                params: .object([.init("clientId", .string(host.host.clientID))])))
        guard case .result = try await tunnel.hear() else { throw UnexpectedOutcome(what: "not introduced") }
        return tunnel
    }

    /// Reads the head of the answer, which must be this one.
    mutating func passHead(_ expected: String) async throws {
        guard await connection.hasReceived("\r\n\r\n") else { throw UnexpectedOutcome(what: "no answer") }
        guard connection.bytes.starts(with: expected.utf8) else {
            throw UnexpectedOutcome(what: connection.text)
        }
        seen = expected.utf8.count
    }

    /// Opens a tunnel and says who is there.
    static func open(_ plane: TestPlane, _ host: Host) async throws -> TestTunnel {
        var tunnel = try await TestTunnel(asking: plane, token: try host.token(plane))
        try await tunnel.passHead()
        try await tunnel.say(
            .request(
                id: .number(0), method: Tunnel.setClientID,
                params: .object([.init("clientId", .string(host.host.clientID))])))
        guard case .result = try await tunnel.hear() else { throw UnexpectedOutcome(what: "not introduced") }
        return tunnel
    }

    /// Reads the answer to the upgrade, which must be 101.
    mutating func passHead() async throws {
        guard await connection.hasReceived("\r\n\r\n") else { throw UnexpectedOutcome(what: "no answer") }
        let bytes = connection.bytes
        guard let (head, count) = try HTTPResponseHead.read(bytes), head.status == 101,
            head.value("sec-websocket-accept") == WebSocketUpgrade.accept(for: "AAECAwQFBgcICQoLDA0ODw==")
        else { throw UnexpectedOutcome(what: connection.text) }
        seen = count
    }

    func say(_ message: RPCMessage) async throws { try await say(.text, message.encoded) }

    func say(_ opcode: ControlProtocol.WebSocketFrame.Opcode, _ payload: [UInt8]) async throws {
        try await connection.say(WebSocketFrame.encode(opcode, payload, mask: 0x0102_0304))
    }

    /// The next event from the server.
    mutating func event(within timeout: Duration = .seconds(20)) async throws -> WebSocketEvent {
        let end = ContinuousClock.now + timeout
        while ContinuousClock.now < end {
            let bytes = connection.bytes
            if bytes.count > seen {
                reader.append(bytes[seen...])
                seen = bytes.count
            }
            if let event = try reader.next() { return event }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw UnexpectedOutcome(what: "the server says nothing")
    }

    /// The next message; pings are passed over.
    mutating func hear() async throws -> RPCMessage {
        while true {
            if case .text(let bytes) = try await event() { return try RPCMessage(parsing: bytes) }
        }
    }
}
