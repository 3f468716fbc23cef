// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import NIOCore
import NIOEmbedded
import NIOWebSocket
import SSHWire
import Testing

@testable import ControlPlane

@Suite("P0's agents at this control plane") struct P0AgentTests {
    /// The captured agent, enrolled, its tunnel open, at the time of its token.
    private func withAgent(_ body: (TestPlane, inout TestTunnel) async throws -> Void) async throws {
        try await TestPlane.with { plane in
            plane.parts.clock.advance(seconds: P0Agent.tokenIssued - plane.parts.clock.seconds)
            try await plane.hub.fleet.enrol(
                Enrolment(
                    name: P0Agent.host, key: try JSONWebKey(parsing: Array(P0Agent.publicKey.utf8)).key,
                    hostKeys: []), by: try Identity("admin@example.com"))
            var tunnel = try await TestTunnel(saying: P0Agent.upgrade, to: plane)
            try await tunnel.passHead(P0Agent.upgradeAnswer)
            try await tunnel.connection.say(P0Agent.setClientID)
            guard case .result(.number(0), let value) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "not introduced")
            }
            #expect(value == .object([.init("ok", .bool(true))]))
            try await body(plane, &tunnel)
        }
    }

    private func call(_ plane: TestPlane, _ data: String) async throws -> TestAnswer {
        let admin = try await plane.parts.session("admin@example.com")
        let value = try JSONValue(parsing: Array(data.utf8), maximumBytes: 1_024)
        return try await plane.send(TestRequest("POST", "/v1/agents/goweb/call", value, by: admin))
    }

    @Test func theRealOneIsCommandedInDryRunAndItsHeartbeatIsAnswered() async throws {
        try await withAgent { plane, tunnel in
            let data = #"{"command":"provisionUser","userName":"alice","action":"grant","requestId":"req1"}"#
            async let answer = call(plane, data)
            guard case .text(let bytes) = try await tunnel.event() else {
                throw UnexpectedOutcome(what: "no call")
            }
            let expected =
                #"{"id":1,"jsonrpc":"2.0","method":"call","params":{"headers":{"content-type":"application/json"},"#
                + #""method":"POST","path":"","params":{},"data":\#(data),"options":{"timeoutMillis":10000}}}"#
            #expect(String(decoding: bytes, as: UTF8.self) == expected + "\n")
            try await tunnel.connection.say(P0Agent.answerInDryRun)
            let text = try await answer
            #expect(text.status == 200, "\(text.text)")
            #expect(text.json?["success"] == true)
            #expect(text.json?["message"] == "DRY-RUN: Would execute provisionUser for user alice")
            try await tunnel.connection.say(P0Agent.heartbeat)
            guard case .result(.number(1), _) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "no answer to the heartbeat")
            }
            let admin = try await plane.parts.session("admin@example.com")
            let agents = try await plane.send(TestRequest("GET", "/v1/agents", by: admin))
            let agent = try AgentInfo(json: try #require(agents.json?["items"]?.array?.first))
            #expect(agent.connected != nil && agent.dialect == "p0")
        }
    }

    @Test func aFailureOfTheRealOneIsToldAsOne() async throws {
        try await withAgent { plane, tunnel in
            async let answer = call(plane, #"{"command":"nosuch","userName":"alice"}"#)
            guard case .request(.number(1), Tunnel.call, _) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "no call")
            }
            try await tunnel.connection.say(P0Agent.answerToUnknownCommand)
            let text = try await answer
            #expect(text.status == 200 && text.json?["success"] == false, "\(text.text)")
            #expect(text.json?["status"] == 500 && text.json?["message"] == "unknown command: nosuch")
        }
    }

    @Test func theRealOneRegistersByAJoinTokenAndGetsWhatItExpects() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let made = try await plane.send(
                TestRequest(
                    "POST", "/v1/join-tokens",
                    JoinTokenInfo(hostPattern: "go*", labels: ["team": "infra"]).json,
                    by: admin))
            let token = try #require(made.json?["token"]?.string)
            func register(_ authorization: String?, _ body: String = P0Agent.registration) async throws
                -> TestAnswer
            {
                try await plane.send(
                    TestRequest("POST", "/v1/hosts/register").with { request in
                        request.body = Array(body.utf8)
                        if let authorization { request.extraHeaders = [("Authorization", authorization)] }
                    })
            }
            #expect(try await register(nil).code == "not-logged-in")
            #expect(try await register("Basic \(token)").code == "not-logged-in")
            #expect(try await register("Bearer \(token)x").code == "not-found")
            let withPrivateKeys =
                P0Agent.registration.dropLast()
                + #","breakGlassUserCredentials":{"admin":{"privateKey":"x"}}}"#
            let refused = try await register("Bearer \(token)", String(withPrivateKeys))
            #expect(refused.status == 400 && refused.text.contains("private keys"), "\(refused.text)")
            let answer = try await register("Bearer \(token)")
            #expect(answer.status == 200, "\(answer.text)")
            let expected =
                #"{"ok":true,"environmentId":"default","hostId":"goweb","orgId":"daypass","trustedCa":"","#
                + #""tunnelHost":"wss://\#(plane.name)/v1/tunnel","protocol":"daypass"}"#
            #expect(answer.text == expected)
            let host = try #require(plane.hub.fleet.host(clientID: "daypass:goweb:ssh"))
            #expect(try host.key == JSONWebKey(parsing: Array(P0Agent.publicKey.utf8)).key)
            #expect(
                host.hostKeys.map(\.fingerprint) == ["SHA256:IhmWLnCZ5+TENBWfp78/F2XC1mDdMjCoQhodK9fSZhY"])
            // The token's labels, and not the host's own.
            #expect(plane.authority.hosts.first { $0.id == "goweb" }?.labels == ["team": "infra"])
            #expect(try await register("Bearer \(token)").code == "not-found")
        }
    }

    @Test func p0Fault2_5_whatOnlyOurAgentsDoIsNotAskedOfOneThatSaysYesToEverything() async throws {
        let root = try PrivateKey.generate(.ed25519, comment: "")
        let signer = RevocationSigner(try PrivateKey.generate(.ed25519, comment: ""))
        try await TestPlane.with(revocationSigner: signer) { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let lost = try PrivateKey.generate(.ed25519, comment: "").publicKey
            let statement = try TrustStatement(version: 1, authorities: [.init(lost, comment: "users")])
            let signature = try SSHSignature.sign(
                Array(statement.text.utf8), namespace: TrustStatement.namespace, signer: .key(root.publicKey)
            ) { (bytes, algorithm) throws(SSHWireError) in try root.sign(bytes, with: algorithm) }
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.openP0(plane, host)

            let trusted = try await plane.send(
                TestRequest(
                    "PUT", "/v1/fleet/trust",
                    FleetTrustRequest(statement: statement, signature: signature).json,
                    by: admin))
            let states = try FleetTrustInfo(json: try #require(trusted.json)).hosts
            #expect(states.map(\.state) == [.refused], "\(trusted.text)")
            #expect(states.first?.reason?.contains("P0's protocol") == true)
            let revoked = try await plane.send(
                TestRequest(
                    "POST", "/v1/revocations",
                    .object([.init("keys", .array([.string(lost.text)])), .init("reason", "lost")]), by: admin
                ))
            #expect(revoked.status == 201 && revoked.json?["acknowledged"] == .array([]), "\(revoked.text)")
            #expect(revoked.json?["pending"]?.array?.first?["host"] == "web1")
            for command in ["status", "principals", "killSessions"] {
                let answer = try await plane.send(
                    TestRequest(
                        "POST", "/v1/agents/web1/call", .object([.init("command", .string(command))]),
                        by: admin))
                #expect(answer.json?["success"] == false && answer.json?["status"] == 500, "\(answer.text)")
            }
            let agents = try await plane.send(TestRequest("GET", "/v1/agents", by: admin))
            #expect(agents.json?["items"]?.array?.first?["revocations"] == nil)
            // The first thing that it hears is what P0's agents do.
            async let reply = plane.hub.call("web1", .object([.init("command", "provisionUser")]))
            guard case .request(let id, _, let params) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "no call")
            }
            #expect(try TunnelCall(params: params).hostCall()?.command == "provisionUser")
            try await tunnel.say(
                .result(
                    id: id,
                    TunnelReply(
                        clientID: host.host.clientID, command: "provisionUser",
                        outcome: HostOutcome(success: true, message: "well"), time: plane.authority.now
                    ).value))
            let message = try await reply.outcome.message
            #expect(message == "well")
        }
    }

    /// Whether a tunnel is still there after its host has said nothing for a time.
    private func isOpen(_ dialect: Tunnel.Dialect, afterSilence seconds: Int64) async throws -> Bool {
        let parts = try await TestAuthority()
        let log = LogCapture()
        let hub = try await parts.hub(
            limits: RequestLimits(.init(), clock: { parts.clock.milliseconds }), logger: log.logger)
        let host = EnrolledHost(
            id: "web1", clientID: "daypass:web1:ssh", key: try HostKey.generate().publicKey.key, hostKeys: [],
            joined: parts.authority.now)
        return try Self.isOpen(
            TunnelHandler(hub, .init(host: host, dialect: dialect, source: nil)), host, afterSilence: seconds)
    }

    /// Nothing is awaited in here: the loop is this thread's.
    private static func isOpen(
        _ handler: TunnelHandler, _ host: EnrolledHost, afterSilence seconds: Int64
    ) throws -> Bool {
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(handler: handler, loop: loop)
        try channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let introduction = RPCMessage.request(
            id: .number(0), method: Tunnel.setClientID,
            params: .object([.init("clientId", .string(host.clientID))]))
        try channel.writeInbound(
            NIOWebSocket.WebSocketFrame(
                fin: true, opcode: .text, data: ByteBuffer(bytes: introduction.encoded)))
        loop.advanceTime(by: .seconds(seconds))
        return channel.isActive
    }

    @Test func oneThatIsBusyWithAScriptIsWaitedForTwoMinutesAndALittle() async throws {
        #expect(try await isOpen(.p0, afterSilence: 125))
        #expect(try await !isOpen(.p0, afterSilence: 156))
        #expect(try await isOpen(.daypass, afterSilence: 14))
        #expect(try await !isOpen(.daypass, afterSilence: 21))
    }
}
