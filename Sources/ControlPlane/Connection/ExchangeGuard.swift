// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Watches the requests and answers of an HTTP/1 connection or of one HTTP/2 stream: cuts what takes too long, refuses
/// a body that is too large whatever the route, and answers what is no HTTP with problem details.
final class ExchangeGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let times: ConnectionTimes
    private let maximumBodyBytes: Int
    private var deadlines = Deadlines()
    private var timer: LazyTimer
    private var connection: ConnectionGuard?
    private var isMultiplexed = false
    private var bodyBytes = 0
    /// Requests whose answer has not been written to its end.
    private var unanswered = 0
    /// The head of an answer has been written, its end has not.
    private var isAnswering = false
    /// Nothing more is read or written by anybody else.
    private var isClosing = false

    init(_ times: ConnectionTimes, maximumBodyBytes: Int) {
        self.times = times
        self.maximumBodyBytes = maximumBodyBytes
        timer = LazyTimer(checkingEvery: times.shortest)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let own = try? context.pipeline.syncOperations.handler(type: ConnectionGuard.self)
        // A stream's parent is its connection, and lives on the same event loop.
        isMultiplexed = own == nil
        connection =
            own
            ?? context.channel.parent.flatMap {
                try? $0.pipeline.syncOperations.handler(type: ConnectionGuard.self)
            }
        check(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer.cancel()
        connection = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        switch unwrapInboundIn(data) {
        case .head:
            connection?.headCame(multiplexed: isMultiplexed)
            bodyBytes = 0
            unanswered += 1
            deadlines.body = .now() + times.body
        case .body(let part):
            bodyBytes += part.readableBytes
            guard bodyBytes <= maximumBodyBytes else {
                return refuse(
                    context,
                    Problem(.tooLarge, "the body is over \(maximumBodyBytes) bytes"))
            }
        case .end:
            connection?.requestEnded()
            deadlines.body = nil
            if unanswered > 0, deadlines.answer == nil { deadlines.answer = .now() + times.answer }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isClosing else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head: isAnswering = true
        case .body: break
        case .end:
            isAnswering = false
            unanswered -= 1
            deadlines.answer = unanswered > 0 ? .now() + times.answer : nil
        }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What came before it is answered first, in its order; then this connection has no more to say.
        guard error is HTTPParserError || error is HTTP1TypeConversionError, unanswered == 0 else {
            return context.fireErrorCaught(error)
        }
        refuse(context, Problem(.invalidRequest, "this is not HTTP, or its head is too large"))
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer.cancel()
        context.fireChannelInactive()
    }

    /// Answers in the place of the routes, and closes.
    private func refuse(_ context: ChannelHandlerContext, _ problem: Problem) {
        guard !isClosing else { return }
        isClosing = true
        // Where an answer to this request is on its way, or one before it is due, no other can be put in its place.
        let isFirst = unanswered == 0 ? deadlines.body == nil : unanswered == 1 && !isAnswering
        guard isFirst else { return context.close(promise: nil) }
        var problem = problem
        problem.requestID = RequestID().description
        let body = ByteBuffer(string: problem.json.text)
        var fields = HTTPFields()
        fields[.contentType] = Problem.mediaType
        fields[.contentLength] = String(body.readableBytes)
        fields[.cacheControl] = "no-store"
        fields[.requestID] = problem.requestID
        if !isMultiplexed { fields[.connection] = "close" }
        let head = HTTPResponse(status: .init(code: problem.code.status), headerFields: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            bound.value.close(promise: nil)
        }
    }

    private func check(_ context: ChannelHandlerContext) {
        if let next = deadlines.next, next <= .now() {
            isClosing = true
            context.close(promise: nil)
            return
        }
        let bound = NIOLoopBound((guard: self, context: context), eventLoop: context.eventLoop)
        timer.schedule(on: context.eventLoop, next: deadlines.next) {
            bound.value.guard.check(bound.value.context)
        }
    }
}
