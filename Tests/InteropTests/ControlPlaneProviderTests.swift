// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import IdentityProviders
import TestSupport
import Testing

/// Logging in at real identity providers, through the control plane, and into a real sshd.
@Suite("daypass login at an identity provider", .serialized)
struct ControlPlaneProviderTests {
    private func settings(_ lines: String) -> String { "providers:\n\(lines)\n" }

    /// Who `status` says that one is.
    private func session(_ laptop: Laptop) throws -> JSONValue {
        let text = try laptop.daypass(["status", "--format", "json"]).orThrow("status").stdout
        return try #require(try JSONValue(parsing: text, maximumBytes: 1 << 20)["session"])
    }

    @Test func aCodeThatIsTypedInAtGlewlwydOpensTheHost() async throws {
        let glewlwyd = try await Glewlwyd()
        let scene = try ControlScene(
            settings: settings(
                """
                  - name: corp
                    issuer: \(glewlwyd.issuer)
                    client_id: \(Glewlwyd.clientID)
                    scopes: [openid]
                    sign_in: [device]
                """))
        let alice = scene.alice
        try alice.daypass(["logout"]).orThrow("logout")
        let log = alice.folder.path("login.log")
        let login = try ChildProcess(
            try BuiltProduct.path("daypass"), ["login", "--provider", "corp"], environment: alice.environment,
            in: alice.folder.path, log: log)
        let code: String = try await poll {
            let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            return said.split(separator: "\n").first { $0.hasPrefix("type   ") }.map {
                String($0.dropFirst("type   ".count))
            }
        }
        try glewlwyd.approve(userCode: code, as: "alice")
        let end = login.wait(for: .seconds(30))
        let said = try String(contentsOfFile: log, encoding: .utf8)
        #expect(end == .exited(0), "\(said)")
        #expect(said.contains("go to  \(glewlwyd.issuer)"), "\(said)")
        #expect(said.contains("this login is for the key SHA256:"), "\(said)")
        let session = try session(alice)
        #expect(session["identity"]?.string == "alice@example.com")
        #expect(session["provider"]?.string == "corp")
        #expect(session["groups"]?.array?.compactMap(\.string).sorted() == ["dba", "sre"])
        let entered = try alice.ssh(["web1", "echo", "entered"])
        #expect(entered.stdoutText == "entered\n", "\(entered)")
    }

    @Test func aBrowserThatComesBackFromTheMockLogsIn() async throws {
        let mock = try await ProviderMock()
        let folder = try TemporaryFolder()
        let secret = try folder.write("a client's secret\n", to: "secret")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: secret)
        let plane = try PrivateControlPlane(
            rules: ControlScene.rules(),
            settings: settings(
                """
                  - name: mock
                    issuer: \(mock.issuer)
                    client_id: daypass
                    client_secret_file: \(secret)
                """))
        let laptop = try Laptop(withAgent: false)
        // What a browser does when somebody signs in: sends the form, and follows where it is sent.
        let browser = try folder.write(
            "#!/bin/sh\nexec curl -sS -f -L --max-time 10 -o /dev/null -d sub=\"$WHO\" \"$1\"\n",
            to: "browser")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: browser)
        let login = [
            "login", "--server", plane.url, "--fingerprint", plane.fingerprint, "--provider", "mock",
            "--browser",
        ]
        let environment = ["BROWSER": browser, "WHO": "a1"]
        let alice = try laptop.daypass(login, environment: environment)
        #expect(alice.succeeded, "\(alice) \(plane.log)")
        let mine = try session(laptop)
        #expect(mine["identity"]?.string == "alice@example.com")
        // The same address, but nobody has verified it (attack row 10).
        let mallory = try laptop.daypass(login, environment: ["BROWSER": browser, "WHO": "m1"])
        #expect(mallory.status == 1)
        #expect(mallory.stderrText.contains("verified"), "\(mallory)")
        let still = try session(laptop)
        #expect(still["id"]?.string == mine["id"]?.string)
        // The identity is this account's until an administrator frees it, which ends the account's session.
        let admin = try Laptop(withAgent: false)
        try admin.logIn(to: plane, key: plane.adminKey)
        let owners = try admin.daypass(["identities", "list"]).orThrow("identities list").stdoutText
        #expect(owners.contains("alice@example.com") && owners.contains("mock"), "\(owners)")
        try admin.daypass(["identities", "free", "alice@example.com"]).orThrow("identities free")
        expectFailure(
            try laptop.daypass(["status"]), 1, "your session is over: an administrator freed your identity",
            hint: "log in again: daypass login")
        #expect(try laptop.daypass(login, environment: environment).succeeded)
    }
}
