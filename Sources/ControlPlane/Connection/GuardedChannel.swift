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
    let inner: Inner
    let times: ConnectionTimes
    let counts: ConnectionCounts

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Inner.Value> {
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
        do {
            let pipeline = channel.pipeline.syncOperations
            let tls = try pipeline.handler(type: NIOSSLServerHandler.self)
            try pipeline.addHandler(ConnectionGuard(times), position: .after(tls))
        } catch {
            return channel.close().flatMap { channel.eventLoop.makeFailedFuture(error) }
        }
        return ready
    }

    func handle(value: Inner.Value, logger: Logger) async {
        await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) {
            await inner.handle(value: value, logger: logger)
        }
    }
}
