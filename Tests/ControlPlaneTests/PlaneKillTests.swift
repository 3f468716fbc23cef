// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlClient
import ControlProtocol
import Foundation
import NIOCore
import NIOPosix
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
    }

    /// What the clients have, and whether they may stop.
    private final class Tally: Sendable {
        let state = Mutex((held: [(certificate: Certificate, index: UInt64)](), isOver: false))
    }

    @Test func whatAClientHoldsIsInTheLogAndClientsRecoverByThemselves() async throws {
        let server = try await KilledServer()
        let session = try await server.logIn()
        let client = try server.client()
        try await client.send(
            "PUT", "/v1/hosts/web1", HostInfo(id: "web1", names: [], labels: [:]).json, by: session,
            idempotencyKey: "host")
        let tally = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<Self.clients {
                group.addTask {
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
                if kills.isMultiple(of: 2) { try await server.killServer() } else { server.killSigner() }
                kills += 1
            } while ContinuousClock.now < end || kills < 2
            let before = tally.state.withLock { $0.held.count }
            // They go on by themselves after the last one.
            while tally.state.withLock({ $0.held.count }) < before + Self.clients {
                try await Task.sleep(for: .milliseconds(20))
            }
            tally.state.withLock { $0.isOver = true }
            try await group.waitForAll()
        }
        await client.close()
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

    private func check(
        _ held: [(certificate: Certificate, index: UInt64)], _ server: KilledServer
    ) throws {
        try server.daypass(["log", "verify"]).orThrow("log verify")
        let said = try server.daypass(["log", "list", "--from", "0", "--limit", "0", "--format", "json"])
            .orThrow("log list")
        let entries = try JSONDecoder().decode([LoggedEntry].self, from: Data(said.stdout))
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
    private let port: Int
    private let adminKey: PrivateKey
    private var process: ChildProcess?

    init() async throws {
        folder = try TemporaryFolder()
        let probe = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0).get()
        port = try #require(probe.localAddress?.port)
        try await probe.close().get()
        adminKey = try PrivateKey.generate(.ed25519, comment: "admin")
        let keyFile = try folder.write(adminKey.publicKey.text + "\n", to: "admin.pub")
        try Tool.run(
            try BuiltProduct.path("daypassd"),
            [
                "init", "--home", folder.path("home"), "--name", "127.0.0.1", "--listen",
                "127.0.0.1:\(port)", "--admin", "admin@example.com", "--admin-key", keyFile,
                "--no-passphrase",
            ]
        ).orThrow("daypassd init")
        try await start()
    }

    private func start() async throws {
        process = try ChildProcess(
            try BuiltProduct.path("daypassd"), ["serve", "--home", folder.path("home")],
            environment: Tool.environment(adding: [
                "DAYPASSD_LIMITS_PER_IDENTITY": "100000", "DAYPASSD_LIMITS_PER_IDENTITY_BURST": "100000",
                "SWIFT_BACKTRACE": "enable=no",
            ]), log: folder.path("serve.log"))
    }

    func client() throws -> ControlClient {
        try ControlClient(
            try ServerAddress("https://127.0.0.1:\(port)"), rootPEM: try folder.readText("home/tls/root.pem"),
            patience: .seconds(60)
        ) { UInt64(Date().timeIntervalSince1970 * 1_000_000) }
    }

    func logIn() async throws -> ControlClient.Credential {
        let client = try client()
        // Also the wait for the server to be there.
        let info = try ServerInfo(json: try #require(try await client.send("GET", "/v1/server")))
        let challenge = try LoginChallenge(
            json: try #require(try await client.send("POST", "/v1/login/challenge"))
        ).challenge
        let key = try PrivateKey.generate(.ed25519, comment: "")
        let body = try Sample.login(adminKey, challenge: challenge, origin: info.origin, sessionKey: key)
        let answer = try await client.send("POST", "/v1/login/keys", body)
        await client.close()
        return .init(session: try SessionInfo(json: try #require(answer)).id, key: key)
    }

    func killServer() async throws {
        process?.signal(SIGKILL)
        _ = process?.wait(for: .seconds(10))
        try await start()
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
