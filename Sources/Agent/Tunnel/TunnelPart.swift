// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import CLinux
import COpenSSLTLS
import SSHWire

/// The host's one connection to its control plane, kept for ever: it goes out, and through it the server asks for
/// operations.
///
/// Everything that decides something is a value of its own: when to connect (``TunnelLifecycle``), what is said
/// (``TunnelConversation``), what was done already (``CallMemory``). This is what ties them to sockets and threads.
public final class TunnelPart: ServicePart {
    /// Operations that run at once, and that wait. More are refused as busy.
    static let maximumOperations = 8
    static let maximumWaiting = 64
    /// How long an operation may take when the server doesn't say, in milliseconds.
    static let defaultTimeoutMilliseconds: UInt64 = 60_000
    /// Our own requests that wait for a connection.
    static let maximumQueued = 64

    /// How one of our own requests ended.
    public enum Reply: Sendable, Hashable {
        case result(JSONValue)
        case refused(RPCError)
        /// There was no answer in time, or the connection went: the server may have taken it.
        case unanswered
    }

    enum Connection {
        case none
        case resolving(ticket: UInt64)
        case opening(NetworkStream)
        case upgrading(NetworkStream, WebSocketUpgrade, head: [UInt8])
        case open(Talk)
    }

    /// An open tunnel.
    final class Talk {
        let stream: NetworkStream
        var reader = WebSocketReader(expectsMasks: false)
        var conversation: TunnelConversation
        /// No poll will tell that there is more to read.
        var hasMore = false

        init(_ stream: NetworkStream, _ conversation: TunnelConversation) {
            self.stream = stream
            self.conversation = conversation
        }
    }

    /// Who waits for an operation: a request on a connection that may be gone by then.
    struct Caller {
        let connection: UInt64
        let id: RPCID?
        let command: String
        let deadline: UInt64
    }

    public let name = "tunnel"
    let read: () throws(AgentError) -> TunnelSettings
    let say: (String) -> Void
    let debug: (String) -> Void
    let operations: any HostOperations
    let resolver: Workers<Result<[SocketAddress], AgentError>>
    let workers: Workers<HostOutcome>

    var settings: TunnelSettings
    var lifecycle: TunnelLifecycle
    var memory = CallMemory()
    var connection = Connection.none
    /// Counts connections, so that no answer goes to another one than its question came from.
    var connectionNumber: UInt64 = 0
    var callers: [UInt64: [Caller]] = [:]
    var queued: [(ticket: UInt64, method: String, params: JSONValue)] = []
    var completions: [UInt64: (Reply) -> Void] = [:]
    var nextTicket: UInt64 = 0
    /// Called with the server's answer to setClientId, once a connection (`daypass.v1` only).
    var onRegistered: ((JSONValue) -> Void)?
    var random = SystemRandomNumberGenerator()
    /// When memory is given back that a new connection took and does not need any more.
    var tidiesAt: UInt64?
    /// What was last said about the connection, so that it is said once.
    private var lastSaid: String?

    /// - Parameters:
    ///   - read: reads the settings, now and when the agent is told to (SIGHUP).
    ///   - operations: what the host can be asked to do.
    ///   - say: takes a line about what is going on; one for each change.
    ///   - debug: takes lines about every step: URLs, status codes, never a token.
    public convenience init(
        operations: any HostOperations, say: @escaping (String) -> Void,
        debug: @escaping (String) -> Void = { _ in },
        read: @escaping () throws(AgentError) -> TunnelSettings
    ) throws(AgentError) {
        try self.init(timing: .init(), operations: operations, say: say, debug: debug, read: read)
    }

    init(
        timing: TunnelLifecycle.Timing, operations: any HostOperations, say: @escaping (String) -> Void,
        debug: @escaping (String) -> Void, read: @escaping () throws(AgentError) -> TunnelSettings
    ) throws(AgentError) {
        daypass_share_heap()
        daypass_tls_prepare()
        settings = try read()
        lifecycle = TunnelLifecycle(timing: timing)
        lifecycle.timing.opening = settings.openingMilliseconds &* 1_000_000
        (self.read, self.operations, self.say, self.debug) = (read, operations, say, debug)
        resolver = try Workers(threads: 2, waiting: 0)
        workers = try Workers(threads: Self.maximumOperations, waiting: Self.maximumWaiting)
    }

    /// True when requests can go at once.
    var isOpen: Bool {
        guard case .open(let talk) = connection else { return false }
        return talk.conversation.isRegistered
    }

    // MARK: The agent's loop

    public var descriptors: [Int32] {
        var numbers = [resolver.descriptor, workers.descriptor]
        if let number = stream?.descriptor { numbers.append(number) }
        return numbers
    }

    public var writing: [Int32] {
        guard let stream, stream.wantsToWrite, let number = stream.descriptor else { return [] }
        return [number]
    }

    public var dueAt: UInt64? {
        var due = lifecycle.dueAt ?? .max
        if case .open(let talk) = connection {
            due = talk.hasMore ? 0 : min(due, talk.conversation.dueAt)
        }
        for waiting in callers.values { for caller in waiting { due = min(due, caller.deadline) } }
        return due == .max ? nil : due
    }

    public func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent] {
        goOn(at: moment.boot)
        return []
    }

    public func due(at moment: Moment) throws(AgentError) -> [SessionEvent] {
        goOn(at: moment.boot)
        return []
    }

    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] {
        goOn(at: moment.boot)
        return []
    }

    public func reload() throws(AgentError) {
        let new = try read()
        let isOther = new.differs(from: settings)
        settings = new
        lifecycle.timing.opening = new.openingMilliseconds &* 1_000_000
        guard isOther else { return }
        lastSaid = nil
        disconnect(.goingAway)
        lifecycle.beginAnew(at: Moment.now.boot)
    }

    /// Takes a key that was changed by another process: the server, which has just refused the old one, knows it.
    func readKeyAgain() {
        guard let new = try? read(), new.key.publicKey != settings.key.publicKey else { return }
        settings = new
    }

    /// Does all that can be done without waiting.
    private func goOn(at now: UInt64) {
        takeAddresses(at: now)
        takeOutcomes(at: now)
        advance(at: now)
        while let action = lifecycle.next(at: now) {
            switch action {
            case .connect: connect(at: now)
            case .ping: send(.ping, [])
            case .giveUp(let cause): lose(cause, at: now)
            }
        }
        passDeadlines(at: now)
        if let tidiesAt, now >= tidiesAt {
            self.tidiesAt = nil
            ResidentMemory.release()
        }
    }

    var stream: NetworkStream? {
        switch connection {
        case .none, .resolving: nil
        case .opening(let stream), .upgrading(let stream, _, _): stream
        case .open(let talk): talk.stream
        }
    }

    // MARK: Coming and going

    /// The connection is gone, or is to go.
    func lose(_ cause: String, at now: UInt64) {
        disconnect(nil)
        let delay = lifecycle.lost(at: now, random: &random)
        debug("tunnel: \(cause); next attempt in \(delay / 1_000_000) ms")
        announce("warning: tunnel: \(cause); trying again")
    }

    /// Says a change, once.
    func announce(_ line: String) {
        guard lastSaid != line else { return }
        lastSaid = line
        say(line)
    }

    /// Ends the connection, with a goodbye or without; what waited for an answer gets none.
    func disconnect(_ goodbye: WebSocketClose?) {
        guard case .open(let talk) = connection else {
            connection = .none
            return
        }
        if let goodbye { send(.close, goodbye.payload) }
        talk.stream.close()
        connection = .none
        for ticket in talk.conversation.unanswered { complete(ticket, .unanswered) }
    }

    /// Puts a frame into the stream.
    func send(_ opcode: WebSocketFrame.Opcode, _ payload: [UInt8]) {
        guard case .open(let talk) = connection else { return }
        let frame = WebSocketFrame.encode(
            opcode, payload, mask: UInt32.random(in: .min ... .max, using: &random))
        // What can't be sent is noticed when the stream is read.
        try? talk.stream.send(frame)
    }
}
