// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket
import SSHWire

/// Turns an HTTP/1.1 connection into a tunnel when its first request asks for that (RFC 6455, section 4.2).
///
/// The path is not looked at: P0's agents are configured with any. Everything else goes on to the routes. Stands before
/// the ``ExchangeGuard``, so that neither it nor Hummingbird hears of a request that is a tunnel.
final class TunnelGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private enum State {
        /// Nothing has come yet.
        case first
        /// A tunnel is being opened; what else comes is no HTTP.
        case opening
        /// An ordinary connection.
        case open
    }

    private let hub: TunnelHub
    private var state = State.first

    init(_ hub: TunnelHub) { self.hub = hub }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .open: context.fireChannelRead(data)
        case .opening: break
        case .first:
            guard case .head(let head) = unwrapInboundIn(data), let key = Self.key(head) else {
                state = .open
                context.fireChannelRead(data)
                return
            }
            state = .opening
            open(context, head, key)
        }
    }

    /// The client's key when the request is for a WebSocket; nil for every other request.
    private static func key(_ head: HTTPRequest) -> String? {
        let fields = head.headerFields
        guard head.method == .get, fields[.upgrade]?.lowercased() == "websocket",
            fields[.connection]?.lowercased().split(separator: ",").contains(where: { $0.contains("upgrade") }
            )
                == true,
            fields[.secWebSocketVersion] == "13", let key = fields[.secWebSocketKey],
            key.utf8.count == 24
        else { return nil }
        return key
    }

    private func open(_ context: ChannelHandlerContext, _ head: HTTPRequest, _ key: String) {
        let channel = context.channel
        let source = channel.remoteAddress?.ipAddress.flatMap { try? IPAddress($0) }
        let authorization = head.headerFields[.authorization]
        let protocols = (head.headerFields[.secWebSocketProtocol] ?? "").split(separator: ",").map {
            $0.drop { $0 == " " }
        }
        let authority = head.authority ?? ""
        let bound = NIOLoopBound((gate: self, context: context), eventLoop: context.eventLoop)
        let hub = hub
        channel.eventLoop.makeFutureWithTask {
            await hub.admit(
                authorization: authorization, authority: authority,
                speaksDaypass: protocols.contains { $0.elementsEqual(Tunnel.subprotocol) }, from: source)
        }.whenSuccess { admission in
            let (gate, context) = bound.value
            guard context.channel.isActive else { return }
            switch admission {
            case .refused(let problem): gate.refuse(context, problem)
            case .admitted(let admitted): gate.accept(context, admitted, key)
            }
        }
    }

    private func refuse(_ context: ChannelHandlerContext, _ problem: Problem) {
        let body = problem.json.text
        var text =
            "HTTP/1.1 \(problem.code.status) \(problem.code.status == 401 ? "Unauthorized" : "Refused")\r\n"
        text += "Content-Type: \(Problem.mediaType)\r\nContent-Length: \(body.utf8.count)\r\n"
        text += "Connection: close\r\n\r\n\(body)"
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        write(context, text)?.whenComplete { _ in bound.value.close(promise: nil) }
    }

    private func accept(_ context: ChannelHandlerContext, _ admitted: TunnelHub.Admitted, _ key: String) {
        var text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Accept: \(WebSocketUpgrade.accept(for: key))\r\n"
        if admitted.dialect == .daypass { text += "Sec-WebSocket-Protocol: \(Tunnel.subprotocol)\r\n" }
        text += "\r\n"
        do {
            let pipeline = context.pipeline.syncOperations
            guard write(context, text) != nil else { return context.close(promise: nil) }
            // The tunnel's handlers stand where bytes are plain, and hand nothing on but the connection's end.
            let guardian = try pipeline.handler(type: ConnectionGuard.self)
            guardian.becomesTunnel()
            try pipeline.addHandlers(
                [
                    ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: RPCMessage.maximumBytes)),
                    WebSocketFrameEncoder(),
                    NIOWebSocketFrameAggregator(
                        minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 64,
                        maxAccumulatedFrameSize: RPCMessage.maximumBytes),
                    TunnelHandler(hub, admitted),
                ], position: .after(guardian))
            remove(ConnectionGuard.self, context)
            remove(HTTPResponseEncoder.self, context)
            remove(ByteToMessageHandler<HTTPRequestDecoder>.self, context)
            remove(HTTP1ToHTTPServerCodec.self, context)
            remove(ExchangeGuard.self, context)
            remove(HTTPConnectionStateHandler.self, context)
            remove(TunnelGate.self, context)
        } catch {
            context.close(promise: nil)
        }
    }

    private func remove<Handler: RemovableChannelHandler>(
        _ type: Handler.Type, _ context: ChannelHandlerContext
    ) {
        guard let found = try? context.pipeline.syncOperations.context(handlerType: type) else { return }
        context.pipeline.syncOperations.removeHandler(context: found, promise: nil)
    }

    /// Writes bytes past everything that makes HTTP of them.
    private func write(_ context: ChannelHandlerContext, _ text: String) -> EventLoopFuture<Void>? {
        guard
            let encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
        else { return nil }
        return encoder.writeAndFlush(NIOAny(ByteBuffer(string: text)))
    }
}

extension HTTPField.Name {
    fileprivate static let secWebSocketKey = unsafe HTTPField.Name("Sec-WebSocket-Key").unsafelyUnwrapped
    fileprivate static let secWebSocketVersion = unsafe HTTPField.Name("Sec-WebSocket-Version")
        .unsafelyUnwrapped
    fileprivate static let secWebSocketProtocol = unsafe HTTPField.Name("Sec-WebSocket-Protocol")
        .unsafelyUnwrapped
}
