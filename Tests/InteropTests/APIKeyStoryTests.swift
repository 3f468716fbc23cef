// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import SSHWire
import TestSupport
import Testing

/// API keys from their making to their end, with the built programs.
@Suite("A program that logs in by an API key")
struct APIKeyStoryTests {
    private static let rules = """
          - name: programs
            hosts: [{any: true}]
            logins: ["*"]
            allow:
              and:
                - provider: api-key
                - groups: {has: deployers}
        """

    /// A control plane with a host, and its administrator logged in.
    private struct Scene {
        let plane: PrivateControlPlane
        let admin: Laptop
        let program: Laptop

        init() throws {
            plane = try PrivateControlPlane(rules: APIKeyStoryTests.rules)
            admin = try Laptop(withAgent: false)
            program = try Laptop(withAgent: false)
            try admin.logIn(to: plane, key: plane.adminKey)
            try admin.daypass(["hosts", "add", "web1"]).orThrow("hosts add")
        }

        /// Makes a key, and puts it where the program finds it.
        func create(_ name: String, _ more: [String] = [], mode: Int = 0o600) throws -> String {
            let made = try admin.daypass(["api-keys", "create", "--name", name] + more).orThrow("create")
            let file = try program.folder.write(made.stdoutText, to: name, mode: mode_t(mode))
            return file
        }

        func logIn(_ file: String) throws -> ToolResult {
            try program.daypass([
                "login", "--server", plane.url, "--fingerprint", plane.fingerprint, "--api-key-file", file,
            ])
        }

        func certificate() throws -> ToolResult {
            try program.daypass([
                "certificate", "--key", "\(program.key).pub", "--host", "web1", "--login", "deploy",
            ])
        }
    }

    @Test func itGetsCertificatesUntilTheKeyIsRemoved() throws {
        let scene = try Scene()
        let file = try scene.create(
            "ci", ["--group", "deployers", "--expires", "90d", "--source-address", "127.0.0.0/8"])
        let token = try scene.program.folder.readText("ci")
        let form = try Regex("^daypass_[0-9a-f]{16}_[A-Za-z0-9_-]{43}\n$")
        #expect(token.wholeMatch(of: form) != nil, "\(token)")
        let login = try scene.logIn(file)
        #expect(login.succeeded, "\(login)\n\(scene.plane.log)")
        #expect(login.stdoutText.contains("as ci/api-key/ci"), "\(login)")
        let issued = try scene.certificate()
        #expect(issued.succeeded, "\(issued)")
        guard
            case .certificate(let certificate) = try PublicKeyLine(
                issued.stdoutText.trimmingCharacters(in: .newlines)
            ).content
        else { return #expect(Bool(false), "no certificate: \(issued)") }
        #expect(certificate.fields.keyID.string.hasPrefix("ci/api-key/ci#"))
        let status = try scene.program.daypass(["status"]).orThrow("status")
        #expect(status.stdoutText.contains("web1"), "\(status)")

        let listed = try scene.admin.daypass(["api-keys", "list"]).orThrow("list").stdoutText
        #expect(listed.contains("ci ") && listed.contains("127.0.0.0/8") && !listed.contains("daypass_"))
        try scene.admin.daypass(["api-keys", "remove", "ci"]).orThrow("remove")
        for result in [try scene.program.daypass(["status"]), try scene.certificate()] {
            expectFailure(
                result, 1, "your session is over: the API key that it was started by was removed",
                hint: "ask an administrator for a new API key")
        }
        let refused = try scene.logIn(file)
        #expect(refused.status == 1)
        #expect(refused.stderrText.contains("is not one of this authority, or was removed"), "\(refused)")
        // The log tells of both; neither it, nor what the server says and keeps, has the secret.
        let log = try Tool.run(
            try BuiltProduct.path("daypass"), ["log", "list", "--home", scene.plane.home, "--limit", "0"]
        ).orThrow("log list").stdoutText
        #expect(log.contains("api-key-set") && log.contains("api-key-removed"), "\(log)")
        let secret = String(token.dropLast().suffix(43))
        #expect(!log.contains(secret) && !scene.plane.log.contains(secret))
        for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
            // The second is there while the server has not written it back.
            let bytes = try? Data(contentsOf: URL(filePath: "\(scene.plane.home)/\(name)"))
            #expect(bytes?.range(of: Data(secret.utf8)) == nil, "\(name)")
        }
    }

    @Test func whatIsWrongIsSaidBeforeOrAfterItIsSent() throws {
        let scene = try Scene()
        let elsewhere = try scene.create("elsewhere", ["--source-address", "192.0.2.0/24"])
        let refused = try scene.logIn(elsewhere)
        #expect(refused.status == 1)
        #expect(
            refused.stderrText.contains("the API key elsewhere may not be used from 127.0.0.1"), "\(refused)")
        #expect(refused.stderrText.contains("hint: "), "\(refused)")
        let open = try scene.logIn(try scene.create("open", mode: 0o644))
        #expect(open.status == 1 && open.stderrText.contains("mode 0644"), "\(open)")
        let other = try scene.program.folder.write("another secret\n", to: "other", mode: 0o600)
        let notOne = try scene.logIn(other)
        #expect(notOne.status == 1 && notOne.stderrText.contains("there is no API key in it"), "\(notOne)")
        #expect(!notOne.stderrText.contains("another secret"))
        // From standard input it is taken as it comes.
        let piped = try Tool.run(
            try BuiltProduct.path("daypass"),
            [
                "login", "--server", scene.plane.url, "--fingerprint", scene.plane.fingerprint,
                "--api-key-file", "-",
            ], stdin: try scene.program.folder.read("open"), environment: scene.program.environment)
        #expect(piped.succeeded, "\(piped)")
        let twice = try scene.admin.daypass(["api-keys", "create", "--name", "open"])
        #expect(
            twice.status == 1 && twice.stderrText.contains("there is an API key open already"), "\(twice)")
        expectFailure(
            try scene.admin.daypass(["api-keys", "remove", "nothing"]), 1, "there is no API key nothing",
            hint: "daypass api-keys list shows them")
        // Who is no administrator makes none.
        let program = try scene.program.daypass(["api-keys", "create", "--name", "more"])
        #expect(program.status == 2 && program.stderrText.contains("only administrators"), "\(program)")
    }

    @Test func identitiesAreShownAndFreed() throws {
        let scene = try Scene()
        let none = try scene.admin.daypass(["identities", "list", "--format", "json"]).orThrow("list")
        #expect(none.stdoutText == "[]\n")
        expectFailure(
            try scene.admin.daypass(["identities", "free", "alice@example.com"]), 1,
            "the identity \"alice@example.com\" is nobody's",
            hint: "daypass identities list shows those that belong to somebody")
    }

    /// The host's id is in no host pattern, and no rule names an account.
    @Test func sshConfigFindsHostsOfRulesForAnyAccount() throws {
        let scene = try Scene()
        try scene.logIn(try scene.create("ci", ["--group", "deployers"])).orThrow("login")
        let config = scene.program.config
        let installed = try scene.program.daypass(["ssh-config", "install", "--file", config])
        #expect(installed.succeeded, "\(installed)")
        #expect(installed.stdoutText.contains("for *.example.com, web1"), "\(installed)")
        let status = try scene.program.daypass(["status"]).orThrow("status")
        #expect(status.stdoutText.contains("*"), "\(status)")
        // Whoever may enter nothing, where there are no patterns, is told what is missing.
        let yaml = "\(scene.plane.home)/daypassd.yaml"
        let text = try String(contentsOfFile: yaml, encoding: .utf8)
        try text.replacing(#"host_patterns: ["*.example.com"]"#, with: "host_patterns: []").write(
            toFile: yaml, atomically: true, encoding: .utf8)
        scene.plane.stop()
        try scene.plane.start()
        try scene.admin.daypass(["login", "--key", scene.plane.adminKey]).orThrow("login again")
        let nothing = try scene.admin.daypass(["ssh-config", "install", "--file", scene.admin.config])
        #expect(nothing.status == 1)
        #expect(nothing.stderrText.contains("the control plane names no host for you"), "\(nothing)")
        #expect(nothing.stderrText.contains("hint: daypass hosts add"), "\(nothing)")
    }
}
