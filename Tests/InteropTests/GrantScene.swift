// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport
    import Testing

    /// A control plane and hosts, each on a machine of its own in a private network; alice, who asks, and bob, who approves.
    final class GrantScene {
        let network: PrivateNetwork
        let plane: PrivateControlPlane
        let admin: Laptop
        let alice: Laptop
        let bob: Laptop
        private(set) var hosts: [FleetHost] = []
        private var stations: [String: PrivateNetwork.Station] = [:]
        private var keys = 0

        private static let rules = """
              - name: on-approval
                hosts: [{labels: {team: infra}}]
                logins: [carol, deploy, daemon]
                allow:
                  or:
                    - user: "alice@example.com"
                requires:
                  reason: true
                  approval:
                    by:
                      or:
                        - groups: {has: leads}
                    count: 1
                    waits: 1h
                    grant: 30m
                certificate: {max_lifetime: 10m, sudo: true}
            """

        private init(hosts count: Int) throws {
            network = try PrivateNetwork()
            plane = try PrivateControlPlane(rules: Self.rules, on: network.centre)
            admin = try Laptop(withAgent: false, on: network.centre)
            alice = try Laptop(withAgent: false, on: network.centre)
            bob = try Laptop(withAgent: false, on: network.centre)
            try admin.logIn(to: plane, key: plane.adminKey)
            for (person, laptop, groups) in [("alice", alice, []), ("bob", bob, ["--group", "leads"])] {
                try admin.daypass(
                    ["keys", "add", "--identity", "\(person)@example.com", "\(laptop.key).pub"] + groups
                ).orThrow("keys add")
                try laptop.logIn(to: plane, key: laptop.key)
            }
            for number in 1...count {
                let name = "web\(number)"
                let station = try network.station(number)
                stations[name] = station
                hosts.append(
                    try FleetHost(
                        name, plane: plane, admin: admin, on: station, labels: ["team=infra"],
                        takesGrants: true))
            }
        }

        /// Makes all of it, and waits until the hosts are connected.
        static func made(hosts count: Int) async throws -> GrantScene {
            let scene = try GrantScene(hosts: count)
            try await scene.wait("the hosts are connected") {
                try scene.admin.daypass(["hosts", "list"]).stdoutText.components(separatedBy: "connected")
                    .count == count + 1
            }
            return scene
        }

        func plug(_ host: FleetHost, _ isIn: Bool) throws {
            guard let station = stations[host.name] else { throw TestSupportError("no such host") }
            try network.plug(station, isIn)
        }

        // MARK: Requests

        /// Alice's request for all hosts, with sudo, approved by bob, once she has waited for it.
        func granted(login: String = "carol", for time: String) async throws -> AccessRequestInfo {
            let asking = try alice.beside(
                [
                    "request", "--label", "team=infra", "--login", login, "--sudo", "--for", time, "--reason",
                    "disk is full", "--format", "json", "--wait",
                ], log: "asked\(keys)")
            let request = try await waiting()
            try approve(request.id)
            try await wait("who asks has waited") { !asking.isRunning }
            #expect(asking.wait(for: .zero) == .exited(0))
            return try info(alice.folder.read("asked\(keys)"))
        }

        func approve(_ id: String) throws {
            try bob.daypass(["approve", id, "--key", bob.key, "--yes"]).orThrow("approve")
        }

        func shown(_ id: String) throws -> AccessRequestInfo {
            try info(try alice.daypass(["requests", id, "--format", "json"]).orThrow("requests").stdout)
        }

        /// The request that waits for bob, once there is one.
        func waiting() async throws -> AccessRequestInfo {
            var found: AccessRequestInfo?
            try await wait("somebody asks") {
                let list = try bob.daypass(["requests", "--to-approve", "--format", "json"]).orThrow(
                    "requests")
                let items = try JSONValue(parsing: list.stdout, maximumBytes: 1 << 20).array ?? []
                found = try items.first.map { try AccessRequestInfo(json: $0) }
                return found != nil
            }
            guard let found else { throw TestSupportError("nobody asks") }
            return found
        }

        private func info(_ json: [UInt8]) throws -> AccessRequestInfo {
            try AccessRequestInfo(json: try JSONValue(parsing: json, maximumBytes: 1 << 20))
        }

        // MARK: Logins

        /// Gets alice a certificate for an account on a host.
        func certify(_ host: FleetHost, login: String = "carol") throws -> String {
            keys += 1
            let key = alice.folder.path("key\(keys)")
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]).orThrow("key")
            try alice.daypass([
                "certificate", "--host", host.name, "--login", login, "--key", "\(key).pub", "--output",
                "\(key)-cert.pub",
            ]).orThrow("certificate")
            return key
        }

        func login(_ host: FleetHost, _ key: String, _ command: String) throws -> ToolResult {
            try host.login(key, command, as: "carol", from: network.centre)
        }

        func loginBeside(_ host: FleetHost, _ key: String, _ command: String) throws -> ChildProcess {
            try host.loginBeside(key, command, as: "carol", from: network.centre)
        }

        /// ssh's configuration for a host.
        func configuration(_ host: FleetHost) throws -> String {
            try alice.folder.write(
                """
                Host \(host.name)
                    HostName \(stations[host.name]?.address ?? "")
                    Port \(host.port)
                    UserKnownHostsFile \(host.system.path("known_hosts"))
                    BatchMode yes
                    ControlPath none

                """, to: "config")
        }

        // MARK: What is known

        /// What the control plane knows of sessions.
        func events(_ arguments: [String] = []) throws -> [HostEventInfo] {
            try admin.daypass(["sessions", "--format", "json", "--limit", "1000"] + arguments).orThrow(
                "sessions"
            ).stdoutText.split(separator: "\n").map {
                try HostEventInfo(json: try JSONValue(parsing: Array($0.utf8), maximumBytes: 1 << 20))
            }
        }

        /// Expects so many entries of each event in a log that verifies, and nothing of grants beside them.
        func expectLog(_ expected: [String: Int]) throws {
            let program = try BuiltProduct.path("daypass")
            try Tool.run(program, ["log", "verify", "--home", plane.home]).orThrow("log verify")
            let listed = try Tool.run(
                program, ["log", "list", "--home", plane.home, "--limit", "0", "--format", "json"]
            ).orThrow("log list").stdout
            // Hosts' own certificates are another story.
            let names = try JSONValue(parsing: listed, maximumBytes: 8 << 20).array?.compactMap {
                $0["summary"]?.string?.hasPrefix("host ") == true ? nil : $0["event"]?.string
            }
            for (event, count) in expected {
                #expect(names?.count { $0 == event } == count, "\(event): \(names ?? [])")
            }
        }

        /// Waits until so many hosts stand behind a checkpoint, and verifies that with their keys.
        func expectWitnesses(_ count: Int) async throws {
            try await wait("\(count) hosts cosign", seconds: 90) {
                let note = try admin.daypass(["log", "witnesses", "--checkpoint"]).stdoutText
                return note.components(separatedBy: "/witness ").count == count + 1
            }
            let keys = try admin.daypass(["log", "witnesses", "--keys"]).orThrow("keys").stdoutText
            let note = try admin.daypass(["log", "witnesses", "--checkpoint"]).orThrow("checkpoint")
                .stdoutText
            try Tool.run(
                try BuiltProduct.path("daypass"),
                [
                    "log", "verify", "--home", plane.home, "--checkpoint",
                    admin.folder.write(note, to: "cosigned"),
                    "--witnesses", admin.folder.write(keys, to: "witnesses"), "--at-least", "\(count)",
                ]
            ).orThrow("log verify with witnesses")
        }

        /// Waits until something holds; other tests go on meanwhile.
        func wait(_ what: String, seconds: Int = 60, _ condition: () throws -> Bool) async throws {
            let end = ContinuousClock.now + .seconds(seconds)
            var looks = 0
            // A test that waits may get its thread back after all of its time: it looks often enough then, too.
            repeat {
                if try condition() { return }
                looks += 1
                try await Task.sleep(for: .milliseconds(50))
            } while ContinuousClock.now < end || looks < 200
            throw TestSupportError("never: \(what): \(plane.log) \(hosts.map(\.logs).joined())")
        }
    }

    extension FleetHost {
        /// Whether sshd and sudo find a grant of carol's here.
        func gives(_ request: AccessRequestInfo) -> Bool {
            let keys = (try? system.folder.readText("etc/daypass/granted_keys/carol")) ?? ""
            return keys.contains(request.id) || system.folder.contains("etc/sudoers.d/daypass-\(request.id)")
        }

        /// The host's own records of sessions, as text.
        var records: String { (try? system.folder.readText("state/sessions/sessions.jsonl")) ?? "" }
    }
#endif
