// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import TestSupport
import Testing

@Suite struct RegisterTests {
    static let answer =
        #"{"clientId":"acme:web1:ssh","tunnelUrl":"wss://ca.example.com:8443/v1/tunnel","fleetRoots":null}"#

    /// A folder with a host key and a token, and what register does in it.
    private struct Scene {
        let folder = try? TemporaryFolder()

        func run(_ arguments: [String]) throws -> (ToolResult, TemporaryFolder) {
            let folder = try #require(folder)
            if !folder.contains("ssh") {
                try folder.makeFolder("ssh")
                try Tool.run(
                    "ssh-keygen",
                    [
                        "-q", "-t", "ed25519", "-N", "", "-C", "root@web1", "-f",
                        folder.path("ssh/ssh_host_ed25519_key"),
                    ]
                ).orThrow("a host key")
                try folder.write("one-time-token\n", to: "token", mode: 0o600)
            }
            let result = try Tool.run(
                BuiltProduct.path("daypass-agent"),
                [
                    "register", "--key-path", folder.path("keys"), "--host-keys", folder.path("ssh"),
                    "--hostname", "web1",
                    "--label", "env=prod",
                ] + arguments)
            return (result, folder)
        }

        /// Joins a server that answers with these bytes.
        func join(_ response: String, _ arguments: [String] = []) throws -> (
            ToolResult, TemporaryFolder, JSONValue?
        ) {
            let folder = try #require(folder)
            try folder.write(response, to: "response")
            let server = try TunnelServer(
                "join", folder: folder, arguments: ["--send", folder.path("response")])
            let (result, _) = try run(
                [
                    "--server", "http://127.0.0.1:\(server.port)/", "--join-token-file", folder.path("token"),
                    "--config",
                    folder.path("agent.yaml"),
                ] + arguments)
            return (result, folder, try server.events("post").last)
        }
    }

    private func http(_ body: String, status: String = "200 OK") -> String {
        "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test func withoutAServerTheRequestIsPrinted() throws {
        let scene = Scene()
        let (result, folder) = try scene.run([])
        let json = try JSONValue(parsing: result.stdout, maximumBytes: 64 << 10)
        #expect(json["hostname"] == "web1")
        #expect(json["labels"] == .array(["env=prod"]))
        #expect(json["environmentId"] == "default")
        #expect(json["fingerprint"]?.string?.hasPrefix("SHA256:") == true)
        #expect(json["fingerprintPublicKey"]?.string?.hasSuffix("root@web1") == true)
        #expect(
            try JSONWebKey(try #require(json["jwkPublicKey"]))
                == JSONWebKey(parsing: try folder.read("keys/jwk.public.json")))
        let yaml = try scene.run(["--output", "yaml"]).0
        #expect(yaml.stdoutText.hasPrefix("hostname: \"web1\"\n"))
        #expect(try folder.mode(of: "keys/jwk.private.json") == 0o600)
        #expect(try folder.mode(of: "keys") == 0o700)
    }

    @Test func joiningSendsTheTokenAndWritesSettingsThatStartTakes() throws {
        let scene = Scene()
        let (result, folder, post) = try scene.join(http(Self.answer))
        #expect(result.succeeded, "\(result)")
        let body = try JSONValue(parsing: Array((post?["body"]?.string ?? "").utf8), maximumBytes: 64 << 10)
        #expect(post?["head"]?.string?.hasPrefix("POST /v1/hosts/join HTTP/1.1\r\n") == true)
        #expect(body["token"] == "one-time-token")
        #expect(body["hostKeys"]?.array?.count == 1)
        #expect(body["publicJwk"]?["d"] == nil)
        #expect(!result.stderrText.contains("one-time-token"))
        let settings = try folder.readText("agent.yaml")
        #expect(settings.contains("clientId: \"acme:web1:ssh\"\n"))
        #expect(settings.contains("tunnelHost: \"wss://ca.example.com:8443/v1/tunnel\"\n"))
        #expect(settings.contains("protocol: \"daypass\"\n"))
        #expect(!settings.contains("one-time-token"))
        let status = try Tool.run(
            BuiltProduct.path("daypass-agent"),
            [
                "status", "--offline", "--config", folder.path("agent.yaml"), "--runtime-folder",
                folder.path("none"),
            ])
        #expect(status.status == 1)
        #expect(status.stdoutText.contains("acme:web1:ssh, wss://ca.example.com:8443/v1/tunnel"))
        // It is not joined twice by mistake.
        let again = try scene.join(http(Self.answer))
        #expect(again.0.status == 1 && again.2 == nil)
        #expect(try scene.join(http(Self.answer), ["--force"]).0.succeeded)
    }

    @Test func anAnswerInChunksIsTaken() throws {
        let (one, two) = (Self.answer.prefix(20), Self.answer.dropFirst(20))
        let response =
            "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n\(String(one.utf8.count, radix: 16))\r\n\(one)\r\n"
            + "\(String(two.utf8.count, radix: 16))\r\n\(two)\r\n0\r\n\r\n"
        #expect(try Scene().join(response).0.succeeded)
    }

    @Test(arguments: [
        #"{"clientId":"a:b:ssh","tunnelUrl":"ws://ca.example.com/t"}"#,
        #"{"clientId":"a:b:ssh","tunnelUrl":"https://ca.example.com/t"}"#,
        #"{"clientId":"a\nb","tunnelUrl":"wss://ca.example.com/t"}"#,
        #"{"tunnelUrl":"wss://ca.example.com/t"}"#, "[]", "not json",
        #"{"clientId":"a:b:ssh","tunnelUrl":"wss://ca.example.com/t","fleetRoots":["nonsense"]}"#,
    ])
    func attack50_anAnswerThatIsNoneBecomesNoSetting(body: String) throws {
        let (result, folder, _) = try Scene().join(http(body))
        #expect(result.status == 1)
        #expect(!folder.contains("agent.yaml"))
    }

    @Test func whatTheServerNamesIsPinnedOnceAndNeverChangedByAnAnswer() throws {
        let (root, signer) = (
            try PrivateKey.generate(.ed25519, comment: "").publicKey,
            try PrivateKey.generate(.ed25519, comment: "").publicKey
        )
        func answer(_ root: PublicKey) -> String {
            #"{"clientId":"acme:web1:ssh","tunnelUrl":"wss://ca.example.com/t","fleetRoots":["\#(root.text)"],"revocationKey":"\#(signer.text)"}"#
        }
        let scene = Scene()
        let config = ["--config-folder", scene.folder?.path("etc") ?? ""]
        let (result, folder, _) = try scene.join(http(answer(root)), config)
        #expect(result.succeeded, "\(result)")
        #expect(result.stderrText.contains("pinned the fleet root \(root.fingerprint)"), "\(result)")
        #expect(try folder.readText("etc/fleet_root") == root.text + "\n")
        #expect(try folder.readText("etc/krl_signers") == signer.text + "\n")
        #expect(try folder.mode(of: "etc/fleet_root") == 0o644)
        #expect(try scene.join(http(answer(root)), config + ["--force"]).0.succeeded)
        let settings = try folder.readText("agent.yaml")
        let other = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let refused = try scene.join(http(answer(other)), config + ["--force"]).0
        #expect(refused.status == 1 && refused.stderrText.contains("pins the fleet root"), "\(refused)")
        #expect(try folder.readText("etc/fleet_root") == root.text + "\n")
        #expect(try folder.readText("agent.yaml") == settings)
        let expected = try Scene().join(
            http(answer(other)), ["--fleet-root", root.fingerprint, "--config-folder", folder.path("etc2")])
        #expect(expected.0.status == 1 && expected.0.stderrText.contains("is expected"), "\(expected.0)")
        #expect(!folder.contains("etc2"))
    }

    @Test func aRefusedTokenIsSaidInTheServersWords() throws {
        let (result, folder, _) = try Scene().join(
            http(#"{"title":"Forbidden","detail":"the token was used\u001b[2J"}"#, status: "403 Forbidden"))
        #expect(result.status == 1)
        #expect(result.stderrText.contains("status 403: the token was used\\u{1b}[2J"))
        #expect(!folder.contains("agent.yaml"))
    }

    @Test func p0sBackendGetsTheRequestAsItExpectsIt() throws {
        let scene = Scene()
        let folder = try #require(scene.folder)
        try folder.write(
            http(
                #"{"ok":true,"environmentId":"e","hostId":"h","orgId":"o","trustedCa":"x","tunnelHost":"wss://api.p0.app"}"#
            ),
            to: "response")
        let server = try TunnelServer("join", folder: folder, arguments: ["--send", folder.path("response")])
        try folder.write("bearer-token", to: "auth", mode: 0o600)
        let (result, _) = try scene.run([
            "--url", "http://127.0.0.1:\(server.port)/o/o/register", "--auth-file", folder.path("auth"),
            "--config",
            folder.path("p0.yaml"), "--allow-root",
        ])
        #expect(result.succeeded, "\(result)")
        let post = try #require(try server.events("post").first)
        #expect(post["head"]?.string?.contains("\r\nAuthorization: Bearer bearer-token\r\n") == true)
        let body = try JSONValue(parsing: Array((post["body"]?.string ?? "").utf8), maximumBytes: 64 << 10)
        let inner = try Base64.decode("key", try #require(body["key"]?.string))
        let request = try JSONValue(parsing: inner, maximumBytes: 64 << 10)
        guard case .object(let members) = request else { return }
        #expect(
            members.map(\.name)
                == [
                    "hostname", "publicIp", "fingerprint", "fingerprintPublicKey", "jwkPublicKey", "labels",
                    "timestamp",
                ])
        let settings = try folder.readText("p0.yaml")
        #expect(settings.contains("orgId: \"o\"\nhostId: \"h\"\n"))
        #expect(!settings.contains("trustedCa"))
    }
}
