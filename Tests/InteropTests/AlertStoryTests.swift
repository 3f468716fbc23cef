// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport
    import Testing

    @Suite("Alerts that reach somebody, with the built programs")
    struct AlertStoryTests {
        private static let rules = """
              - name: deployers
                hosts: [{id: "web*"}]
                logins: [deploy]
                allow:
                  or:
                    - user: "alice@example.com"
            """

        private static func settings(_ receiver: PostReceiver, _ more: String = "") -> String {
            """
            alerts:
              \(more)
              webhooks:
                - url: "http://127.0.0.1:\(receiver.port)/SECRET"

            """
        }

        private static func wait(_ what: String, _ plane: PrivateControlPlane, _ condition: () throws -> Bool)
            throws
        {
            let end = ContinuousClock.now + .seconds(60)
            repeat {
                if try condition() { return }
                usleep(20_000)
            } while ContinuousClock.now < end
            throw TestSupportError("never: \(what): \(plane.log)")
        }

        @Test func whatWasRecordedIsDeliveredAfterAKillToo() throws {
            // Nobody listens there yet.
            let port = try LocalSocket.freePort()
            let first = try PostReceiver(port: port, status: 503)
            let plane = try PrivateControlPlane(rules: Self.rules, settings: Self.settings(first))
            let admin = try Laptop(withAgent: false)
            try admin.logIn(to: plane, key: plane.adminKey)
            for _ in 0..<3 { try admin.daypass(["alerts", "test"]).orThrow("alerts test") }
            try Self.wait("it was tried", plane) { !first.bodies.isEmpty }
            first.stop()
            // kill -9: nothing is told to it.
            plane.stop()
            let second = try PostReceiver(port: port)
            try plane.start()
            try Self.wait("all arrive", plane) { second.bodies.count >= 3 }
            let events = second.bodies.map { $0.contains(#""event":"test""#) }
            #expect(!events.contains(false))
            #expect(Set(second.bodies).count == 3, "\(second.bodies)")
            #expect(!plane.log.contains("SECRET"))
            let listed = try admin.daypass(["alerts", "--format", "json"]).orThrow("alerts")
            #expect(listed.stdoutText.split(separator: "\n").count == 3)
            // Since before there was anything, however long ago.
            for (list, count) in [("alerts", 3), ("sessions", 0)] {
                let all = try admin.daypass([list, "--since", "18446744073709551615s", "--format", "json"])
                    .orThrow(list)
                #expect(all.stdoutText.split(separator: "\n").count == count, "\(all)")
            }
            let checked = try PrivateControlPlane.daypassd(["check", "--home", plane.home])
            #expect(
                checked.stdoutText.contains("alerts.webhooks[0] at http://127.0.0.1:\(port)"), "\(checked)")
            #expect(!checked.stdoutText.contains("SECRET"))
        }

        @Test func checkNamesWhatIsWrongWithTheSection() throws {
            let receiver = try PostReceiver()
            let plane = try PrivateControlPlane(rules: Self.rules, settings: Self.settings(receiver))
            let file = "\(plane.home)/daypassd.yaml"
            let yaml = try String(contentsOfFile: file, encoding: .utf8)
            for (line, reason) in [
                ("      secret_file: none\n", "none"), ("      format: xml\n", "format"),
                ("      more: 1\n", "more"),
            ] {
                try (yaml + line).write(toFile: file, atomically: true, encoding: .utf8)
                let checked = try PrivateControlPlane.daypassd(["check", "--home", plane.home])
                #expect(checked.status == 3 && checked.stdoutText.contains(reason), "\(checked)")
                #expect(!checked.stdoutText.contains("SECRET"))
            }
        }
    }

    @Suite(
        "Alerts and stories of real logins",
        .enabled(if: Running.asRoot, "PAM services are root's to make"),
        .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
        .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    struct LoginStoryTests {
        @Test func aForgedCertificateIsToldAtTheWebhookAndARealOnesStoryIsProven() throws {
            let receiver = try PostReceiver()
            let scene = try TunnelScene(
                settings: """
                    alerts:
                      host_silent_after: 3s
                      webhooks:
                        - url: "http://127.0.0.1:\(receiver.port)/SECRET"

                    """)
            // A copy of the CA's key, used outside of the authority.
            let key = scene.folder.path("forger")
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key]).orThrow("key")
            try Tool.run(
                "ssh-keygen",
                [
                    "-q", "-s", "\(scene.plane.home)/user_ca", "-I", "alice@example.com#99", "-n",
                    "\(Running.userName)@web1", "-z", "99", "-V", "-1m:+10m", "\(key).pub",
                ]
            ).orThrow("forge")
            #expect(try scene.server.login(user: nil, identity: key, command: "true").succeeded)
            let since = ContinuousClock.now
            try scene.wait("the alert arrives") {
                receiver.bodies.contains { $0.contains(#""event":"never-issued""#) }
            }
            // It takes less than two; the rest is for a busy machine.
            #expect(ContinuousClock.now - since < .seconds(20))

            try scene.alice.ssh(["web1", "true"]).orThrow("ssh")
            try scene.wait("the login is matched") {
                try scene.events().filter { $0.match == "issued" }.map(\.event) == ["opened", "closed"]
            }
            let opened = try #require(try scene.events().first { $0.match == "issued" })
            let certificate = try #require(scene.alice.certificates().first)
            for (laptop, what) in [
                (scene.admin, "web1/\(opened.session)"), (scene.alice, certificate),
                (scene.alice, opened.session),
                (scene.admin, "alice@example.com#\(opened.serial)"),
            ] {
                let told = try laptop.daypass(["why", what, "--prove"]).orThrow("why \(what)")
                #expect(told.stdoutText.contains("logged in by keys"), "\(told)")
                #expect(told.stdoutText.contains("rule sre-enter"), "\(told)")
                #expect(told.stdoutText.contains("certificate \(opened.serial) for \(Running.userName)@web1"))
                #expect(told.stdoutText.contains("web1: \(Running.userName) logged in from"))
                #expect(told.stdoutText.contains("proven: all 5 entries are in the log"), "\(told)")
            }
            try checkRefusals(scene, certificate, opened)
            try checkAccess(scene)

            scene.stopAgent()
            try scene.wait("its silence is told") {
                receiver.bodies.contains { $0.contains(#""event":"host-silent""#) }
            }
            try scene.startAgent()
            try scene.wait("and its return") {
                receiver.bodies.contains { $0.contains(#""event":"host-back""#) }
            }
            let listed = try scene.admin.daypass(["alerts"]).orThrow("alerts").stdoutText
            for word in ["never-issued", "host-silent", "host-back"] {
                #expect(listed.contains(word), "\(listed)")
            }
        }

        private func checkRefusals(_ scene: TunnelScene, _ certificate: String, _ opened: HostEventInfo)
            throws
        {
            let bob = try Laptop(withAgent: false)
            try scene.admin.daypass(["keys", "add", "--identity", "bob@example.com", "\(bob.key).pub"])
                .orThrow("keys")
            try bob.logIn(to: scene.plane, key: bob.key)
            #expect(try !bob.daypass(["why", "\(opened.serial)"]).succeeded)
            #expect(try !bob.daypass(["who-can", "web1"]).succeeded)
            // Another log's key proves nothing.
            let other = try scene.alice.daypass([
                "why", certificate, "--prove", "--log-key",
                "x.example/log+8eb9b0ff+AdSA5aoBFSqtlRnkUqQ4kXVbPQXNvOrDgkk7DG9lCEp+",
            ])
            #expect(!other.succeeded)
            // The forged one's file is not what was issued.
            let forged = try scene.admin.daypass([
                "why", "\(scene.folder.path("forger"))-cert.pub", "--prove",
            ])
            #expect(
                !forged.succeeded && forged.stderrText.contains("no certificate with serial 99"), "\(forged)")
        }

        private func checkAccess(_ scene: TunnelScene) throws {
            let access = try scene.admin.daypass(["who-can", "web1"]).orThrow("who-can").stdoutText
            #expect(access.contains("straight, by rule sre-enter: groups has sre"), "\(access)")
            #expect(access.contains("    - alice@example.com (keys)"), "\(access)")
            let own = try scene.alice.daypass(["who-can", "web1", "--format", "json"]).orThrow("who-can")
            let json = try JSONValue(parsing: Array(own.stdoutText.utf8.dropLast()), maximumBytes: 1 << 20)
            #expect(try HostAccessInfo(json: json).ways.map(\.rule) == ["sre-enter"])
        }
    }
#endif
