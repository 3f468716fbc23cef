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
        /// The most of one source: an IPv4 address, or an IPv6 network of 64 bits. What comes beyond is closed at once.
        public var connectionsPerAddress = 256
        /// When a slow, silent or half-open client is cut.
        public var times = ConnectionTimes()

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
        let times = settings.times
        let stream = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                TunnelGate(plane.hub),
                ExchangeGuard(times, maximumBodyBytes: Operation.maximumBodyBytes),
            ],
            idleTimeout: times.idle,
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: maximumHeaderBytes, maxHeaderListSize: maximumHeaderBytes,
                maxHeaderFieldCount: maximumHeaders))
        let counts = ConnectionCounts(maximumPerAddress: settings.connectionsPerAddress)
        let server = HTTPServerBuilder { [tls] responder in
            GuardedChannel(
                inner: try HTTP2UpgradeChannel(
                    tlsConfiguration: tls,
                    configuration: .init(
                        idleTimeout: .nanoseconds(times.idle.nanoseconds), streamConfiguration: stream),
                    responder: responder), times: times, counts: counts)
        }
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
