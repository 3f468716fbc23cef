// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport
    import Testing

    @Suite(
        "A revocation that reaches hosts", .serialized,
        .enabled(if: Running.asRoot, "PAM services are root's to make"),
        .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
        .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    struct RevocationStoryTests {
        private static let rules = """
              - name: deployers
                hosts: [{id: "web*"}]
                logins: [deploy]
                allow:
                  or:
                    - user: "alice@example.com"
            """

        /// A control plane, who administers it, who uses it, and hosts.
        private final class Scene {
            let plane: PrivateControlPlane
            let admin: Laptop
            let alice: Laptop
            private(set) var hosts: [FleetHost] = []
            private var certificates = 0

            init(hosts names: [String]) throws {
                plane = try PrivateControlPlane(rules: RevocationStoryTests.rules)
                admin = try Laptop(withAgent: false)
                alice = try Laptop(withAgent: false)
                try admin.logIn(to: plane, key: plane.adminKey)
                try admin.daypass(["keys", "add", "--identity", "alice@example.com", "\(alice.key).pub"])
                    .orThrow("keys add")
                try alice.logIn(to: plane, key: alice.key)
                for name in names { hosts.append(try FleetHost(name, plane: plane, admin: admin)) }
                try wait("the hosts are connected") {
                    try admin.daypass(["hosts", "list"]).stdoutText.components(separatedBy: "connected").count
                        == names.count + 1
                }
            }

            /// Gets alice a certificate for one host.
            func certify(_ host: String) throws -> String {
                certificates += 1
                let key = alice.folder.path("key\(certificates)")
                try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]).orThrow("key")
                try alice.daypass([
                    "certificate", "--host", host, "--login", "deploy", "--key", "\(key).pub", "--output",
                    "\(key)-cert.pub",
                ]).orThrow("certificate")
                return key
            }

            func wait(_ what: String, seconds: Int = 30, _ condition: () throws -> Bool) throws {
                let end = ContinuousClock.now + .seconds(seconds)
                repeat {
                    if try condition() { return }
                    usleep(20_000)
                } while ContinuousClock.now < end
                throw TestSupportError("never: \(what): \(plane.log) \(hosts.map(\.logs).joined())")
            }
        }

        @Test func whatIsRevokedIsOverOnEveryHostWhenTheCommandEnds() throws {
            let scene = try Scene(hosts: ["web1", "web2"])
            let (web1, web2) = (scene.hosts[0], scene.hosts[1])
            let first = try scene.certify("web1")
            let other = try scene.certify("web2")
            let session = try web1.loginBeside(first, "sleep 300")
            try scene.wait("the session is known") {
                try scene.admin.daypass(["sessions", "--live"]).stdoutText.contains("alice@example.com")
            }
            let result = try scene.admin.daypass([
                "revoke", "--online", "--certificate", "\(first)-cert.pub", "--reason", "laptop lost",
            ]).orThrow("revoke")
            #expect(result.stdoutText.contains("in place on 2 hosts: web1 web2"), "\(result)")
            // A second is for this machine; the session was ended before the command was.
            #expect(session.wait(for: .seconds(1)) != nil, "\(web1.logs)")
            #expect(try !web1.login(first).succeeded)
            #expect(try web2.login(other).succeeded, "\(web2.logs)")
            #expect(try web1.login(try scene.certify("web1")).succeeded, "\(web1.logs)")
        }

        @Test func aHostThatWasAwayHasTheListWhenItComesBack() throws {
            let scene = try Scene(hosts: ["web1"])
            let host = scene.hosts[0]
            let key = try scene.certify("web1")
            #expect(try host.login(key).succeeded, "\(host.logs)")
            host.stopAgent()
            let result = try scene.admin.daypass([
                "revoke", "--online", "--person", "alice@example.com", "--reason", "left",
            ]).orThrow("revoke")
            #expect(result.stderrText.contains("web1 does not have it yet"), "\(result)")
            // The person is out at once; the certificate lives until the host hears of it.
            #expect(
                try !scene.alice.daypass([
                    "certificate", "--host", "web1", "--login", "deploy", "--key", "\(key).pub",
                ]).succeeded)
            try host.startAgent()
            try scene.wait("the host refuses") { try !host.login(key).succeeded }
        }
    }
#endif
