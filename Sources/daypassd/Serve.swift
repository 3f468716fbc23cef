// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlPlane
import ControlProtocol
import Foundation
import Hummingbird
import Logging
import SSHWire
import ServiceLifecycle
import TransparencyLog

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the control plane in the foreground.",
        discussion: """
            SIGHUP reads the policy again; one that can't be read, or fails its own tests, is not taken. SIGTERM and \
            SIGINT end it once what was begun is done.
            """)

    @OptionGroup var home: ServerHomeOptions

    @Flag(name: .shortAndLong, help: "Log every request.")
    var verbose = false

    func run() async throws {
        let settings = try home.settings()
        let policy = try home.policy(settings)
        let opened = try CAHome(home.folder)
        // The CA's keys are the signer's; here is only what signs checkpoints.
        let log = try opened.unlock([.log]) { _ in try settings.passphrase(home.folder) }.key(.log)
        let ledger = try opened.ledger(signing: log)
        let directory = SQLiteDirectory(ledger)
        let verbosity: Logger.Level = verbose ? .debug : .info
        LoggingSystem.bootstrap { label in
            var handler = JSONLogHandler(label: label)
            handler.logLevel = verbosity
            return handler
        }
        let logger = Logger(label: "daypassd")
        let signing = SignerProcess(home: home, settings: settings, logger: logger)
        let client = SignerClient(path: settings.signerSocket ?? home.signerSocket)
        let (userKey, hostKey) = (try opened.publicKey(.user), try opened.publicKey(.host))
        let issuer = Issuer(
            policy: opened.configuration.policy, ledger: ledger,
            signers: [.user: client.signer(userKey), .host: client.signer(hostKey)],
            revokedKeys: try ledger.revokedKeys(), clock: millisecondsNow, randomBytes: SystemRandom.bytes)
        var limits = AccessAuthority.Limits()
        limits.sessionLifetime = settings.sessionLifetime
        let bindings = SQLiteIdentityBindings(ledger, clock: unixTimeNow)
        let sources = try SignInSources(
            settings, home: home, bindings: bindings, spentTokens: SQLiteSpentTokens(ledger))
        let authority = try await AccessAuthority(
            issuer: issuer, directory: directory, policy: policy, limits: limits,
            providers: sources.providers, workloads: sources.workloads, bindings: bindings,
            requests: SQLiteRequestStore(ledger), origin: opened.configuration.origin)
        try await authority.recordPolicy(by: try Identity.localAccount)
        let limitsInUse = RequestLimits(settings.limits, clock: millisecondsNow)
        let metrics = PlaneMetrics()
        let fleetStore = SQLiteFleetStore(ledger)
        let alerts = try await AlertCenter(
            authority, store: SQLiteAlertStore(ledger), settings: settings.alerts)
        let webhooks = AlertDelivery(
            try home.webhooks(settings), center: alerts, metrics: metrics, logger: logger,
            clock: millisecondsNow)
        try await webhooks.prepare()
        let hub = TunnelHub(
            try await Fleet(authority, store: fleetStore, roots: try home.fleetRoots(settings)),
            names: settings.names, limits: limitsInUse, metrics: metrics, logger: logger,
            revocationSigner: RevocationSigner(log), alerts: alerts)
        try await hub.refreshRevocations()
        let logKey = try opened.logVerifier().vkey
        let delivery = FleetDelivery(authority, hub)
        let plane = Plane(
            authority: authority, log: ledger, hub: hub, alerts: alerts,
            chains: ChainReader(history: SQLiteEntryHistory(ledger), fleet: fleetStore),
            info: ServerInfo(
                version: Daypassd.configuration.version, origin: opened.configuration.origin,
                userAuthority: userKey, hostAuthority: hostKey,
                loginMethods: (settings.takesEnrolledKeys ? [Person.enrolledKeys] : [])
                    + sources.providers.map(\.name),
                hostPatterns: settings.hostPatterns, logKey: logKey,
                signIn: Dictionary(
                    settings.providers.map { ($0.name, $0.signIn.map(\.rawValue)) }, uniquingKeysWith: { $1 })
            ),
            names: settings.names, limits: limitsInUse, metrics: metrics, delivery: delivery,
            publicURL: settings.publicURL(port:))
        let tls = try serverCertificate(settings)
        var server = PlaneServer.Settings()
        server.address = settings.address
        server.port = settings.port
        server.maximumConnections = settings.limits.connections
        server.connectionsPerAddress = settings.limits.connectionsPerAddress
        var services: [any Service] = [
            PolicyReload(
                read: { try home.policy(settings) },
                use: { policy in try await authority.use(policy, by: try Identity.localAccount) },
                logger: logger),
            CheckpointService(home: opened, ledger: ledger, logger: logger),
            GrantSweep(authority), delivery, HostWatch(hub), webhooks,
            WitnessService(hub, source: ledger, logKey: logKey), TunnelFarewell(hub),
        ]
        if settings.signerSocket == nil { services.append(signing) }
        let application = try PlaneServer.application(
            plane, server, chainPEM: tls.chain, privateKeyPEM: tls.key, services: services, logger: logger
        ) { port in
            logger.notice("ready", metadata: ["daypass.port": "\(port)"])
            Terminal.note("daypassd: ready at https://\(settings.names[0].escapedForTerminal):\(port)")
            dropStartupPages()
        }
        do {
            try await application.runService()
        } catch {
            await sources.shutDown()
            throw error
        }
        await sources.shutDown()
    }

    private func serverCertificate(_ settings: ServerConfiguration) throws -> (chain: String, key: String) {
        let maximumBytes = 256 << 10
        guard let certificate = settings.certificateFile, let key = settings.privateKeyFile else {
            let identity = try ServerIdentity(folder: home.tlsFolder, names: settings.names, at: Date())
            return (identity.chainPEM, identity.privateKeyPEM)
        }
        let chain = try FileIO.read(home.path(certificate), maximumBytes: maximumBytes)
        let secret = try FileIO.readSecret(home.path(key), maximumBytes: maximumBytes)
        return (
            String(decoding: chain, as: UTF8.self),
            secret.withSpan { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
        )
    }
}
