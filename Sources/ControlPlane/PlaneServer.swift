// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
public import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
public import Logging
import NIOCore
import NIOSSL
public import ServiceLifecycle
import SSHWire

/// The HTTPS listener.
public struct PlaneServer: Sendable {
    /// Where it listens and how much it takes.
    public struct Settings: Sendable {
        /// An address or a name that resolves to one.
        public var address = "127.0.0.1"
        /// 0 for one that the kernel chooses.
        public var port = 8443
        /// The most connections at a time; more wait in the kernel's queue.
        public var maximumConnections = 4_096
        /// How long a connection may say nothing, in seconds: a slow or half-open client is cut.
        public var idleSeconds: Int64 = 30

        public init() {}
    }

    /// The most bytes of all header fields of a request, and their number.
    private static let maximumHeaderBytes = 16 << 10
    private static let maximumHeaders = 64

    /// An application that serves `plane` over TLS.
    ///
    /// - Parameters:
    ///   - chainPEM: the server's certificate and those above it.
    ///   - services: run beside it, and end before it does.
    ///   - onReady: called with the port once the listener takes connections.
    public static func application(
        _ plane: Plane, _ settings: Settings, chainPEM: String, privateKeyPEM: String,
        services: [any Service], logger: Logger,
        onReady: @escaping @Sendable (Int) async -> Void
    ) throws -> some ApplicationProtocol {
        let chain: [NIOSSLCertificateSource]
        let key: NIOSSLPrivateKey
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(Array(chainPEM.utf8)).map { .certificate($0) }
            key = try NIOSSLPrivateKey(bytes: Array(privateKeyPEM.utf8), format: .pem)
        } catch {
            throw CertAuthorityError(.configuration, "tls: \("\(error)".escapedForTerminal)")
        }
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key))
        tls.minimumTLSVersion = .tlsv12
        let stream = HTTP1Channel.Configuration(
            idleTimeout: .seconds(settings.idleSeconds),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: maximumHeaderBytes, maxHeaderListSize: maximumHeaderBytes,
                maxHeaderFieldCount: maximumHeaders))
        let server = try HTTPServerBuilder.http2Upgrade(
            tlsConfiguration: tls,
            configuration: .init(
                idleTimeout: .seconds(settings.idleSeconds), streamConfiguration: stream))
        return Application(
            router: plane.router(), server: server,
            configuration: ApplicationConfiguration(
                address: .hostname(settings.address, port: settings.port), serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(settings.maximumConnections)),
            services: services,
            onServerRunning: { channel in await onReady(channel.localAddress?.port ?? settings.port) },
            logger: logger)
    }
}
