// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import SSHWire
import TestSupport
import Testing

@Suite struct TunnelTests {
    private static func call(_ id: Int, _ data: String, timeout: Int = 4_000) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"call","params":{"headers":{"content-type":"application/json"},"method":"POST","path":"","params":{},"data":\#(data),"options":{"timeoutMillis":\#(timeout)}}}"#
    }

    private static let grant =
        #"{"command":"provisionUser","userName":"alice","action":"grant","requestId":"req1"}"#

    private func header(_ name: String, _ event: JSONValue) -> String? {
        guard case .object(let members)? = event["headers"] else { return nil }
        return members.first { $0.name.lowercased() == name }?.value.string
    }

    @Test func aFolderOfTheKeyInWhichGrantsAreSweptIsRefused() throws {
        let folder = try TemporaryFolder()
        try folder.write("protocol: daypass\n", to: "agent.yaml", mode: 0o644)
        for name in ["granted_keys", "principals/keys"] {
            let result = try Tool.run(
                BuiltProduct.path("daypass-agent"),
                [
                    "start", "--config", folder.path("agent.yaml"), "--config-folder", folder.path,
                    "--key-path",
                    folder.path(name),
                ])
            #expect(
                result.status == 1 && result.stderrText.contains("so the host's key would be"), "\(result)")
        }
    }

    @Test func aServerAsP0sIsSpokenToAsP0sAgentDoes() throws {
        let scene = try TunnelScene(
            sent: [
                Self.call(1, Self.grant), Self.call(2, "{}"), #"{"jsonrpc":"2.0","id":3,"method":"nosuch"}"#,
            ],
            arguments: ["--dry-run"])
        let first = try scene.waitForMessage("setClientId") { $0["method"] == "setClientId" }
        #expect(
            first.text
                == #"{"id":0,"jsonrpc":"2.0","method":"setClientId","params":{"clientId":"acme:h-1:ssh"}}"#)
        let request = try #require(try scene.server.events("request").first)
        #expect(request["path"] == "/socket")
        let token = try #require(header("authorization", request)?.dropFirst("Bearer ".count))
        let now = UnixTime(seconds: UInt64(Date().timeIntervalSince1970))
        #expect(throws: Never.self) {
            try HostToken(
                verifying: String(token), by: scene.key, subject: "acme:h-1:ssh", profile: .p0, now: now)
        }
        let answer = try scene.waitForMessage("the answer") { $0["id"] == 1 && $0["result"] != nil }
        let reply = try TunnelReply(try #require(answer["result"]))
        #expect(reply.outcome.success && reply.outcome.message.hasPrefix("dry run: "), "\(reply.outcome)")
        #expect((reply.status, reply.clientID) == (200, "acme:h-1:ssh"))
        let nothing = try scene.waitForMessage("the second answer") { $0["id"] == 2 && $0["result"] != nil }
        #expect(nothing["result"]?["data"]?["message"] == "Request logged - no command specified")
        let unknown = try scene.waitForMessage("the refusal") { $0["id"] == 3 && $0["error"] != nil }
        #expect(unknown["error"]?["code"] == -32_601)
        // The token is nobody's but the server's.
        #expect(!scene.said.contains(token.suffix(40)))
        #expect(scene.said.contains("Authorization: Bearer <redacted>"))
        scene.signal(SIGTERM)
        #expect(scene.waitForEnd() == .exited(0))
        _ = try scene.wait("the goodbye") { try scene.server.events("closed").first { $0["code"] == 1_001 } }
    }

    @Test func aDaypassServerGetsTheStricterTokenAndTheHostsState() throws {
        let scene = try TunnelScene(
            serverArguments: ["--subprotocol", Tunnel.subprotocol], configuration: "protocol: daypass\n")
        let state = try scene.waitForMessage("state") { $0["method"] == "state" }
        #expect(state["params"]?["agentVersion"] == "0.1.0")
        #expect(state["params"]?["dryRun"] == false)
        let request = try #require(try scene.server.events("request").first)
        let token = try #require(header("authorization", request)?.dropFirst("Bearer ".count))
        #expect(throws: Never.self) {
            try HostToken(
                verifying: String(token), by: scene.key, subject: "acme:h-1:ssh",
                profile: .daypass(audience: "http://127.0.0.1:\(scene.server.port)"),
                now: UnixTime(seconds: UInt64(Date().timeIntervalSince1970)))
        }
        #expect(try scene.server.events("open").first?["subprotocol"] == "daypass.v1")
    }

    // braekhus answers with the first subprotocol that it is offered.
    @Test func aServerThatTakesAnySubprotocolIsSpokenToAsTheSettingsSay() throws {
        let scene = try TunnelScene(
            sent: [Self.call(1, "{}")], serverArguments: ["--any-subprotocol"],
            configuration: "heartbeatIntervalSeconds: 1\n")
        _ = try scene.waitForMessage("the answer") { $0["id"] == 1 && $0["result"] != nil }
        _ = try scene.waitForMessage("the heartbeat") { $0["id"] == 1 && $0["method"] == "setClientId" }
        let request = try #require(try scene.server.events("request").first)
        #expect(header("sec-websocket-protocol", request) == nil)
        let methods = try scene.server.messages().compactMap { $0["method"]?.string }
        #expect(Set(methods) == ["setClientId"])
    }

    // P0's agent notices a dropped connection after up to a minute, and exits; over a batch or a malformed frame too.
    @Test(arguments: ["drop", "garbage", "masked", "close"])
    func p0Defect26_aLostConnectionIsMadeAnewInTheSameProcess(mode: String) throws {
        let scene = try TunnelScene(mode)
        _ = try scene.wait("a second connection") { try scene.server.events("open").count >= 2 ? true : nil }
        _ = try scene.wait("setClientId twice") {
            try scene.server.messages().filter { $0["method"] == "setClientId" }.count >= 2 ? true : nil
        }
        #expect(scene.isRunning)
        if mode == "garbage" { #expect(scene.said.contains("opcode 3 is not known")) }
    }

    // P0's agent exits with 1, until systemd gives it up for good.
    @Test func p0Defect26_aRefusedHostComesBackAndSaysSoOnce() throws {
        let scene = try TunnelScene("refuse")
        _ = try scene.waitForMessage("setClientId") { $0["method"] == "setClientId" }
        #expect(try scene.server.events("request").count == 3)
        try scene.waitUntilSaid("tunnel: connected to")
        let warnings = scene.said.split(separator: "\n").filter { $0.hasPrefix("warning: tunnel:") }
        #expect(
            warnings == ["warning: tunnel: the server does not let this host in (status 401); trying again"])
    }

    // P0's agent waits for ever for an answer to its heartbeat, and never pings.
    @Test(arguments: [("silent", "silent for 15 s"), ("mute", "no answer to setClientId")])
    func p0Defect26_aSilentServerIsLeftWithinFifteenSeconds(mode: String, cause: String) throws {
        let scene = try TunnelScene(mode)
        try scene.waitUntilSaid(cause)
        _ = try scene.wait("a second connection") { try scene.server.events("open").count >= 2 ? true : nil }
    }

    // P0's agent answers a notification, and drops the connection after a batch.
    @Test func p0Defect25_notificationsAreDoneAndNotAnsweredAndBatchesAreRefused() throws {
        let notification = Self.call(9, Self.grant).replacing(#""id":9,"#, with: "")
        let scene = try TunnelScene(
            sent: [
                notification, "[\(Self.call(5, "{}"))]", "garbage", Self.call(7, #"{"command":"status"}"#),
            ],
            arguments: ["--dry-run"])
        _ = try scene.waitForMessage("the last answer") { $0["id"] == 7 && $0["result"] != nil }
        try scene.waitUntilSaid("provisionUser (request req1): begun")
        let answers = try scene.server.messages().filter { $0["method"] == nil }
        #expect(answers.compactMap { $0["error"]?["code"]?.number } == [-32_600, -32_700])
        #expect(answers.filter { $0["result"] != nil }.count == 1)
        #expect(try scene.server.events("open").count == 1)
    }

    // P0's server repeats calls that fail, and its agent does them again.
    @Test func p0Defect25_aRepeatedCallIsAnsweredFromMemory() throws {
        let scene = try TunnelScene(
            sent: [
                Self.call(1, Self.grant), Self.call(2, Self.grant),
                Self.call(3, Self.grant.replacing("grant", with: "revoke")),
            ],
            arguments: ["--dry-run"])
        for id in 1...3 {
            _ = try scene.waitForMessage("answer \(id)") {
                $0["id"] == .number(Int64(id)) && $0["result"] != nil
            }
        }
        let begun = scene.said.split(separator: "\n").filter { $0.hasSuffix("(request req1): begun") }
        #expect(begun.count == 2)
    }

    // With P0's agent --tunnel-timeout does nothing.
    @Test func attack37_aServerThatSaysNothingIsLeftWhenItsTimeIsOver() throws {
        let scene = try TunnelScene("hang", arguments: ["--tunnel-timeout", "1000"])
        try scene.waitUntilSaid("no tunnel within 1 s")
        _ = try scene.wait("a second attempt") { try scene.server.events("connect").count >= 2 ? true : nil }
    }

    @Test(arguments: ["exec", "runScript", "bash", "../status", ""])
    func attack72_aCommandThatIsNoOperationIsNotRun(command: String) throws {
        let scene = try TunnelScene(
            sent: [Self.call(1, #"{"command":"\#(command)","script":"touch x","requestId":"r"}"#)])
        let answer = try scene.waitForMessage("the answer") { $0["id"] == 1 && $0["result"] != nil }
        let data = answer["result"]?["data"]
        #expect(
            command.isEmpty
                ? data?["message"] == "Request logged - no command specified"
                : data?["error"] == .string("unknown command: \(command)"))
    }

    // P0's agent dies of SIGHUP, which its unit sends for a reload.
    @Test func p0Defect1_aReloadTakesOtherSettingsWithoutANewProcess() throws {
        let scene = try TunnelScene()
        _ = try scene.waitForMessage("setClientId") { $0["method"] == "setClientId" }
        let text = try scene.folder.readText("agent.yaml").replacing("h-1", with: "h-2")
        try scene.folder.write(text, to: "agent.yaml")
        scene.signal(SIGHUP)
        _ = try scene.waitForMessage("the other name") { $0["params"]?["clientId"] == "acme:h-2:ssh" }
        #expect(scene.isRunning)
        // Settings that make no sense leave the tunnel as it is.
        try scene.folder.write("orgId: [", to: "agent.yaml")
        scene.signal(SIGHUP)
        try scene.waitUntilSaid("agent.yaml: line")
        #expect(try scene.server.events("open").count == 2)
    }

    @Test func aProxyIsAskedForTheNameAndNotToldTheToken() throws {
        let folder = try TemporaryFolder()
        let proxy = try TunnelServer("proxy", folder: folder)
        let scene = try TunnelScene(
            arguments: ["--insecure-transport"],
            environment: ["HTTP_PROXY": "http://user:secret@127.0.0.1:\(proxy.port)"],
            url: { "ws://tunnel.test:\($0)/socket" })
        _ = try scene.waitForMessage("setClientId") { $0["method"] == "setClientId" }
        let head = try #require(try proxy.events("connect").first?["head"]?.string)
        #expect(head.hasPrefix("CONNECT tunnel.test:\(scene.server.port) HTTP/1.1\r\n"))
        #expect(head.contains("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"))
        #expect(!head.contains("Bearer"))
        #expect(!scene.said.contains("secret"))
    }

    @Test func aSlowServerDelaysNoLoginReport() throws {
        // Nobody answers the connection attempt at all: a port that is bound and not accepted from.
        let scene = try TunnelScene("silent")
        try scene.waitUntilSaid("tunnel: connected to")
        let begin = ContinuousClock.now
        let socket = scene.folder.path("run/session.sock")
        for _ in 0..<10 {
            #expect(SessionSocket.ask(socket, Array("nonsense".utf8)) == Array("1".utf8))
        }
        #expect(ContinuousClock.now - begin < .seconds(5))
    }
}
