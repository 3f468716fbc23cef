// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import NIOCore
import SSHWire
import Testing

@testable import ControlPlane

@Suite("The server's end of tunnels") struct TunnelTests {
    /// Waits until something holds; the server works beside the test.
    private func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<2_000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw UnexpectedOutcome(what: "never: \(what)")
    }

    @Test func aHostThatHasJoinedIsAskedThroughItsTunnelAndAnswers() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.open(plane, host)
            let admin = try await plane.parts.session("admin@example.com")
            async let answer = plane.send(
                TestRequest(
                    "POST", "/v1/agents/web1/call", .object([.init("command", .string("status"))]), by: admin)
            )
            guard case .request(let id, Tunnel.call, let params) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "no call")
            }
            #expect(try TunnelCall(params: params).hostCall()?.command == "status")
            try await tunnel.say(
                .result(
                    id: id,
                    TunnelReply(
                        clientID: host.host.clientID, command: "status",
                        outcome: HostOutcome(success: true, message: "well", output: "more"),
                        time: plane.authority.now
                    ).value))
            let text = try await answer
            #expect(text.status == 200 && text.json?["message"]?.string == "well", "\(text.text)")
            let agents = try await plane.send(TestRequest("GET", "/v1/agents", by: admin))
            #expect(agents.json?["items"]?.array?.first?["connected"] != nil)
        }
    }

    @Test func whenTheServerEndsEveryTunnelIsToldAndClosed() async throws {
        try await TestPlane.with { plane in
            let tunnel = try await TestTunnel.open(plane, try await TestTunnel.join(plane))
            #expect(plane.hub.count == 1)
            await plane.hub.closeAll("the server is going away", within: .seconds(20))
            #expect(plane.hub.count == 0)
            #expect(await tunnel.connection.hasReceived("the server is going away"))
        }
    }

    @Test func attack42_aTokenOfAWeekIsNotTakenFromAHostWithOurAgent() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            let token = try HostToken.signP0(
                subject: host.host.clientID, now: plane.authority.now, by: host.key)
            let tunnel = try await TestTunnel(asking: plane, token: token, subprotocol: nil)
            #expect(await tunnel.connection.hasReceived("\r\n\r\n"))
            #expect(tunnel.connection.text.hasPrefix("HTTP/1.1 401 "), "\(tunnel.connection.text)")
            // An administrator's word that its agent is another makes it good.
            _ = try await TestTunnel.openP0(plane, host)
        }
    }

    @Test func aHostThatIsNotConnectedIsSaidNotToBe() async throws {
        try await TestPlane.with { plane in
            _ = try await TestTunnel.join(plane)
            let admin = try await plane.parts.session("admin@example.com")
            let answer = try await plane.send(
                TestRequest(
                    "POST", "/v1/agents/web1/call", .object([.init("command", .string("status"))]), by: admin)
            )
            #expect(answer.status == 502 && answer.code == "host-unavailable")
        }
    }

    @Test func aCallWithoutAnAnswerEndsWithItsTunnel() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.open(plane, host)
            let call = Task {
                try await plane.hub.call("web1", .object([.init("command", .string("status"))]))
            }
            guard case .request = try await tunnel.hear() else { throw UnexpectedOutcome(what: "no call") }
            try await tunnel.connection.channel.close()
            await #expect(throws: Problem.self) { try await call.value }
            try await eventually("the tunnel is gone") { plane.hub.count == 0 }
        }
    }

    /// What makes a token worth nothing.
    enum Flaw: CaseIterable, Sendable {
        case none, otherServer, otherKey, unknownHost, expired, p0Profile
    }

    @Test(arguments: Flaw.allCases)
    func attack42_aTokenOfAnotherKindOrForAnotherServerOpensNothing(flaw: Flaw) async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            let token: String? =
                switch flaw {
                case .none: nil
                case .otherServer: try host.token(plane, audience: "https://elsewhere.example.com")
                case .otherKey: try host.token(plane, by: try HostKey.generate())
                case .unknownHost: try host.token(plane, subject: "daypass:web9:ssh")
                case .expired: try host.token(plane)
                case .p0Profile:
                    try HostToken.signP0(subject: host.host.clientID, now: plane.authority.now, by: host.key)
                }
            if flaw == .expired { plane.parts.clock.advance(seconds: 301) }
            let tunnel = try await TestTunnel(asking: plane, token: token)
            #expect(await tunnel.connection.hasReceived("\r\n\r\n"))
            #expect(tunnel.connection.text.hasPrefix("HTTP/1.1 401 "), "\(flaw): \(tunnel.connection.text)")
            #expect(await tunnel.connection.closed(within: .seconds(20)) != nil)
            if let token { #expect(!plane.log.text.contains(token.suffix(40))) }
        }
    }

    @Test func attack42_aTokenOpensOneTunnel() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            let token = try host.token(plane)
            var first = try await TestTunnel(asking: plane, token: token)
            try await first.passHead()
            let second = try await TestTunnel(asking: plane, token: token)
            #expect(await second.connection.hasReceived("it was used before"))
        }
    }

    @Test func p0Fault2_4_aHostCannotSayThatItIsAnother() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            _ = try await TestTunnel.join(plane, "web2")
            var tunnel = try await TestTunnel(asking: plane, token: try host.token(plane))
            try await tunnel.passHead()
            try await tunnel.say(
                .request(
                    id: .number(0), method: Tunnel.setClientID,
                    params: .object([.init("clientId", .string("daypass:web2:ssh"))])))
            guard case .failure = try await tunnel.hear() else { throw UnexpectedOutcome(what: "taken") }
            #expect(plane.hub.status(of: "web2").connected == nil)
            // Nothing else is answered before it has said who it is.
            try await tunnel.say(.request(id: .number(1), method: Tunnel.state, params: .object([])))
            guard case .failure = try await tunnel.hear() else { throw UnexpectedOutcome(what: "taken") }
        }
    }

    @Test func aHostThatGoesWithoutAWordIsAwayAtOnceAndNotWhenItsPingsFail() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            let tunnel = try await TestTunnel.open(plane, host)
            #expect(plane.hub.count == 1)
            let start = ContinuousClock.now
            // Its own end waits for the server's, by five seconds at most.
            try await tunnel.connection.channel.close()
            while plane.hub.count > 0, ContinuousClock.now - start < .seconds(12) {
                try await Task.sleep(for: .milliseconds(10))
            }
            // Pings notice it after 15.
            #expect(ContinuousClock.now - start < .seconds(4))
        }
    }

    @Test func p0Fault2_6_theLateEndOfAnOldTunnelLeavesTheNewOneInPlace() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            let old = try await TestTunnel.open(plane, host)
            var new = try await TestTunnel.open(plane, host)
            #expect(await old.connection.closed(within: .seconds(20)) != nil)
            try await eventually("one tunnel") { plane.hub.count == 1 }
            async let reply = plane.hub.call("web1", .object([.init("command", .string("status"))]))
            guard case .request(let id, _, _) = try await new.hear() else {
                throw UnexpectedOutcome(what: "no call")
            }
            try await new.say(
                .result(
                    id: id,
                    TunnelReply(
                        clientID: host.host.clientID, command: "status",
                        outcome: HostOutcome(success: true, message: "new"), time: plane.authority.now
                    ).value))
            let message = try await reply.outcome.message
            #expect(message == "new")
        }
    }

    @Test(arguments: [
        "{", "[]", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"state\"}]", "nul", "{\"jsonrpc\":\"1.0\"}",
    ])
    func p0Fault2_1_whatIsNoMessageIsAnsweredAndTheTunnelStays(text: String) async throws {
        try await TestPlane.with { plane in
            var tunnel = try await TestTunnel.open(plane, try await TestTunnel.join(plane))
            try await tunnel.say(.text, Array(text.utf8))
            guard case .failure(nil, _) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "not refused")
            }
            try await tunnel.say(.request(id: .number(7), method: "nosuch", params: nil))
            guard case .failure(.number(7), let error) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "not refused")
            }
            #expect(error.code == RPCError.Code.methodNotFound.rawValue)
            // A notification gets no answer; a ping does.
            try await tunnel.say(.notification(method: "nosuch", params: nil))
            try await tunnel.say(.ping, [1, 2])
            guard case .pong([1, 2]) = try await tunnel.event() else {
                throw UnexpectedOutcome(what: "no pong")
            }
        }
    }

    @Test(
        arguments: [
            // A frame that is not masked, one with a reserved bit, one of 2^63 bytes, half a head and no more.
            [0x81, 0x01, 0x61], [0xf1, 0x80, 0, 0, 0, 0],
            [0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] as [[UInt8]])
    func framesThatAreNoneEndTheTunnelAndNothingElse(bytes: [UInt8]) async throws {
        try await TestPlane.with { plane in
            let tunnel = try await TestTunnel.open(plane, try await TestTunnel.join(plane))
            try await tunnel.connection.say(bytes)
            // A frame that is merely not masked is read or refused; what the server must not do is stop.
            _ = await tunnel.connection.closed(within: .seconds(2))
            #expect(try await plane.send(TestRequest("GET", "/healthz")).status == 200)
        }
    }

    @Test func recordsComeIntoTheLogAndAreShown() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.open(plane, host)
            var event = SessionEvent(
                .open, via: .pam, time: RecordTime(nanoseconds: 1_000_000_000), uptimeMicroseconds: 1)
            event.account = "deploy"
            event.session = "ab"
            event.methods = [LoginMethod("publickey", .key(type: "ssh-ed25519", fingerprint: "SHA256:k"))]
            let record = SessionRecord(
                sequence: 1, previous: SessionRecord.genesis(host: "web1"), host: "web1", event: event)
            let line = String(decoding: record.line, as: UTF8.self)
            try await tunnel.say(
                .request(
                    id: .number(5), method: Tunnel.report,
                    params: .object([.init("records", .array([.string(line)]))])))
            guard case .result(.number(5), let value) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "not taken")
            }
            #expect(value["recorded"]?.number == 1)
            let admin = try await plane.parts.session("admin@example.com")
            let list = try await plane.send(
                TestRequest("GET", "/v1/host-sessions?host=web1&alerts=true", by: admin))
            let item = try #require(list.json?["items"]?.array?.first)
            #expect(try HostEventInfo(json: item).match == "static key")
            #expect(plane.log.text.contains("static key"))
            // Where to go on is told when the tunnel is opened again.
            var again = try await TestTunnel(asking: plane, token: try host.token(plane))
            try await again.passHead()
            try await again.say(
                .request(
                    id: .number(0), method: Tunnel.setClientID,
                    params: .object([.init("clientId", .string(host.host.clientID))])))
            guard case .result(_, let told) = try await again.hear() else {
                throw UnexpectedOutcome(what: "not introduced")
            }
            #expect(told["recorded"]?["sequence"]?.number == 1)
            #expect(told["recorded"]?["sha256"]?.string == hexadecimal(Digest.sha256(record.line)))
        }
    }

    @Test(arguments: ["{}", "{\"records\":1}", "{\"records\":[1]}", "{\"records\":[\"x\"]}"])
    func aReportThatIsNoneIsRefusedAndNothingIsRecorded(params: String) async throws {
        try await TestPlane.with { plane in
            var tunnel = try await TestTunnel.open(plane, try await TestTunnel.join(plane))
            let value = try JSONValue(parsing: Array(params.utf8), maximumBytes: 1_024)
            try await tunnel.say(.request(id: .number(1), method: Tunnel.report, params: value))
            guard case .failure(.number(1), let error) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "taken")
            }
            #expect(error.code == RPCError.Code.invalidParams.rawValue)
            #expect(plane.hub.fleet.recordPlace(of: "web1") == nil)
        }
    }

    @Test func whatAnAgentInDryRunSaysYesToIsNotInPlace() async throws {
        let signer = RevocationSigner(try PrivateKey.generate(.ed25519, comment: ""))
        try await TestPlane.with(revocationSigner: signer) { plane in
            let host = try await TestTunnel.join(plane)
            var tunnel = try await TestTunnel.open(plane, host)
            try await tunnel.say(
                .request(
                    id: .number(1), method: Tunnel.state, params: .object([.init("dryRun", .bool(true))])))
            guard case .result = try await tunnel.hear() else { throw UnexpectedOutcome(what: "not taken") }
            let admin = try await plane.parts.session("admin@example.com")
            let lost = try PrivateKey.generate(.ed25519, comment: "").publicKey
            async let revoked = plane.send(
                TestRequest(
                    "POST", "/v1/revocations",
                    .object([.init("keys", .array([.string(lost.text)])), .init("reason", "lost")]), by: admin
                ))
            guard case .request(let id, Tunnel.call, _) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "no call")
            }
            try await tunnel.say(
                .result(
                    id: id,
                    TunnelReply(
                        clientID: host.host.clientID, command: "revocations",
                        outcome: HostOutcome(success: true, message: "dry run: 3 steps"),
                        time: plane.authority.now
                    ).value))
            let answer = try await revoked
            #expect(answer.json?["acknowledged"] == .array([]), "\(answer.text)")
            #expect(
                answer.json?["pending"]?.array?.first?["reason"] == "its agent only says what it would do")
            let agents = try await plane.send(TestRequest("GET", "/v1/agents", by: admin))
            #expect(agents.json?["items"]?.array?.first?["revocations"] == nil)
        }
    }

    @Test func whoseKeyIsTakenAwayIsCutAndComesInNoMore() async throws {
        try await TestPlane.with { plane in
            let host = try await TestTunnel.join(plane)
            let tunnel = try await TestTunnel.open(plane, host)
            let admin = try await plane.parts.session("admin@example.com")
            #expect(try await plane.send(TestRequest("DELETE", "/v1/agents/web1", by: admin)).status == 204)
            #expect(await tunnel.connection.closed(within: .seconds(20)) != nil)
            let again = try await TestTunnel(asking: plane, token: try host.token(plane))
            #expect(await again.connection.hasReceived("HTTP/1.1 401 "))
            #expect(try await plane.send(TestRequest("DELETE", "/v1/agents/web1", by: admin)).status == 404)
        }
    }
}
