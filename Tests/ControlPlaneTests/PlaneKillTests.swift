// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlClient
import ControlProtocol
import Foundation
import SSHWire
import Synchronization
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `kill -9` of the server and of its signer under load: whatever a client holds is in the log.
///
/// `DAYPASS_PLANE_KILL_SECONDS` sets for how long (default 8).
@Suite("A control plane that is killed") struct PlaneKillTests {
    private static let clients = 16
    private static var seconds: Int {
        ProcessInfo.processInfo.environment["DAYPASS_PLANE_KILL_SECONDS"].flatMap { Int($0) } ?? 8
    }

    /// The parts of `daypass log list --format json` that say what was issued.
    private struct LoggedEntry: Decodable {
        let index: UInt64
        let event: String
        let serial: String?
        let request: String?
    }

    /// What the clients have, and whether they may stop.
    private final class Tally: Sendable {
        let state = Mutex((held: [(certificate: Certificate, index: UInt64)](), isOver: false))
    }

    @Test func whatAClientHoldsIsInTheLogAndClientsRecoverByThemselves() async throws {
        let server = try KilledServer()
        let session = try await server.logIn()
        let tally = Tally()
        try await server.withClient { client in
            try await client.send(
                "PUT", "/v1/hosts/web1", HostInfo(id: "web1", names: [], labels: [:]).json, by: session,
                idempotencyKey: "host")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<Self.clients {
                    group.addTask {
                        defer { tally.state.withLock { $0.isOver = true } }
                        var count = 0
                        while !tally.state.withLock({ $0.isOver }) {
                            count += 1
                            let issued = try await Self.ask(client, session, "\(number)-\(count)")
                            tally.state.withLock { $0.held.append(issued) }
                        }
                    }
                }
                let end = ContinuousClock.now + .seconds(Self.seconds)
                var kills = 0
                repeat {
                    try await Task.sleep(for: .milliseconds(1_500))
                    if kills.isMultiple(of: 2) { try server.killServer() } else { server.killSigner() }
                    kills += 1
                    // They go on by themselves after each one.
                    let before = tally.state.withLock { $0.held.count }
                    while tally.state.withLock({ !$0.isOver && $0.held.count < before + Self.clients }) {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                } while (ContinuousClock.now < end || kills < 2) && !tally.state.withLock { $0.isOver }
                tally.state.withLock { $0.isOver = true }
                try await group.waitForAll()
            }
        }
        try server.stop()
        try check(tally.state.withLock { $0.held }, server)
    }

    private static func ask(
        _ client: ControlClient, _ session: ControlClient.Credential, _ name: String
    ) async throws -> (Certificate, UInt64) {
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let answer = try await client.send(
            "POST", "/v1/certificates", CertificateWish(host: "web1", login: "deploy", key: key).json,
            by: session, idempotencyKey: name)
        let issued = try IssuedCertificate(json: try #require(answer))
        guard case .certificate(let certificate) = try PublicKeyLine(issued.certificate).content else {
            throw TestSupportError("no certificate")
        }
        #expect(certificate.fields.key == key)
        return (certificate, issued.logIndex)
    }

    private static func verifiedEntries(_ server: KilledServer) throws -> [LoggedEntry] {
        try server.daypass(["log", "verify"]).orThrow("log verify")
        let said = try server.daypass(["log", "list", "--from", "0", "--limit", "0", "--format", "json"])
            .orThrow("log list")
        return try JSONDecoder().decode([LoggedEntry].self, from: Data(said.stdout))
    }

    // MARK: Requests

    /// What somebody was told of requests.
    private final class Told: Sendable {
        let state = Mutex((approved: Set<String>(), revoked: Set<String>(), isOver: false))
    }

    @Test func requestsAndApprovalsAreKeptAndInTheLogOnceEach() async throws {
        let server = try KilledServer(policy: Self.approvalPolicy)
        let admin = try await server.logIn()
        let (told, adminKey) = (Told(), server.adminKey)
        try await server.withClient { client in
            let aliceKey = try PrivateKey.generate(.ed25519, comment: "alice")
            let key = EnrolledKeyInfo(
                identity: "alice@example.com", key: aliceKey.publicKey, email: nil, groups: [])
            try await client.send("POST", "/v1/keys", key.json, by: admin, idempotencyKey: "key")
            try await client.send(
                "PUT", "/v1/hosts/web1", HostInfo(id: "web1", names: [], labels: [:]).json, by: admin,
                idempotencyKey: "host")
            let alice = try await server.logIn(by: aliceKey)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<4 {
                    group.addTask {
                        // Who fails ends it for all.
                        defer { told.state.withLock { $0.isOver = true } }
                        var count = 0
                        while !told.state.withLock({ $0.isOver }) {
                            count += 1
                            try await Self.oneRequest(
                                client, alice, admin, adminKey, "\(number)-\(count)", told)
                        }
                    }
                }
                let end = ContinuousClock.now + .seconds(Self.seconds)
                repeat {
                    try await Task.sleep(for: .milliseconds(1_200))
                    try server.killServer()
                    let before = told.state.withLock { $0.revoked.count }
                    while told.state.withLock({ !$0.isOver && $0.revoked.count < before + 4 }) {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                } while ContinuousClock.now < end && !told.state.withLock { $0.isOver }
                told.state.withLock { $0.isOver = true }
                try await group.waitForAll()
            }
            let (approved, revoked, _) = told.state.withLock { $0 }
            for id in approved {
                let info = try AccessRequestInfo(
                    json: try #require(try await client.send("GET", "/v1/requests/\(id)", by: admin)))
                #expect(info.status == (revoked.contains(id) ? "revoked" : "approved"))
                #expect(info.approvers == ["admin@example.com"])
            }
        }
        let revoked = told.state.withLock { $0.revoked }
        try server.stop()
        var counts: [String: [String: Int]] = [:]
        for entry in try Self.verifiedEntries(server) {
            if let request = entry.request { counts[request, default: [:]][entry.event, default: 0] += 1 }
        }
        #expect(revoked.count > 8)
        for id in revoked {
            #expect(
                counts[id] == ["access-requested": 1, "access-approved": 1, "access-revoked": 1], "\(id)")
        }
        for (id, events) in counts { #expect(events.values.allSatisfy { $0 == 1 }, "\(id): \(events)") }
    }

    /// From asking to the end; an answer that was lost makes a conflict of the second attempt.
    private static func oneRequest(
        _ client: ControlClient, _ alice: ControlClient.Credential, _ admin: ControlClient.Credential,
        _ adminKey: PrivateKey, _ name: String, _ told: Told
    ) async throws {
        let wish = NewAccessRequest(host: "web1", login: "deploy", reason: name)
        let asked = try AccessRequestInfo(
            json: try #require(
                try await client.send("POST", "/v1/requests", wish.json, by: alice, idempotencyKey: name)))
        let signature = try SSHSignature.sign(
            Array(asked.text.utf8), namespace: "approval.daypass", signer: .key(adminKey.publicKey)
        ) { (bytes, algorithm) throws(SSHWireError) in try adminKey.sign(bytes, with: algorithm) }
        try await unlessDone {
            try await client.send(
                "POST", "/v1/requests/\(asked.id)/approve",
                RequestAnswer.approval(signature: signature.armoured), by: admin,
                idempotencyKey: "approve-\(name)")
        }
        told.state.withLock { _ = $0.approved.insert(asked.id) }
        var isDone = false
        while !isDone {
            do {
                try await unlessDone {
                    try await client.send("DELETE", "/v1/requests/\(asked.id)", by: alice)
                }
                isDone = true
            } catch ClientError.unreachable {
                try await Task.sleep(for: .milliseconds(50))
            } catch ClientError.problem(let problem) where problem.code == .storeUnavailable {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        told.state.withLock { _ = $0.revoked.insert(asked.id) }
    }

    private static func unlessDone(_ body: () async throws -> JSONValue?) async throws {
        do {
            _ = try await body()
        } catch ClientError.problem(let problem) where problem.code == .conflict {
            // It is as it was to be; what it is, is looked at in the end.
        }
    }

    private static let approvalPolicy = """
        version: 1
        administrators: {or: [{user: "admin@example.com"}]}
        rules:
          - name: on-approval
            hosts: [{any: true}]
            logins: [deploy]
            allow: {or: [{user: "alice@example.com"}]}
            requires: {reason: true, approval: true}
            certificate: {max_lifetime: 10m}

        """

    // MARK: Certificates

    private func check(
        _ held: [(certificate: Certificate, index: UInt64)], _ server: KilledServer
    ) throws {
        let entries = try Self.verifiedEntries(server)
        var serials: [UInt64: UInt64] = [:]
        for entry in entries where entry.event == "issued" {
            let serial = try #require(entry.serial.flatMap { UInt64($0) })
            #expect(serial != 0)
            #expect(serials.updateValue(entry.index, forKey: serial) == nil, "serial \(serial) twice")
        }
        #expect(held.count > 2 * Self.clients)
        #expect(Set(held.map(\.certificate.fields.serial)).count == held.count)
        for (certificate, index) in held {
            try certificate.verifySignature()
            #expect(serials[certificate.fields.serial] == index)
        }
    }
}

/// A daypassd of this build with a folder of its own.
private final class KilledServer {
    private let folder: TemporaryFolder
    private let port: LocalSocket.HeldPort
    let adminKey: PrivateKey
    private var process: ChildProcess?

    /// - Parameter policy: nil for the one that init makes.
    init(policy: String? = nil) throws {
        folder = try TemporaryFolder()
        port = try LocalSocket.HeldPort()
        adminKey = try PrivateKey.generate(.ed25519, comment: "admin")
        let keyFile = try folder.write(adminKey.publicKey.text + "\n", to: "admin.pub")
        try Tool.run(
            try BuiltProduct.path("daypassd"),
            [
                "init", "--home", folder.path("home"), "--name", "127.0.0.1", "--listen",
                "127.0.0.1:\(port.number)", "--admin", "admin@example.com", "--admin-key", keyFile,
                "--no-passphrase",
            ]
        ).orThrow("daypassd init")
        if let policy { _ = try folder.write(policy, to: "home/policy.yaml") }
        try start()
    }

    private func start() throws {
        process = try ChildProcess(
            try BuiltProduct.path("daypassd"), ["serve", "--home", folder.path("home")],
            environment: Tool.environment(adding: [
                "DAYPASSD_LIMITS_PER_IDENTITY": "100000", "DAYPASSD_LIMITS_PER_IDENTITY_BURST": "100000",
                "SWIFT_BACKTRACE": "enable=no",
            ]), log: folder.path("serve.log"))
    }

    /// A client of the server's, for as long as `body` runs.
    func withClient<Value>(_ body: (ControlClient) async throws -> Value) async throws -> Value {
        let client = try client()
        do {
            let value = try await body(client)
            await client.close()
            return value
        } catch {
            await client.close()
            Issue.record("daypassd said: \((try? folder.readText("serve.log")) ?? "nothing")")
            throw error
        }
    }

    private func client() throws -> ControlClient {
        try ControlClient(
            try ServerAddress("https://127.0.0.1:\(port.number)"),
            rootPEM: try folder.readText("home/tls/root.pem"),
            // Long, as hundreds of other tests have the same threads: of a minute, a client may get a turn or two.
            patience: .seconds(600)
        ) { UInt64(Date().timeIntervalSince1970 * 1_000_000) }
    }

    /// - Parameter enrolled: an enrolled key; nil for the administrator's.
    func logIn(by enrolled: PrivateKey? = nil) async throws -> ControlClient.Credential {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        return try await withClient { client in
            // Also the wait for the server to be there.
            let info = try ServerInfo(json: try #require(try await client.send("GET", "/v1/server")))
            let challenge = try LoginChallenge(
                json: try #require(try await client.send("POST", "/v1/login/challenge"))
            ).challenge
            let body = try Sample.login(
                enrolled ?? adminKey, challenge: challenge, origin: info.origin, sessionKey: key)
            let answer = try await client.send("POST", "/v1/login/keys", body)
            return .init(session: try SessionInfo(json: try #require(answer)).id, key: key)
        }
    }

    func killServer() throws {
        process?.signal(SIGKILL)
        _ = process?.wait(for: .seconds(10))
        try start()
    }

    /// Kills the process that holds the CA's keys; there may be none at the moment.
    func killSigner() {
        guard let pid = process?.pid,
            let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
        else { return }
        for child in text.split(separator: " ").compactMap({ pid_t($0) }) { _ = kill(child, SIGKILL) }
    }

    func stop() throws {
        process?.signal(SIGTERM)
        #expect(process?.wait(for: .seconds(30)) == .exited(0))
    }

    func daypass(_ arguments: [String]) throws -> ToolResult {
        try Tool.run(
            try BuiltProduct.path("daypass"), arguments,
            environment: Tool.environment(adding: ["DAYPASS_HOME": folder.path("home")]))
    }
}
