// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import NIOCore
import NIOHTTP1
import NIOPosix

/// Waits on a loopback address for a browser to come back from an identity provider (RFC 8252, section 7.3).
///
/// It answers one path, takes one answer, and listens for nobody else's machine.
public final class LoopbackCallback: Sendable {
    /// What the browser brought in the query.
    public struct Answer: Sendable {
        public var code: String?
        public var state: String?
        public var issuer: String?
        public var error: String?
    }

    private let channel: any Channel
    private let promise: EventLoopPromise<Answer>

    /// The most bytes of a request's path and query.
    fileprivate static let maximumTargetBytes = 16 << 10
    fileprivate static let path = "/callback"

    /// Listens on a port that the kernel chooses.
    public init() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let promise = group.next().makePromise(of: Answer.self)
        self.promise = promise
        let bootstrap = ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(CallbackHandler(promise))
                }
            }
        channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
    }

    /// What the provider is told to send the browser to.
    public var redirectURI: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)\(Self.path)" }

    /// The browser's answer.
    ///
    /// - Throws: ``ClientError/unreachable(_:)`` when none comes within `seconds`.
    public func answer(within seconds: Int64) async throws -> Answer {
        let timeout = channel.eventLoop.scheduleTask(in: .seconds(seconds)) { [promise] in
            promise.fail(
                ClientError.unreachable("nobody came back from the browser within \(seconds) seconds"))
        }
        defer {
            timeout.cancel()
            channel.close(promise: nil)
        }
        return try await promise.futureResult.get()
    }
}

private final class CallbackHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let promise: EventLoopPromise<LoopbackCallback.Answer>

    init(_ promise: EventLoopPromise<LoopbackCallback.Answer>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard head.method == .GET, head.uri.utf8.count <= LoopbackCallback.maximumTargetBytes,
            parts.count == 2,
            parts[0] == LoopbackCallback.path
        else { return respond(context, .notFound, "There is nothing here.") }
        let fields = try? FormFields(
            parsing: parts[1].utf8, maximumBytes: LoopbackCallback.maximumTargetBytes)
        let answer = LoopbackCallback.Answer(
            code: fields?["code"], state: fields?["state"], issuer: fields?["iss"], error: fields?["error"])
        guard answer.code != nil || answer.error != nil else {
            return respond(context, .badRequest, "The identity provider's answer is missing.")
        }
        respond(
            context, .ok,
            answer.error == nil
                ? "You may close this window: the terminal goes on." : "The sign-in was refused.")
        promise.succeed(answer)
    }

    /// Nothing of the request is repeated: there is nothing to inject.
    private func respond(_ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ text: String) {
        let body = "<!doctype html><meta charset=\"utf-8\"><title>Daypass</title><p>\(text)</p>\n"
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: "text/html; charset=utf-8")
        headers.add(name: "content-length", value: String(body.utf8.count))
        headers.add(name: "content-security-policy", value: "default-src 'none'")
        headers.add(name: "connection", value: "close")
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))),
            promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }
}
