// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import NIOCore
import NIOPosix
import NIOSSL
import SSHWire

/// The first contact with a server whose root certificate is known by its fingerprint only.
public enum PinnedTrust {
    /// Connects, and returns the root certificate as PEM when the server shows one with this fingerprint.
    ///
    /// Nothing is sent or believed before: the certificate that comes back is what every later connection is checked
    /// against, the server's name included.
    ///
    /// - Parameter fingerprint: `SHA256:` and the 64 hexadecimal digits of a certificate's digest.
    public static func rootCertificate(
        host: String, port: Int, fingerprint: String
    ) async throws -> String {
        let shown = try await chain(host: host, port: port)
        for certificate in shown {
            let der = try certificate.toDERBytes()
            if Self.fingerprint(der).utf8.elementsEqual(fingerprint.lowercasedDigits.utf8) {
                return pem(der)
            }
        }
        let last = try shown.last.map { Self.fingerprint(try $0.toDERBytes()) } ?? "none"
        throw ClientError.untrustedServer(
            "\(host):\(port) shows another certificate than the one that was named: \(last)")
    }

    /// The certificates that a server shows, its own first.
    private static func chain(host: String, port: Int) async throws -> [NIOSSLCertificate] {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.applicationProtocols = ["http/1.1"]
        // The system's are not asked, and a machine need not have any: with none, a context with them can't be made.
        configuration.trustRoots = .certificates([])
        let context = try NIOSSLContext(configuration: configuration)
        let group = MultiThreadedEventLoopGroup.singleton
        let promise = group.next().makePromise(of: [NIOSSLCertificate].self)
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try NIOSSLClientHandler(
                        context: context, serverHostname: isAddress(host) ? nil : host,
                        customVerificationCallback: { certificates, verdict in
                            promise.succeed(certificates)
                            // Looked at is all that it is.
                            verdict.succeed(.failed)
                        })
                    try channel.pipeline.syncOperations.addHandlers(
                        handler, FailureHandler(promise: promise))
                }
            }
        do {
            let channel = try await bootstrap.connect(host: host, port: port).get()
            let timeout = channel.eventLoop.scheduleTask(in: .seconds(10)) {
                promise.fail(ClientError.unreachable("\(host):\(port): no TLS handshake within 10 seconds"))
            }
            defer { timeout.cancel() }
            let certificates = try await promise.futureResult.get()
            channel.close(promise: nil)
            return certificates
        } catch let error as ClientError {
            throw error
        } catch {
            promise.fail(error)
            throw ClientError.unreachable("\(host):\(port): \(Unreachable.reason(error))")
        }
    }

    static func isAddress(_ host: String) -> Bool { (try? IPAddress(host)) != nil }

    private static func fingerprint(_ der: [UInt8]) -> String {
        "SHA256:" + hexadecimal(Digest.sha256(der))
    }

    private static func pem(_ der: [UInt8]) -> String {
        var text = "-----BEGIN CERTIFICATE-----\n"
        var rest = Substring(Base64.encode(der))
        while !rest.isEmpty {
            text += rest.prefix(64) + "\n"
            rest = rest.dropFirst(64)
        }
        return text + "-----END CERTIFICATE-----\n"
    }
}

extension String {
    /// A fingerprint with its digits in lower case and without colons between them.
    fileprivate var lowercasedDigits: String {
        guard let colon = firstIndex(of: ":") else { return self }
        let digits = self[index(after: colon)...].replacing(":", with: "").lowercased()
        return self[...colon].uppercased() + digits
    }
}

/// Ends the wait when the handshake fails before a certificate was shown.
private final class FailureHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<[NIOSSLCertificate]>

    init(promise: EventLoopPromise<[NIOSSLCertificate]>) { self.promise = promise }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(ChannelError.eof)
        context.fireChannelInactive()
    }
}
