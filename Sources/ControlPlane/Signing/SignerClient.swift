// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import NIOCore
import NIOPosix
public import SSHWire
import Synchronization

/// Has certificates signed by the process that holds the CA keys.
///
/// Wishes that come while an order is on its way share the next one, as do those that come in one turn of the event loop,
/// which is how a ledger's step lets go those whose entries it wrote: a hundred of them cost one exchange.
public final class SignerClient: Sendable {
    fileprivate struct Waiter {
        let indexes: [UInt64]
        let continuation: CheckedContinuation<Result<[Signature], CertAuthorityError>, Never>
    }

    private struct State {
        var channel: (any Channel)?
        var isConnecting = false
        var number: UInt64 = 0
        /// Whose order is on its way.
        var asked: [Waiter] = []
        var waiting: [Waiter] = []
        /// The event loop is about to send what waits.
        var isDue = false
        var isWatched = false
    }

    /// How long an order may take: 1,024 RSA-4096 signatures take 4 seconds.
    private static let timeout: TimeAmount = .seconds(10)

    private let path: String
    private let state = Mutex(State())

    /// - Parameter path: the signer's Unix socket. It is connected to when something is to be signed, and again after
    ///   the signer has gone.
    public init(path: String) { self.path = path }

    /// A signer with one of the keys.
    public func signer(_ publicKey: PublicKey) -> some CertificateSigner {
        RemoteSigner(publicKey: publicKey, client: self)
    }

    fileprivate func sign(_ indexes: [UInt64]) async -> Result<[Signature], CertAuthorityError> {
        await withCheckedContinuation { continuation in
            let waiter = Waiter(indexes: indexes, continuation: continuation)
            let (mustConnect, loop): (Bool, (any EventLoop)?) = state.withLock { state in
                state.waiting.append(waiter)
                guard let channel = state.channel else {
                    defer { state.isConnecting = true }
                    return (!state.isConnecting, nil)
                }
                guard state.asked.isEmpty, !state.isDue else { return (false, nil) }
                state.isDue = true
                return (false, channel.eventLoop)
            }
            if mustConnect { connect() }
            loop?.execute { self.sendNext() }
        }
    }

    private func connect() {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AnswerHandler(client: self))
                }
            }
        bootstrap.connect(unixDomainSocketPath: path).whenComplete { result in
            switch result {
            case .success(let channel):
                self.state.withLock { state in
                    state.channel = channel
                    state.isConnecting = false
                }
                self.sendNext()
            case .failure: self.lost("it does not answer at its socket")
            }
        }
    }

    /// Sends what waits, unless an order is on its way.
    private func sendNext() {
        let next: (channel: any Channel, order: SigningOrder, mustWatch: Bool)? = state.withLock { state in
            state.isDue = false
            guard let channel = state.channel, state.asked.isEmpty, !state.waiting.isEmpty else { return nil }
            var count = 0
            let share = state.waiting.prefix { waiter in
                count += waiter.indexes.count
                return count <= SigningDesk.maximumOrder
            }
            // One wish that is too large by itself is refused by the signer.
            let asked = share.isEmpty ? Array(state.waiting.prefix(1)) : Array(share)
            state.waiting.removeFirst(asked.count)
            state.asked = asked
            state.number += 1
            let mustWatch = !state.isWatched
            state.isWatched = true
            let order = SigningOrder(number: state.number, indexes: asked.flatMap(\.indexes))
            return (channel, order, mustWatch)
        }
        guard let next else { return }
        next.channel.writeAndFlush(ByteBuffer(bytes: next.order.frame), promise: nil)
        if next.mustWatch { watch(next.order.number, next.channel.eventLoop) }
    }

    /// Gives a signer up that lives and does not answer: looks every 10 seconds whether the same order is out as the
    /// last time, which costs an order nothing.
    private func watch(_ number: UInt64, _ loop: any EventLoop) {
        loop.scheduleTask(in: Self.timeout) { [weak self] in
            guard let self else { return }
            let (isStuck, following): (Bool, UInt64?) = self.state.withLock { state in
                let isOut = !state.asked.isEmpty
                let isStuck = isOut && state.number == number
                state.isWatched = isOut && !isStuck
                return (isStuck, state.isWatched ? state.number : nil)
            }
            if isStuck { self.lost("it does not answer") }
            if let following { self.watch(following, loop) }
        }
    }

    fileprivate func received(_ answer: SigningAnswer) {
        let asked: [Waiter]? = state.withLock { state in
            guard answer.number == state.number else { return nil }
            let asked = state.asked
            state.asked = []
            return asked
        }
        guard let asked else { return lost("it answered what it was not asked") }
        switch answer.result {
        case .failure(let error):
            for waiter in asked { waiter.continuation.resume(returning: .failure(error)) }
        case .success(let signatures):
            guard signatures.count == asked.reduce(0, { $0 + $1.indexes.count }) else {
                let error = CertAuthorityError(
                    .signerMismatch,
                    "\(signatures.count) signatures came for another number of certificates")
                for waiter in asked { waiter.continuation.resume(returning: .failure(error)) }
                return lost("it answered what it was not asked")
            }
            var rest = signatures[...]
            for waiter in asked {
                let own = Array(rest.prefix(waiter.indexes.count))
                rest = rest.dropFirst(own.count)
                waiter.continuation.resume(returning: .success(own))
            }
        }
        sendNext()
    }

    /// Gives up what was asked for: what is recorded stays recorded, and its serials are not used again.
    fileprivate func lost(_ reason: String) {
        let (channel, waiters) = state.withLock { state in
            let lost = (state.channel, state.asked + state.waiting)
            state.channel = nil
            state.isConnecting = false
            state.asked = []
            state.waiting = []
            return lost
        }
        channel?.close(promise: nil)
        let error = CertAuthorityError(
            .key, "the signer is not available: \(reason)", hint: "try again in a moment")
        for waiter in waiters { waiter.continuation.resume(returning: .failure(error)) }
    }
}

private struct RemoteSigner: CertificateSigner {
    let publicKey: PublicKey
    let client: SignerClient

    /// The signer is this program, at a socket in a folder where nobody else can put one, and it signs what it reads from
    /// the log. A signature over anything else makes a certificate that no sshd takes, and the client verifies it before
    /// use.
    var signaturesNeedVerifying: Bool { false }

    func sign(_ recorded: [RecordedIssuance]) async throws(CertAuthorityError) -> [Signature] {
        try await client.sign(recorded.map(\.index)).get()
    }
}

/// Puts frames together.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let client: SignerClient
    private var pending: [UInt8] = []

    init(client: SignerClient) { self.client = client }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        pending += unwrapInboundIn(data).readableBytesView
        while pending.count >= 4 {
            let length = pending.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard length <= SigningOrder.maximumFrameBytes else {
                context.close(promise: nil)
                return
            }
            guard pending.count >= 4 + length else { return }
            let body = Array(pending[4..<(4 + length)])
            pending.removeFirst(4 + length)
            do {
                client.received(try SigningAnswer(body: body.span))
            } catch {
                context.close(promise: nil)
                return
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) { client.lost("it has gone") }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
