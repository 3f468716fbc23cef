// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTP or HTTPS server on a loopback port that keeps what is posted to it, and answers as it is told.
final class WebhookReceiver: Sendable {
    /// A request as it came.
    struct Post: Sendable {
        let target: String
        let headers: [String: String]
        let body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        var json: JSONValue? { try? JSONValue(parsing: body, maximumBytes: 1 << 20) }
    }

    /// What it does with a request.
    enum Manner: Sendable {
        case status(Int)
        /// To another address, which must not be followed.
        case redirect(String)
        /// Keeps the connection open and says nothing.
        case silence
        /// Closes the connection without a word.
        case hangUp
        /// Says something that is no HTTP.
        case nonsense
        /// Begins an answer with status 200, whose body never ends.
        case endless
    }

    private struct State {
        var posts: [Post] = []
        var manners: [Manner] = []
    }

    private let state: Mutex<State>
    private let channel = Mutex<(any Channel)?>(nil)
    private let tls: NIOSSLContext?

    /// - Parameters:
    ///   - manners: one for each request; the last for all that follow.
    ///   - chainPEM: for HTTPS, with its key.
    init(_ manners: [Manner] = [.status(200)], chainPEM: String? = nil, keyPEM: String = "") async throws {
        state = Mutex(State(manners: manners))
        tls = try chainPEM.map { chain in
            try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: NIOSSLCertificate.fromPEMBytes(Array(chain.utf8)).map {
                        .certificate($0)
                    },
                    privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(keyPEM.utf8), format: .pem))))
        }
        try await start()
    }

    deinit { channel.withLock { $0 }?.close(promise: nil) }

    private let chosen = Mutex(0)
    var port: Int { chosen.withLock { $0 } }

    func url(_ path: String = "/hook/SECRET") -> String {
        "\(tls == nil ? "http" : "https")://127.0.0.1:\(port)\(path)"
    }

    var posts: [Post] { state.withLock { $0.posts } }

    /// From now on.
    func behave(_ manners: [Manner]) { state.withLock { $0.manners = manners } }

    /// Goes away; ``start()`` brings it back where it was.
    func stop() async throws {
        let open = channel.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try await open?.close().get()
    }

    func start() async throws {
        let tls = tls
        let bound = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [weak self] channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(Handler(self))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        chosen.withLock { $0 = bound.localAddress?.port ?? 0 }
        channel.withLock { $0 = bound }
    }

    fileprivate func take(_ post: Post) -> Manner {
        state.withLock { state in
            state.posts.append(post)
            return state.manners.count > 1 ? state.manners.removeFirst() : state.manners.first ?? .silence
        }
    }
}

private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private weak var receiver: WebhookReceiver?
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ receiver: WebhookReceiver?) { self.receiver = receiver }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): (self.head, body) = (head, [])
        case .body(let part): body += part.readableBytesView
        case .end:
            guard let head, let receiver else { return context.close(promise: nil) }
            let headers = Dictionary(
                head.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
            answer(context, receiver.take(.init(target: head.uri, headers: headers, body: body)))
        }
    }

    private func answer(_ context: ChannelHandlerContext, _ manner: WebhookReceiver.Manner) {
        switch manner {
        case .status(let code): send(context, code, ["content-length": "0"])
        case .redirect(let target): send(context, 307, ["content-length": "0", "location": target])
        case .silence: break
        case .hangUp: context.close(promise: nil)
        case .nonsense:
            // Beneath what makes HTTP of answers.
            let encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
            encoder?.writeAndFlush(NIOAny(ByteBuffer(string: "220 mail.example ESMTP\r\n")), promise: nil)
        case .endless:
            let head = HTTPResponseHead(
                version: .http1_1, status: .ok, headers: ["transfer-encoding": "chunked"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "more")))), promise: nil)
        }
    }

    private func send(_ context: ChannelHandlerContext, _ code: Int, _ headers: HTTPHeaders) {
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: code), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
