// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport
    import Testing

    /// Three hosts whose agents, sshd, control plane, cables and disks fail in a random order, which a seed repeats.
    ///
    /// `DAYPASS_CHAOS_SECONDS` (20 unless it is set) and `DAYPASS_CHAOS_SEED`.
    @Suite(
        "Everything fails, and all converges", .serialized,
        .enabled(if: Running.withNetworkNamespaces, "needs root, ip and network namespaces"),
        .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
        .enabled(if: Running.withSudo, "needs sudo"),
        .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    struct ChaosTests {
        private static func setting(_ name: String, else other: UInt64) -> UInt64 {
            ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } ?? other
        }

        /// The same faults for the same seed (SplitMix64).
        private struct Dice {
            var state: UInt64

            mutating func roll(_ sides: Int) -> Int {
                state &+= 0x9e37_79b9_7f4a_7c15
                var z = state
                z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
                z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
                return Int((z ^ (z >> 31)) % UInt64(sides))
            }
        }

        private enum Fault: CaseIterable { case agentDies, sshdDies, serverDies, cableIsPulled, diskIsFull }

        @Test func nothingIsLostAndNothingComesTwice() async throws {
            let seed = Self.setting("DAYPASS_CHAOS_SEED", else: UInt64.random(in: 0...9_999))
            let seconds = Self.setting("DAYPASS_CHAOS_SECONDS", else: 20)
            var dice = Dice(state: seed)
            let scene = try await GrantScene.made(hosts: 3)
            let disk = try SmallDisk(scene.hosts[2])
            let request = try await scene.granted(for: "25m")
            var logins = [String: (attempts: Int, successes: Int)]()
            var faults = [Fault: Int]()
            let end = ContinuousClock.now + .seconds(Int64(seconds))
            repeat {
                let fault = Fault.allCases[dice.roll(Fault.allCases.count)]
                let host = fault == .diskIsFull ? scene.hosts[2] : scene.hosts[dice.roll(3)]
                faults[fault, default: 0] += 1
                switch fault {
                case .agentDies: host.killAgent()
                case .sshdDies: host.killSSHD()
                case .serverDies: scene.plane.kill()
                case .cableIsPulled: try scene.plug(host, false)
                case .diskIsFull: try disk.fill()
                }
                // Meanwhile people go on where they can: a host whose disk is full keeps no record of a login.
                for other in scene.hosts
                where !(fault == .cableIsPulled || fault == .sshdDies || fault == .diskIsFull)
                    || other !== host
                {
                    guard dice.roll(2) == 0, fault != .serverDies else { continue }
                    let key = try scene.certify(other)
                    let result = try scene.login(other, key, "true")
                    var count = logins[other.name] ?? (0, 0)
                    count.attempts += 1
                    if result.succeeded { count.successes += 1 }
                    logins[other.name] = count
                }
                try await Task.sleep(for: .milliseconds(200 + dice.roll(1_500)))
                switch fault {
                case .agentDies: try host.startAgent()
                case .sshdDies: try host.startSSHD()
                case .serverDies: try scene.plane.start()
                case .cableIsPulled: try scene.plug(host, true)
                case .diskIsFull: try disk.free()
                }
            } while ContinuousClock.now < end
            print(
                "chaos: seed \(seed), \(seconds) s: \(faults.values.reduce(0, +)) faults \(faults), logins \(logins)"
            )

            // Each host is there again, with a configuration that sshd loads, and lets in whoever may enter.
            try await scene.wait("the hosts are connected, seed \(seed)", seconds: 120) {
                try scene.admin.daypass(["hosts", "list"]).stdoutText.components(separatedBy: "connected")
                    .count == 4
            }
            for host in scene.hosts {
                try host.checkConfiguration().orThrow("sshd -t on \(host.name), seed \(seed)")
                try await scene.wait("the grant is on \(host.name), seed \(seed)", seconds: 120) {
                    host.gives(request)
                }
                let key = try scene.certify(host)
                #expect(try scene.login(host, key, "sudo -n id -u").stdoutText == "0\n", "seed \(seed)")
            }
            // Every login that ended well is in the log, once, with its end.
            var opened: [String: Int] = [:]
            try await scene.wait("all records have come, seed \(seed)", seconds: 120) {
                let events = try scene.events()
                opened = [:]
                for event in events where event.event == "opened" { opened[event.host, default: 0] += 1 }
                return try scene.events(["--live"]).isEmpty
                    && scene.hosts.allSatisfy {
                        opened[$0.name] ?? 0 >= (logins[$0.name]?.successes ?? 0) + 1
                    }
            }
            let events = try scene.events()
            for host in scene.hosts {
                let mine = events.filter { $0.host == host.name }
                let sessions = mine.filter { $0.event == "opened" }.map(\.session)
                #expect(Set(sessions).count == sessions.count, "twice on \(host.name), seed \(seed)")
                #expect(
                    sessions.count <= (logins[host.name]?.attempts ?? 0) + 1, "\(host.name), seed \(seed)")
                #expect(mine.allSatisfy { !$0.isAlert }, "seed \(seed): \(mine.filter(\.isAlert))")
            }
            // What is taken back is gone everywhere, and the log holds, with all hosts behind it.
            try scene.bob.daypass(["revoke-grant", request.id, "--reason", "it is done"]).orThrow("revoke")
            try await scene.wait("the grant is gone, seed \(seed)", seconds: 120) {
                scene.hosts.allSatisfy { !$0.gives(request) }
            }
            try await scene.expectWitnesses(3)
        }
    }

    /// A host's state on a disk of its own that can be full.
    private final class SmallDisk {
        private let path: String

        init(_ host: FleetHost) throws {
            path = host.system.path("state")
            host.stopAgent()
            host.killSSHD()
            try Tool.run("cp", ["-a", path, path + ".kept"]).orThrow("cp")
            try Tool.run("mount", ["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", path]).orThrow("mount")
            try Tool.run("cp", ["-a", path + ".kept/.", path]).orThrow("cp")
            try host.startSSHD()
            try host.startAgent()
        }

        deinit { _ = try? Tool.run("umount", ["-l", path]) }

        func fill() throws { _ = try Tool.run("dd", ["if=/dev/zero", "of=\(path)/filler", "bs=64k"]) }
        func free() throws { try FileManager.default.removeItem(atPath: path + "/filler") }
    }

    extension FleetHost {
        fileprivate func checkConfiguration() throws -> ToolResult {
            try inHost([system.path("bin/sshd"), "-t", "-f", "/etc/ssh/sshd_config"])
        }
    }
#endif
