// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport
    import Testing

    @Suite(
        "Grants that reach hosts by themselves", .serialized,
        .enabled(if: Running.withNetworkNamespaces, "needs root, ip and network namespaces"),
        .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
        .enabled(if: Running.withSudo, "needs sudo"),
        .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    struct GrantStoryTests {
        @Test func whatIsApprovedOpensThreeHostsAndWhatIsRevokedClosesThemWhereverTheyAre() async throws {
            let scene = try await GrantScene.made(hosts: 3)
            let request = try await scene.granted(for: "10m")
            #expect(request.delivery.map(\.host) == ["web1", "web2", "web3"])
            #expect(request.delivery.allSatisfy { $0.state == .delivered }, "\(request.delivery)")
            var keys: [String] = []
            for host in scene.hosts {
                let key = try scene.certify(host)
                keys.append(key)
                let said = try scene.login(host, key, "id -un; sudo -n id -u")
                #expect(said.stdoutText == "carol\n0\n", "\(said)\n\(host.logs)")
            }
            let sessions = try zip(scene.hosts, keys).map { host, key in
                try scene.loginBeside(host, key, "sleep 600")
            }
            try await scene.wait("the sessions are known") {
                let live = try scene.events(["--live"])
                return live.count == 3 && live.allSatisfy { $0.match == "issued" && $0.account == "carol" }
            }

            // Another grant of the same account, whose certificates have the same principals but for one.
            let other = try await scene.granted(for: "9m")
            let otherKey = try scene.certify(scene.hosts[0])
            let untouched = try scene.loginBeside(scene.hosts[0], otherKey, "sleep 600")
            try await scene.wait("the other session is known") { try scene.events(["--live"]).count == 4 }

            // The third is away while the first is taken back. Its own clock would end it in minutes.
            let away = scene.hosts[2]
            try scene.plug(away, false)
            let revoked = try scene.bob.daypass(
                ["revoke-grant", request.id, "--reason", "it is done"]
            ).orThrow("revoke-grant")
            #expect(revoked.stderrText.contains("host web3 has not said yet"), "\(revoked)")
            for (host, session) in zip(scene.hosts, sessions).prefix(2) {
                try await scene.wait("the session on \(host.name) is over") { !session.isRunning }
                #expect(!host.gives(request) && host.gives(other))
            }
            for (host, key) in zip(scene.hosts, keys).prefix(2) {
                #expect(try !scene.login(host, key, "true").succeeded)
            }
            #expect(away.gives(request) && sessions[2].isRunning && untouched.isRunning)
            #expect(try scene.login(scene.hosts[0], otherKey, "sudo -n id -u").stdoutText == "0\n")
            // The server ends although a host has not answered, and the next one goes on.
            #expect(scene.plane.terminate() == .exited(0))
            try scene.plane.start()
            try scene.plug(away, true)
            try await scene.wait("the third host is told", seconds: 120) { !away.gives(request) }
            try await scene.wait("its session is over") { !sessions[2].isRunning }
            #expect(away.gives(other) && untouched.isRunning)
            try await scene.wait("every host has said so") {
                try scene.shown(request.id).delivery.map(\.state) == [.removed, .removed, .removed]
            }
            // What happened while it was away has come too.
            try await scene.wait("all records have come") {
                try scene.events().count { $0.event == "closed" } == 7
            }
            try scene.expectLog([
                "access-requested": 2, "access-approved": 2, "access-revoked": 1, "issued": 4, "revoked": 3,
            ])
            let events = try scene.events()
            #expect(
                events.count { $0.event == "opened" } == 8 && events.allSatisfy { !$0.isAlert }, "\(events)")
            try await scene.expectWitnesses(3)
            // The end of the grant and the revocation of its certificates may both have ended a session.
            let killed = events.filter { $0.event == "killed" }
            #expect(Set(killed.map { "\($0.host) \($0.session)" }).count == 3, "\(killed)")
        }

        @Test func aGrantEndsOnAHostThatNobodyReachesAndAServerThatStartsAnewKnowsIt() async throws {
            let scene = try await GrantScene.made(hosts: 2)
            let (web1, web2) = (scene.hosts[0], scene.hosts[1])
            let request = try await scene.granted(for: "60s")
            let until = try #require(request.grantedUntil)
            let keys = try scene.hosts.map { try scene.certify($0) }
            let first = try scene.loginBeside(web1, keys[0], "sleep 600")
            let second = try scene.loginBeside(web2, keys[1], "sleep 600")
            defer { second.stop() }
            try await scene.wait("the sessions are known") { try scene.events(["--live"]).count == 2 }
            // From here on nobody can tell the second one anything, and the server dies and comes back.
            try scene.plug(web2, false)
            scene.plane.stop()
            try scene.plane.start()
            try await scene.wait("web1 has said again what it has") {
                try scene.shown(request.id).delivery.first?.state == .delivered
            }
            #expect(try scene.shown(request.id).delivery.last?.state == .pending)

            try await scene.wait("the first session's end", seconds: 120) { !first.isRunning }
            #expect(Int64(Date().timeIntervalSince1970) >= until)
            try await scene.wait("both have taken it back") {
                !web1.gives(request) && !web2.gives(request)
            }
            // The host says so itself, where it cannot be heard.
            try await scene.wait("the session on web2 is ended by its host") {
                web2.records.contains("grant \(request.id): its time is over")
            }
            #expect(
                try scene.events(["--host", "web2"]).allSatisfy {
                    $0.event == "opened" || $0.event == "other"
                })
            try scene.plug(web2, true)
            try await scene.wait("what was missed comes", seconds: 120) {
                let events = try scene.events(["--host", "web2"])
                return events.contains { $0.event == "killed" } && events.contains { $0.event == "closed" }
            }
            #expect(try !scene.login(web2, keys[1], "true").succeeded)
            try scene.expectLog([
                "access-requested": 1, "access-approved": 1, "access-revoked": 0, "issued": 2, "revoked": 0,
            ])
        }

        @Test func sshGoesOnWithTheGrantInPlaceAndSaysWhatAHostDoesNotDo() async throws {
            let scene = try await GrantScene.made(hosts: 1)
            let host = scene.hosts[0]
            let asking = try scene.alice.beside(
                [
                    "ssh", "--request", "--reason", "a look", "--for", "5m", "carol@web1", "-F",
                    scene.configuration(host), "id -un",
                ], log: "said")
            try scene.approve(try await scene.waiting().id)
            try await scene.wait("ssh has ended", seconds: 120) { !asking.isRunning }
            #expect(asking.wait(for: .zero) == .exited(0))
            #expect(try scene.alice.folder.readText("said") == "carol\n")

            // An account that is there, and that principals let in already: its sessions by the grant end with it as well.
            let short = try await scene.granted(login: FleetHost.account, for: "40s")
            let key = try scene.certify(host, login: FleetHost.account)
            let session = try host.loginBeside(key, "sleep 600", from: scene.network.centre)
            try await scene.wait("the session is known") { try !scene.events(["--live"]).isEmpty }
            try await scene.wait("its end", seconds: 120) { !session.isRunning }
            #expect(Int64(Date().timeIntervalSince1970) >= short.grantedUntil ?? .max)
            try await scene.wait("its record") {
                host.records.contains("grant \(short.id): its time is over")
            }
            #expect(try !host.login(key, from: scene.network.centre).succeeded)

            // Accounts that the host protects stay as they are, and whoever asks is told.
            let refused = try await scene.granted(login: "daemon", for: "5m")
            let delivery = try #require(refused.delivery.first)
            #expect(delivery.state == .refused, "\(delivery)")
            #expect(delivery.reason?.contains("account daemon: protected") == true, "\(delivery)")
            let shown = try scene.alice.daypass(["requests", refused.id]).orThrow("requests")
            #expect(
                shown.stdoutText.contains("refused") && shown.stdoutText.contains("protected"), "\(shown)")
        }
    }
#endif
