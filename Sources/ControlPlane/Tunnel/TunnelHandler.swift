// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import NIOCore
import NIOWebSocket
import SSHWire

/// Reads what a host's agent says on its tunnel, and answers it.
///
/// What is heard from the peer is a sign of life; where nothing came for ``pingAfter`` it is asked, and where nothing
/// came for ``silence`` (``p0Silence``) the tunnel is closed. Pings are answered at once. Requests are answered in their
/// order, one at a time: an agent that asks faster than the log can write waits.
final class TunnelHandler: ChannelInboundHandler {
    typealias InboundIn = NIOWebSocket.WebSocketFrame
    typealias OutboundOut = NIOWebSocket.WebSocketFrame

    static let pingAfter = TimeAmount.seconds(5)
    static let silence = TimeAmount.seconds(15)
    /// The same for P0's agents, which answer nothing, not even pings, while a script of theirs runs: two minutes at most.
    /// Their heartbeat comes every minute.
    static let p0Silence = TimeAmount.seconds(150)
    /// How long an agent may take to say who it is.
    static let introduction = TimeAmount.seconds(10)
    /// Requests that wait for the one before.
    private static let maximumWaiting = 64

    private let hub: TunnelHub
    private let admitted: TunnelHub.Admitted
    private var link: TunnelLink?
    private var isIntroduced = false
    private var lastHeard = NIODeadline.now()
    private var opened = NIODeadline.now()
    private var timer: Scheduled<Void>?
    private var waiting: [(id: RPCID, method: String, params: JSONValue?)] = []
    private var isAnswering = false

    init(_ hub: TunnelHub, _ admitted: TunnelHub.Admitted) {
        self.hub = hub
        self.admitted = admitted
    }

    func handlerAdded(context: ChannelHandlerContext) {
        link = TunnelLink(admitted.host, admitted.dialect, context.channel)
        lastHeard = context.eventLoop.now
        opened = lastHeard
        watch(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        timer?.cancel()
        timer = nil
        waiting = []
        guard let link else { return }
        self.link = nil
        hub.closed(link)
        link.ended()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { link?.close("the server is going away") }
        // Whoever says nothing more is gone, though the connection could still carry what is said to them.
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        lastHeard = context.eventLoop.now
        switch frame.opcode {
        case .text: read(context, frame.unmaskedData)
        case .ping:
            let pong = NIOWebSocket.WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            let echo = NIOWebSocket.WebSocketFrame(
                fin: true, opcode: .connectionClose, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(echo)).whenComplete { _ in
                bound.value.close(promise: nil)
            }
        // Binary frames are passed over, as braekhus does.
        default: break
        }
    }

    private func read(_ context: ChannelHandlerContext, _ data: ByteBuffer) {
        do {
            switch try RPCMessage(parsing: Array(data.readableBytesView)) {
            case .request(let id, let method, let params):
                guard waiting.count < Self.maximumWaiting else {
                    return context.close(promise: nil)
                }
                waiting.append((id, method, params))
                answerNext(context)
            case .notification: break
            case .result(let id, let value): link?.answered(id, .success(value))
            case .failure(let id, let error): link?.answered(id, .failure(error))
            }
        } catch {
            if let answer = error.answer { link?.send(answer) }
        }
    }

    private func answerNext(_ context: ChannelHandlerContext) {
        guard !isAnswering, !waiting.isEmpty else { return }
        let (id, method, params) = waiting.removeFirst()
        if method == Tunnel.setClientID {
            link?.send(introduce(id, params))
            return answerNext(context)
        }
        guard isIntroduced, admitted.dialect == .daypass else {
            link?.send(.failure(id: id, .unknownMethod(method)))
            return answerNext(context)
        }
        isAnswering = true
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let (hub, host) = (hub, admitted.host)
        context.eventLoop.makeFutureWithTask { await hub.answer(method, params, from: host) }.whenSuccess {
            result in
            let (handler, context) = bound.value
            handler.isAnswering = false
            switch result {
            case .success(let value): handler.link?.send(.result(id: id, value))
            case .failure(let error): handler.link?.send(.failure(id: id, error))
            }
            handler.answerNext(context)
        }
    }

    /// Takes the agent's word for who it is only where its token says the same.
    private func introduce(_ id: RPCID, _ params: JSONValue?) -> RPCMessage {
        guard let claimed = params?["clientId"]?.string else {
            return .failure(id: id, RPCError(.invalidParams, "clientId: a text expected"))
        }
        guard claimed.utf8.elementsEqual(admitted.host.clientID.utf8) else {
            return .failure(id: id, RPCError(.invalidParams, "clientId: it is not the token's subject"))
        }
        hub.seen(admitted.host)
        if !isIntroduced, let link {
            isIntroduced = true
            hub.opened(link)
        }
        var members = [JSONValue.Member("ok", .bool(true))]
        if admitted.dialect == .daypass, let place = hub.fleet.recordPlace(of: admitted.host.id) {
            members.append(
                .init(
                    "recorded",
                    .object([
                        .init("sequence", .number(Int64(clamping: place.sequence))),
                        .init("sha256", .string(hexadecimal(place.hash))),
                    ])))
        }
        return .result(id: id, .object(members))
    }

    private func watch(_ context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        let isLost = now - lastHeard >= (admitted.dialect == .p0 ? Self.p0Silence : Self.silence)
        if isLost || !isIntroduced && now - opened >= Self.introduction {
            return context.close(promise: nil)
        }
        if now - lastHeard >= Self.pingAfter {
            let ping = NIOWebSocket.WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer())
            context.writeAndFlush(wrapOutboundOut(ping), promise: nil)
        }
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: Self.pingAfter) {
            let (handler, context) = bound.value
            handler.watch(context)
        }
    }
}
