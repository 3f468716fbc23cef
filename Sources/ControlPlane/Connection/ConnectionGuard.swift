// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What a connection is for, once that is known.
enum ConnectionUse: Sendable {
    case requests, tunnel
}

/// Cuts a connection that does not come to a request: one that is silent before, within or after the TLS handshake,
/// and one that sends the head of a request byte by byte.
///
/// It stands between TLS and HTTP from the first moment on. Hummingbird's own idle handler comes into the pipeline with
/// the handshake's end, and each byte that arrives puts it off.
final class ConnectionGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let times: ConnectionTimes
    /// Told once.
    private var use: EventLoopPromise<ConnectionUse>?
    private var deadlines = Deadlines()
    private var timer: LazyTimer
    /// A request's head has come and its end has not.
    private var isReading = false
    /// Bytes are frames of several streams: each of them has an ``ExchangeGuard``, HTTP/2 itself bounds the rest.
    private var isMultiplexed = false

    /// - Parameter use: what the connection turns out to be for.
    init(_ times: ConnectionTimes, _ use: EventLoopPromise<ConnectionUse>) {
        self.times = times
        self.use = use
        timer = LazyTimer(checkingEvery: times.shortest)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        deadlines.head = .now() + times.head
        check(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isReading, !isMultiplexed, deadlines.head == nil { deadlines.head = .now() + times.head }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer.cancel()
        tell(.requests)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer.cancel()
        tell(.requests)
    }

    /// Called by the ``ExchangeGuard`` of this connection, or of one of its streams.
    func headCame(multiplexed: Bool) {
        deadlines.head = nil
        isReading = true
        isMultiplexed = multiplexed
        tell(.requests)
    }

    /// Called by the ``TunnelGate``.
    func becomesTunnel() { tell(.tunnel) }

    private func tell(_ use: ConnectionUse) {
        self.use?.succeed(use)
        self.use = nil
    }

    func requestEnded() { isReading = false }

    private func check(_ context: ChannelHandlerContext) {
        if let head = deadlines.head, head <= .now() {
            context.close(promise: nil)
            return
        }
        let bound = NIOLoopBound((guard: self, context: context), eventLoop: context.eventLoop)
        timer.schedule(on: context.eventLoop, next: deadlines.next) {
            bound.value.guard.check(bound.value.context)
        }
    }
}
