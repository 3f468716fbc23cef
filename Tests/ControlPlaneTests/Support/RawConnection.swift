// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A connection that says what it is told and no more.
struct RawConnection: Sendable {
    private final class Received: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let received: Received

        init(_ received: Received) { self.received = received }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(unwrapInboundIn(data).readableBytesView)
            received.bytes.withLock { $0 += bytes }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    let channel: any Channel
    private let received: Received
    private let start = ContinuousClock.now

    /// - Parameters:
    ///   - rootPEM: for TLS; nil for none.
    ///   - text: what it says first, from the event loop: a task that other tests let wait might come to it only after the
    ///     server has cut a silent connection.
    init(port: Int, rootPEM: String? = nil, saying text: String = "") async throws {
        let received = Received()
        let context = try rootPEM.map { pem in
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8)))
            return try NIOSSLContext(configuration: tls)
        }
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            try NIOSSLClientHandler(context: context, serverHostname: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(Collector(received))
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .flatMap { channel in
                text.isEmpty
                    ? channel.eventLoop.makeSucceededFuture(channel)
                    : channel.writeAndFlush(ByteBuffer(string: text)).map { channel }
            }
            .get()
        self.received = received
    }

    func say(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }
    func say(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// Says a text byte by byte until it is cut.
    func drip(_ text: String, every pause: Duration) async {
        for byte in text.utf8 {
            guard channel.isActive, (try? await say([byte])) != nil else { return }
            try? await Task.sleep(for: pause)
        }
    }

    var bytes: [UInt8] { received.bytes.withLock { $0 } }
    var text: String { received.bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    func hasReceived(_ part: String, within timeout: Duration = .seconds(20)) async -> Bool {
        let end = ContinuousClock.now + timeout
        while !text.contains(part) {
            guard ContinuousClock.now < end else { return text.contains(part) }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return true
    }

    /// How long it lasted; nil when it lasts longer than `timeout`.
    func closed(within timeout: Duration) async -> Duration? {
        await withTaskGroup(of: Duration?.self) { group in
            group.addTask { [channel, start] in
                try? await channel.closeFuture.get()
                return ContinuousClock.now - start
            }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return nil
            }
            let first = await group.next() ?? nil
            if first == nil { channel.close(promise: nil) }
            group.cancelAll()
            return first
        }
    }
}
