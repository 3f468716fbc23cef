// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport
    import Testing

    @Suite(
        "A host's tunnel, with the built programs",
        .enabled(if: Running.asRoot, "PAM services are root's to make"),
        .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
        .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    struct TunnelStoryTests {
        @Test func loginsComeIntoTheLogMatchedAndOnceWhateverIsAwayMeanwhile() throws {
            let scene = try TunnelScene()
            try scene.alice.ssh(["web1", "true"]).orThrow("ssh")
            try scene.wait("the login is matched") {
                try scene.events().filter { $0.match == "issued" }.map(\.event) == ["opened", "closed"]
            }
            let first = try #require(try scene.events().first { $0.event == "opened" })
            #expect(first.who == "alice@example.com" && first.account == Running.userName)
            #expect(first.host == "web1" && first.issuance != nil && !first.isAlert)

            // The agent is away: the hook leaves its report in the spool.
            scene.stopAgent()
            try scene.alice.ssh(["web1", "true"]).orThrow("ssh without the agent")
            try scene.startAgent()
            try scene.wait("what was missed comes") {
                try scene.events().filter { $0.event == "opened" }.count == 2
            }

            // The control plane is away: the records wait on the host. The certificate is still good.
            scene.plane.stop()
            try scene.alice.ssh(["web1", "true"]).orThrow("ssh without the control plane")
            try scene.plane.start()
            try scene.wait("the agent comes back and delivers", seconds: 60) {
                try scene.events().filter { $0.event == "closed" }.count == 3
            }
            let events = try scene.events()
            #expect(events.filter { $0.event == "opened" }.count == 3)
            #expect(events.allSatisfy { !$0.isAlert }, "\(events)")
            #expect(try scene.events(["--live"]).isEmpty)
            try Tool.run(BuiltProduct.path("daypass"), ["log", "verify", "--home", scene.plane.home]).orThrow(
                "log verify")
        }

        @Test func aForgedCertificateLogsInOnceAndRaisesAnAlertWithinTwoSeconds() throws {
            let scene = try TunnelScene()
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
            let login = try scene.server.login(user: nil, identity: key, command: "true")
            #expect(login.succeeded, "\(login)")
            let since = ContinuousClock.now
            try scene.wait("the alert") { try !scene.events(["--alerts"]).isEmpty }
            // Asking takes a process; the alert itself is there at once.
            #expect(ContinuousClock.now - since < .seconds(10))
            let alert = try #require(try scene.events(["--alerts"]).first)
            #expect(alert.match == "never issued" && alert.event == "opened" && alert.serial == 99)
            #expect(scene.plane.log.contains(#""message":"alert""#))
        }
    }
#endif
