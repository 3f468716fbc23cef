// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport
    import Testing

    @Suite(
        "What the fleet's root says reaches hosts", .serialized,
        .enabled(if: Running.asRoot, "accounts and namespaces are root's to make"),
        .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
        .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    struct FleetTrustStoryTests {
        @Test func aHostThatJoinsPinsTheRootAndTakesItsCAsAndTheirChanges() throws {
            let scene = try FleetTrustScene()
            let first = try scene.trust([scene.ownCA])
            #expect(first.stdoutText.contains("no host has joined yet"), "\(first)")
            let host = try scene.join("web1")
            #expect(try host.system.folder.readText("etc/daypass/fleet_root") == scene.rootLine)
            #expect(try host.system.folder.mode(of: "etc/daypass/fleet_root") == 0o644)
            #expect(host.system.folder.contains("etc/daypass/krl_signers"))
            // Nobody installed trust: the statement did, and proved it.
            try scene.wait("the first statement is in place") { try scene.state("web1") == "acknowledged" }
            let key = try scene.certify("web1")
            #expect(try host.login(key).succeeded, "\(host.logs)")

            // Who enters which account, from afar.
            let shut = try scene.admin.daypass(["hosts", "principals", "web1", "deploy="]).orThrow(
                "principals")
            #expect(shut.stdoutText.contains("web1: deploy: nobody: in place"), "\(shut)")
            #expect(try !host.login(key).succeeded)
            try scene.admin.daypass(["hosts", "principals", "web1", "deploy=deploy@web1,x"]).orThrow(
                "principals")
            #expect(try host.login(key).succeeded, "\(host.logs)")
            let unknown = try scene.admin.daypass(["hosts", "principals", "web1", "nobody-here=x"])
            #expect(unknown.status == 1 && unknown.stderrText.contains("no such account"), "\(unknown)")
            try scene.admin.daypass(["hosts", "principals", "web1", "--forget", "nobody-here"]).orThrow(
                "principals")

            // A CA's change: both, then the new one alone.
            let next = try scene.makeKey("next_ca")
            let other = try scene.certify(by: next, principal: "deploy@web1")
            #expect(try !host.login(other).succeeded)
            let both = try scene.trust([scene.ownCA, "\(next).pub"])
            #expect(both.stdoutText.contains("acknowledged"), "\(both) \(host.logs)")
            #expect(both.stderrText.contains("+ ssh-ed25519 SHA256:"), "\(both)")
            #expect(try host.login(key).succeeded && host.login(other).succeeded, "\(host.logs)")
            let alone = try scene.trust(["\(next).pub"])
            #expect(alone.stderrText.contains("hosts will refuse what it issues"), "\(alone)")
            #expect(try host.login(other).succeeded, "\(host.logs)")
            #expect(try !host.login(key).succeeded)

            // Its own key is changed while its tunnel is open; the agent goes on by the new one.
            let before = try host.system.folder.readText("etc/daypass/keys/jwk.public.json")
            let changed = try host.run(["keygen", "--rotate"], options: false).orThrow("rotate")
            #expect(changed.stdoutText != before && changed.stderrText.contains("key "), "\(changed)")
            try scene.wait("the host is back by its new key") {
                try scene.admin.daypass(["hosts", "principals", "web1", "deploy=deploy@web1,x"]).stdoutText
                    .contains("in place")
                    && scene.admin.daypass(["hosts", "list"]).stdoutText.contains("connected")
            }
            let twice = try host.run(["keygen", "--rotate"], options: false)
            #expect(twice.succeeded, "\(twice)")

            // Who was away has it at the next connection.
            host.stopAgent()
            try scene.wait("the host is gone") {
                try scene.admin.daypass(["hosts", "list"]).stdoutText.contains("away, seen")
            }
            let away = try scene.trust([scene.ownCA])
            #expect(away.stdoutText.contains("pending"), "\(away)")
            #expect(try !host.login(key).succeeded)
            let later = try scene.admin.daypass(["hosts", "principals", "web1", "deploy=deploy@web1,later"])
            #expect(later.stdoutText.contains("pending: the host is not connected"), "\(later)")
            #expect(try host.system.folder.readText("etc/daypass/principals/deploy") == "deploy@web1\nx\n")
            try host.startAgent()
            try scene.wait("the host has it") { try scene.state("web1") == "acknowledged" }
            #expect(try host.login(key).succeeded && !host.login(other).succeeded, "\(host.logs)")
            try scene.wait("the host has its principals") {
                try scene.admin.daypass(["hosts", "principals", "web1"]).stdoutText.contains("in place")
            }
            #expect(
                try host.system.folder.readText("etc/daypass/principals/deploy") == "deploy@web1\nlater\n")
            // The server remembers what the root said, and asks hosts again.
            scene.plane.stop()
            try scene.plane.start()
            try scene.wait("the host says it again", seconds: 60) {
                try scene.state("web1") == "acknowledged"
            }
            try scene.wait("the host has its principals") {
                try scene.admin.daypass(["hosts", "principals", "web1"]).stdoutText.contains("in place")
            }
            let log = try Tool.run(
                BuiltProduct.path("daypass"), ["log", "list", "--home", scene.plane.home]
            ).orThrow("log list")
            #expect(log.stdoutText.contains("fleet-trust"), "\(log)")
        }

        @Test func attack72_aStolenControlPlanesStatementIsRefusedByHostsAndShown() throws {
            let scene = try FleetTrustScene()
            try scene.trust([scene.ownCA]).orThrow("trust")
            let host = try scene.join("web1", ["--fleet-root", scene.rootFingerprint])
            try scene.wait("the first statement is in place") { try scene.state("web1") == "acknowledged" }
            let key = try scene.certify("web1")
            // Another key than the one that is pinned here.
            let thief = try scene.makeKey("thief")
            let refused = try scene.trust(["\(thief).pub"], by: thief)
            #expect(refused.status == 1 && refused.stderrText.contains("the fleet's root is"), "\(refused)")
            // Whoever has the machine makes the server take it.
            scene.plane.stop()
            let settings = "\(scene.plane.home)/daypassd.yaml"
            let yaml = try String(contentsOfFile: settings, encoding: .utf8)
            try (yaml + "fleet_roots: \"\(thief).pub\"\n").write(
                toFile: settings, atomically: true, encoding: .utf8)
            try scene.plane.start()
            try scene.wait("the host is back", seconds: 60) {
                try scene.reason("web1") != "it is not connected"
            }
            let forged = try scene.trust(["\(thief).pub"], by: thief)
            #expect(forged.stdoutText.contains("refused"), "\(forged) \(host.logs)")
            #expect(try scene.reason("web1")?.contains("which is no root key of this host's fleet") == true)
            #expect(try host.login(key).succeeded, "\(host.logs)")
            let own = try scene.certify(by: thief, principal: "deploy@web1")
            #expect(try !host.login(own).succeeded)
            // A host that is told what to expect does not join such a server.
            let token = try scene.admin.daypass(["hosts", "join-token", "create", "--name", "web2"]).orThrow(
                "token")
            let folder = try TemporaryFolder()
            try folder.write(token.stdoutText, to: "token", mode: 0o600)
            try folder.write(
                host.system.folder.read("ssh_host_ed25519_key.pub"), to: "ssh_host_ed25519_key.pub")
            let joined = try Tool.run(
                BuiltProduct.path("daypass-agent"),
                [
                    "register", "--server", scene.plane.url, "--fingerprint", scene.plane.fingerprint,
                    "--join-token-file", folder.path("token"), "--hostname", "web2", "--config",
                    folder.path("agent.yaml"), "--key-path", folder.path("keys"), "--host-keys", folder.path,
                    "--config-folder", folder.path("etc"), "--fleet-root", scene.rootFingerprint,
                ])
            #expect(joined.status == 1 && joined.stderrText.contains("is expected"), "\(joined)")
            #expect(!folder.contains("agent.yaml") && !folder.contains("etc/fleet_root"))
        }
    }

    extension FleetTrustStoryTests {
        @Test func theRootsKeyMayBeEncryptedOrInAnAgentAndSSHKeygenVerifiesWhatItSigns() throws {
            let scene = try FleetTrustScene()
            let folder = scene.admin.folder
            let passphrase = try folder.write("correct horse\n", to: "passphrase", mode: 0o600)
            let key = folder.path("encrypted")
            let made = try scene.admin.daypass(["fleet", "init", key, "--passphrase-file", passphrase])
                .orThrow(
                    "fleet init")
            #expect(made.stdoutText.contains("root  SHA256:"), "\(made)")
            #expect(try folder.mode(of: "encrypted") == 0o600)
            #expect(try !Tool.run("ssh-keygen", ["-y", "-P", "", "-f", key]).succeeded)
            #expect(try Tool.run("ssh-keygen", ["-y", "-P", "correct horse", "-f", key]).succeeded)
            let again = try scene.admin.daypass(["fleet", "init", key, "--no-passphrase"])
            #expect(again.status == 1 && again.stderrText.contains("is there already"), "\(again)")

            // Nothing is signed or sent by looking.
            let dry = try scene.admin.daypass([
                "fleet", "trust", "--key", scene.root, "--ca", scene.ownCA, "--dry-run",
            ]).orThrow("dry run")
            #expect(dry.stderrText.contains("the first, for 0 hosts"), "\(dry)")
            let none = try scene.admin.daypass(["fleet", "show"]).orThrow("show")
            #expect(none.stdoutText.contains("there is no statement yet"), "\(none)")

            // By a key that an ssh-agent holds.
            let agent = try PrivateAgent()
            let environment = ["SSH_AUTH_SOCK": agent.socket]
            try Tool.run("ssh-add", ["-q", scene.root], environment: Tool.environment(adding: environment))
                .orThrow(
                    "ssh-add")
            try scene.admin.daypass(
                ["fleet", "trust", "--key", "\(scene.root).pub", "--ca", scene.ownCA, "--yes"],
                environment: environment
            ).orThrow("fleet trust")
            let shown = try scene.admin.daypass(["fleet", "show", "--format", "json"]).orThrow("show")
            let json = try JSONValue(parsing: Array(shown.stdoutText.utf8), maximumBytes: 1 << 20)
            let signature = try folder.write(try #require(json["signature"]?.string), to: "statement.sig")
            let statement = try #require(json["statement"]?.string)
            let checked = try Tool.run(
                "ssh-keygen", ["-Y", "check-novalidate", "-n", "daypass-fleet", "-s", signature],
                stdin: Array(statement.utf8))
            let fingerprint = try scene.rootFingerprint
            #expect(checked.succeeded && checked.stdoutText.contains(fingerprint), "\(checked)")

            // The passphrase opens the other key, which is not the root.
            let other = try scene.admin.daypass([
                "fleet", "trust", "--key", key, "--passphrase-file", passphrase, "--ca", scene.ownCA, "--yes",
            ])
            #expect(other.status == 1 && other.stderrText.contains("and the fleet's root is"), "\(other)")
            let older = try scene.admin.daypass([
                "fleet", "trust", "--key", scene.root, "--ca", scene.ownCA, "--statement-version", "1",
                "--yes",
            ])
            #expect(older.status == 1 && older.stderrText.contains("has 1 already"), "\(older)")
        }
    }

    /// A control plane, who administers it and keeps the fleet's root key, who uses it, and hosts.
    final class FleetTrustScene {
        let plane: PrivateControlPlane
        let admin: Laptop
        let alice: Laptop
        private(set) var hosts: [FleetHost] = []
        private var certificates = 0

        private static let rules = """
              - name: deployers
                hosts: [{id: "web*"}]
                logins: [deploy]
                allow:
                  or:
                    - user: "alice@example.com"
            """

        init() throws {
            plane = try PrivateControlPlane(rules: Self.rules)
            admin = try Laptop(withAgent: false)
            alice = try Laptop(withAgent: false)
            try admin.logIn(to: plane, key: plane.adminKey)
            try admin.daypass(["keys", "add", "--identity", "alice@example.com", "\(alice.key).pub"]).orThrow(
                "keys add")
            try alice.logIn(to: plane, key: alice.key)
            try admin.daypass(["fleet", "init", root, "--no-passphrase"]).orThrow("fleet init")
        }

        var root: String { admin.folder.path("fleet_root") }
        var ownCA: String { "\(plane.home)/user_ca.pub" }

        /// As a host pins it.
        var rootLine: String {
            get throws {
                let words = try admin.folder.readText("fleet_root.pub").split(separator: " ")
                return words.prefix(2).joined(separator: " ") + "\n"
            }
        }

        var rootFingerprint: String {
            get throws {
                let said = try Tool.run("ssh-keygen", ["-l", "-f", "\(root).pub"]).orThrow("fingerprint")
                return said.stdoutText.split(separator: " ").map(String.init)[1]
            }
        }

        @discardableResult
        func trust(_ authorities: [String], by key: String? = nil) throws -> ToolResult {
            try admin.daypass(
                ["fleet", "trust", "--key", key ?? root, "--yes"] + authorities.flatMap { ["--ca", $0] })
        }

        func join(_ name: String, _ more: [String] = []) throws -> FleetHost {
            let host = try FleetHost(
                name, plane: plane, admin: admin, installsTrust: false, registering: more)
            hosts.append(host)
            return host
        }

        private func shown(_ name: String) throws -> FleetTrustInfo.Host? {
            let text = try admin.daypass(["fleet", "show", "--format", "json"]).orThrow("fleet show")
                .stdoutText
            let info = try FleetTrustInfo(
                json: try JSONValue(parsing: Array(text.utf8), maximumBytes: 1 << 20))
            return info.hosts.first { $0.host == name }
        }

        func state(_ name: String) throws -> String? { try shown(name)?.state.rawValue }
        func reason(_ name: String) throws -> String? { try shown(name)?.reason }

        func makeKey(_ name: String) throws -> String {
            let key = admin.folder.path(name)
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key]).orThrow(
                "key")
            return key
        }

        /// Gets alice a certificate for one host.
        func certify(_ host: String) throws -> String {
            let key = try userKey()
            try alice.daypass([
                "certificate", "--host", host, "--login", "deploy", "--key", "\(key).pub", "--output",
                "\(key)-cert.pub",
            ]).orThrow("certificate")
            return key
        }

        /// A certificate by a CA of which the control plane knows nothing.
        func certify(by authority: String, principal: String) throws -> String {
            let key = try userKey()
            try Tool.run(
                "ssh-keygen",
                [
                    "-q", "-s", authority, "-I", "somebody", "-n", principal, "-V", "-1m:+1h", "\(key).pub",
                ]
            ).orThrow("sign")
            return key
        }

        private func userKey() throws -> String {
            certificates += 1
            let key = alice.folder.path("key\(certificates)")
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]).orThrow("key")
            return key
        }

        func wait(_ what: String, seconds: Int = 60, _ condition: () throws -> Bool) throws {
            let end = ContinuousClock.now + .seconds(seconds)
            repeat {
                if try condition() { return }
                usleep(50_000)
            } while ContinuousClock.now < end
            throw TestSupportError("never: \(what): \(plane.log) \(hosts.map(\.logs).joined())")
        }
    }
#endif
