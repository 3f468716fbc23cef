// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlClient
import ControlProtocol
import Foundation
import SSHWire
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A control plane and its signer as the units run them: the built daypassd in two accounts, which are numbers that no
/// account of this machine has.
final class TwoAccounts {
    /// An account of one process, and its one group.
    struct Account {
        let user: UInt32
        let group: UInt32
    }

    static let server = Account(user: 61_843, group: 61_843)
    /// In the server's group, as the unit is.
    static let signer = Account(user: 61_844, group: 61_843)
    static let stranger = Account(user: 61_845, group: 61_845)

    /// Whether this run may be somebody else, and somebody else may run this build.
    static let canRun: Bool = {
        guard Running.asRoot, let program = try? BuiltProduct.path("daypassd") else { return false }
        return (try? run(stranger, program, ["--version"]).succeeded) == true
    }()

    let folder: TemporaryFolder
    private let adminKey: PrivateKey
    private let port: UInt16
    private(set) var serving: ChildProcess?
    private(set) var signing: ChildProcess?

    var home: String { folder.path("home") }
    var keys: String { folder.path("keys") }
    var socket: String { folder.path("run/signer.sock") }

    /// Makes a control plane of the server's account; nothing is split or runs yet.
    ///
    /// - Parameter custody: how the keys are kept, as arguments of init.
    init(custody: [String] = ["--no-passphrase"]) throws {
        folder = try TemporaryFolder()
        try folder.setMode(0o711, of: ".")
        port = try LocalSocket.freePort()
        adminKey = try PrivateKey.generate(.ed25519, comment: "admin")
        try folder.write(adminKey.publicKey.text + "\n", to: "admin.pub", mode: 0o644)
        try makeFolder("home", of: Self.server, mode: 0o700)
        // What RuntimeDirectory= makes.
        try makeFolder("run", of: Self.signer, mode: 0o710)
        try Self.daypassd(
            Self.server,
            [
                "init", "--home", home, "--name", "127.0.0.1", "--listen", "127.0.0.1:\(port)", "--admin",
                "admin@example.com", "--admin-key", folder.path("admin.pub"),
            ] + custody
        ).orThrow("daypassd init")
    }

    func makeFolder(_ name: String, of account: Account, mode: mode_t) throws {
        try give(try folder.makeFolder(name, mode: mode), to: account)
    }

    func give(_ path: String, to account: Account) throws {
        guard unsafe lchown(path, account.user, account.group) == 0 else {
            throw TestSupportError("cannot give away \(path)")
        }
    }

    /// `setpriv`'s arguments before a program that is to run in an account.
    private static func arguments(_ account: Account, _ groups: [UInt32] = []) -> [String] {
        let others =
            groups.isEmpty ? "--clear-groups" : "--groups=\(groups.map(String.init).joined(separator: ","))"
        return ["--reuid=\(account.user)", "--regid=\(account.group)", others]
    }

    static func run(
        _ account: Account, _ program: String, _ arguments: [String], groups: [UInt32] = []
    ) throws -> ToolResult {
        try Tool.run("setpriv", Self.arguments(account, groups) + [program] + arguments)
    }

    static func daypassd(_ account: Account, _ arguments: [String]) throws -> ToolResult {
        try run(account, try BuiltProduct.path("daypassd"), arguments)
    }

    private func start(
        _ account: Account, _ arguments: [String], groups: [UInt32] = [], environment: [String: String] = [:],
        log: String
    ) throws -> ChildProcess {
        try ChildProcess(
            try Tool.find("setpriv"),
            Self.arguments(account, groups) + [try BuiltProduct.path("daypassd")] + arguments,
            environment: Tool.environment(
                adding: ["SWIFT_BACKTRACE": "enable=no"].merging(environment) { $1 }),
            log: folder.path(log))
    }

    /// `daypassd split`, which root runs.
    @discardableResult
    func split(signer: Account = TwoAccounts.signer) throws -> ToolResult {
        try Tool.run(
            try BuiltProduct.path("daypassd"),
            [
                "split", "--home", home, "--signer-user", "\(signer.user)", "--keys", keys, "--socket",
                socket,
            ])
    }

    /// Starts the signer as its unit does, and waits until it listens.
    func startSigner(groups: [UInt32] = [], environment: [String: String] = [:]) throws {
        let seen = (try? folder.readText("signer.log").utf8.count) ?? 0
        signing = try start(
            Self.signer,
            [
                "signer", "--home", home, "--keys", keys, "--socket", socket, "--server-user",
                "\(Self.server.user)",
            ], groups: groups, environment: environment, log: "signer.log")
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let said = String(decoding: try folder.read("signer.log").dropFirst(seen), as: UTF8.self)
            if said.contains("signer: ready") { return }
            guard signing?.wait(for: .milliseconds(10)) == nil, ContinuousClock.now < deadline else {
                throw TestSupportError("the signer does not start: \(said)")
            }
        }
    }

    func startServer() throws {
        serving = try start(
            Self.server, ["serve", "--home", home],
            environment: [
                "DAYPASSD_LIMITS_PER_IDENTITY": "100000", "DAYPASSD_LIMITS_PER_IDENTITY_BURST": "100000",
            ], log: "serve.log")
    }

    func killSigner() {
        signing?.signal(SIGKILL)
        _ = signing?.wait(for: .seconds(10))
    }

    func killServer() {
        serving?.signal(SIGKILL)
        _ = serving?.wait(for: .seconds(10))
    }

    func stopServer() -> ProcessEnd? {
        serving?.signal(SIGTERM)
        return serving?.wait(for: .seconds(30))
    }

    /// Runs `body` with a client and the administrator's session.
    ///
    /// - Parameter patience: how long the client tries again when it is told that something is away.
    func withSession(
        patience: Duration = .seconds(60),
        _ body: (ControlClient, ControlClient.Credential) async throws -> Void
    ) async throws {
        let client = try client(patience)
        do {
            try await body(client, try await logIn(client))
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }

    private func client(_ patience: Duration) throws -> ControlClient {
        try ControlClient(
            try ServerAddress("https://127.0.0.1:\(port)"), rootPEM: try folder.readText("home/tls/root.pem"),
            patience: patience
        ) { UInt64(Date().timeIntervalSince1970 * 1_000_000) }
    }

    /// A session of the administrator's, and a host; waits for the server.
    private func logIn(_ client: ControlClient) async throws -> ControlClient.Credential {
        let info = try ServerInfo(json: try #require(try await client.send("GET", "/v1/server")))
        let challenge = try LoginChallenge(
            json: try #require(try await client.send("POST", "/v1/login/challenge"))
        ).challenge
        let key = try PrivateKey.generate(.ed25519, comment: "")
        let body = try Sample.login(adminKey, challenge: challenge, origin: info.origin, sessionKey: key)
        let answer = try await client.send("POST", "/v1/login/keys", body)
        let session = ControlClient.Credential(
            session: try SessionInfo(json: try #require(answer)).id, key: key)
        try await client.send(
            "PUT", "/v1/hosts/web1", HostInfo(id: "web1", names: [], labels: [:]).json, by: session,
            idempotencyKey: "host")
        return session
    }

    /// A certificate whose signature verifies, and its place in the log.
    static func certificate(
        _ client: ControlClient, _ session: ControlClient.Credential, _ name: String
    ) async throws -> (certificate: Certificate, index: UInt64) {
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        let answer = try await client.send(
            "POST", "/v1/certificates", CertificateWish(host: "web1", login: "deploy", key: key).json,
            by: session, idempotencyKey: name)
        let issued = try IssuedCertificate(json: try #require(answer))
        guard case .certificate(let certificate) = try PublicKeyLine(issued.certificate).content else {
            throw TestSupportError("no certificate")
        }
        #expect(certificate.fields.key == key)
        try certificate.verifySignature()
        return (certificate, issued.logIndex)
    }

    /// Sends the signer an order for no certificate at all, in an account.
    ///
    /// - Returns: the whole answer in hexadecimal, `hung up`, or the system's reason why there is no connection.
    static func order(_ account: Account?, _ socket: String, groups: [UInt32] = []) throws -> String {
        // docs/formats/signing-order.md: a length, and the order's number.
        let script = """
            use IO::Socket::UNIX; $SIG{PIPE} = 'IGNORE';
            my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or do { print "$!"; exit };
            syswrite $s, pack("N Q>", 8, 7); my $n = sysread $s, my $answer, 64;
            print $n ? unpack("H*", $answer) : "hung up";
            """
        let said =
            if let account {
                try run(account, try Tool.find("perl"), ["-e", script, socket], groups: groups)
            } else {
                try Tool.run("perl", ["-e", script, socket])
            }
        return try said.orThrow("an order").stdoutText
    }
}
