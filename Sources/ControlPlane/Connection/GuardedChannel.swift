// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import HummingbirdCore
import Logging
import NIOCore
import NIOSSL
import SSHWire
import Synchronization

/// How many connections each source has open.
final class ConnectionCounts: Sendable {
    private let maximum: Int
    private let counts = Mutex<[[UInt8]: Int]>([:])

    init(maximumPerAddress maximum: Int) { self.maximum = maximum }

    /// - Returns: false when the source has as many as it may.
    func enter(_ network: [UInt8]) -> Bool {
        counts.withLock { counts in
            let count = counts[network] ?? 0
            guard count < maximum else { return false }
            counts[network] = count + 1
            return true
        }
    }

    func leave(_ network: [UInt8]) {
        counts.withLock { counts in
            let count = counts[network] ?? 0
            counts[network] = count > 1 ? count - 1 : nil
        }
    }
}

/// TLS and HTTP with a ``ConnectionGuard`` between them, for as many connections of one source as there may be.
struct GuardedChannel<Inner: ServerChildChannel>: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let inner: Inner.Value
        let use: EventLoopFuture<ConnectionUse>

        var channel: any Channel { inner.channel }
    }

    let inner: Inner
    let times: ConnectionTimes
    let counts: ConnectionCounts

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let address = channel.remoteAddress?.ipAddress.flatMap { try? IPAddress($0) }
        let network = RequestLimits.network(address)
        guard counts.enter(network) else {
            logger.debug(
                "too many connections", metadata: ["daypass.source": "\(address?.description ?? "")"])
            // Nothing is told: an answer would need a TLS handshake first, which is what is being saved.
            return channel.close().flatMap { channel.eventLoop.makeFailedFuture(ChannelError.eof) }
        }
        channel.closeFuture.whenComplete { [counts] _ in counts.leave(network) }
        let ready = inner.setup(channel: channel, logger: logger)
        let use = channel.eventLoop.makePromise(of: ConnectionUse.self)
        do {
            let pipeline = channel.pipeline.syncOperations
            let tls = try pipeline.handler(type: NIOSSLServerHandler.self)
            try pipeline.addHandler(ConnectionGuard(times, use), position: .after(tls))
        } catch {
            use.fail(error)
            return channel.close().flatMap { channel.eventLoop.makeFailedFuture(error) }
        }
        return ready.map { Value(inner: $0, use: use.futureResult) }
    }

    /// Answers requests, on the connection's own loop. A tunnel needs nobody here: the task in which Hummingbird would wait for
    /// its end takes more memory than all else of it.
    func handle(value: Value, logger: Logger) async {
        let channel = value.channel
        let use = await withTaskCancellationHandler {
            try? await value.use.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        if use == .tunnel {
            // Hummingbird's handlers are still in the pipeline, and go with it.
            return channel.closeFuture.whenComplete { _ in withExtendedLifetime(value) {} }
        }
        await withTaskExecutorPreference(LoopExecutor(channel.eventLoop)) {
            await inner.handle(value: value.inner, logger: logger)
        }
    }
}
