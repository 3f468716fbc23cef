// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import SSHWire

/// A stream of bytes to a server, from the first packet on: TCP, a proxy where there is one, TLS where it is asked for.
///
/// Nothing here waits. Whoever owns it polls ``descriptor`` for what ``wantsToRead`` and ``wantsToWrite`` say, and calls
/// ``open(at:)`` until it is open, then ``receive(_:)`` and ``send(_:)``.
final class NetworkStream {
    /// Where a stream goes, and what makes the other end the right one.
    struct Destination {
        let url: TunnelURL
        let trust: TLSTrust
        let proxy: ProxyAddress?

        /// Whose addresses must be looked up.
        var resolvedHost: (host: String, port: UInt16) {
            proxy.map { ($0.host, $0.port) } ?? (url.host, url.port)
        }
    }

    private enum Stage { case connecting, proxying, shakingHands, open }

    /// Nanoseconds that one address has to answer while there are others.
    private static let addressNanoseconds: UInt64 = 4_000_000_000
    /// What may wait to be sent, in bytes: a few of the longest messages. More means that nobody reads.
    static let maximumPendingBytes = 8 << 20
    /// What is read at once, in bytes: the longest record of TLS.
    private static let chunkBytes = 16 << 10
    /// Chunks that are read in one go, so that a peer who never stops keeps nobody else waiting.
    private static let maximumChunks = 16

    private let destination: Destination
    private var addresses: [SocketAddress]
    private var stage = Stage.connecting
    private var socket: Socket?
    private var attemptBegan: UInt64 = 0
    private var tls: TLSConnection?
    private var output: [UInt8] = []
    private var sent = 0
    private var proxyHead: [UInt8] = []
    private var tlsWantsToWrite = false
    private var chunk: [UInt8] = []

    /// - Parameter addresses: those of the destination's ``Destination/resolvedHost``.
    init(_ destination: Destination, addresses: [SocketAddress]) {
        self.destination = destination
        self.addresses = addresses
    }

    /// The socket; nil before the first call of ``open(at:)``.
    var descriptor: Int32? { socket?.number }
    var wantsToRead: Bool { stage != .connecting }
    var wantsToWrite: Bool {
        switch stage {
        case .connecting: true
        case .proxying: sent < output.count
        case .shakingHands: tlsWantsToWrite
        case .open: tlsWantsToWrite || sent < output.count
        }
    }

    /// "TLSv1.3", or "plain".
    var security: String { tls?.version ?? "plain" }

    /// Goes on with opening.
    ///
    /// - Returns: true when bytes can be sent and received.
    /// - Throws: `.network`, `.untrusted`, or `.refused` by a proxy.
    func open(at now: UInt64) throws(AgentError) -> Bool {
        if socket == nil { try connectNext(at: now) }
        while true {
            switch stage {
            case .connecting: guard try isConnected(at: now) else { return false }
            case .proxying: guard try isProxied() else { return false }
            case .shakingHands: guard try isSecured() else { return false }
            case .open: return true
            }
        }
    }

    private func connectNext(at now: UInt64) throws(AgentError) {
        var last = AgentError(.network, "no address")
        while !addresses.isEmpty {
            do throws(AgentError) {
                socket = nil
                socket = try addresses.removeFirst().connect()
                attemptBegan = now
                return
            } catch {
                last = error
            }
        }
        throw last
    }

    private func isConnected(at now: UInt64) throws(AgentError) -> Bool {
        switch socket?.connectError {
        case 0?:
            if let proxy = destination.proxy {
                stage = .proxying
                queue(Self.connectRequest(destination.url, proxy))
            } else {
                try secure()
            }
            return true
        case let error?:
            guard !addresses.isEmpty else {
                throw AgentError(.network, "connect: \(describeSystemError(error))")
            }
            try connectNext(at: now)
            return false
        case nil:
            let isLate = now.subtractingReportingOverflow(attemptBegan).partialValue > Self.addressNanoseconds
            if isLate, !addresses.isEmpty { try connectNext(at: now) }
            return false
        }
    }

    private static func connectRequest(_ url: TunnelURL, _ proxy: ProxyAddress) -> [UInt8] {
        var text = "CONNECT \(url.connectTarget) HTTP/1.1\r\nHost: \(url.connectTarget)\r\n"
        if let authorization = proxy.authorization { text += "Proxy-Authorization: \(authorization)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    private func isProxied() throws(AgentError) -> Bool {
        try flush()
        switch try receiveChunk() {
        case .nothing: return false
        case .ended: throw AgentError(.network, "proxy: it ended the connection")
        case .bytes(let bytes): proxyHead += bytes
        }
        let bytes = proxyHead
        let found = try understand("proxy") { () throws(ControlProtocolError) in
            try HTTPResponseHead.read(bytes)
        }
        guard let (head, count) = found else { return false }
        guard (200..<300).contains(head.status) else {
            throw AgentError(.refused, "proxy: status \(head.status)")
        }
        // We speak first: nothing can be behind the head.
        guard count == proxyHead.count else { throw AgentError(.network, "proxy: more behind its answer") }
        proxyHead = []
        try secure()
        return true
    }

    private func secure() throws(AgentError) {
        guard destination.url.isEncrypted, let socket else {
            stage = .open
            return
        }
        tls = try TLSConnection(
            socket: socket.number, host: destination.url.host, trust: destination.trust)
        stage = .shakingHands
    }

    private func isSecured() throws(AgentError) -> Bool {
        guard let tls else { return false }
        tlsWantsToWrite = false
        switch try tls.shakeHands() {
        case .done: stage = .open
        case .wantsRead: return false
        case .wantsWrite:
            tlsWantsToWrite = true
            return false
        case .ended: throw AgentError(.network, "TLS: the peer ended the connection")
        }
        return true
    }

    // MARK: Bytes

    /// What a look at the stream brought.
    enum Received {
        case nothing
        case ended
        case bytes([UInt8])
    }

    /// Hands over all that has come, in chunks, to a bound.
    ///
    /// - Returns: false at the stream's end; `hasMore` says that the bound was met and that no poll will tell.
    func receive(_ take: (ArraySlice<UInt8>) throws(AgentError) -> Void) throws(AgentError) -> (
        isOpen: Bool, hasMore: Bool
    ) {
        for _ in 0..<Self.maximumChunks {
            switch try receiveChunk() {
            case .nothing: return (true, false)
            case .ended: return (false, false)
            case .bytes(let bytes): try take(bytes[...])
            }
        }
        return (true, true)
    }

    private func receiveChunk() throws(AgentError) -> Received {
        guard let socket else { return .ended }
        if chunk.isEmpty { chunk = [UInt8](repeating: 0, count: Self.chunkBytes) }
        guard let tls else {
            let count = unsafe recv(socket.number, &chunk, chunk.count, 0)
            if count > 0 { return .bytes(Array(chunk[..<count])) }
            if count == 0 { return .ended }
            switch errno {
            case EAGAIN, EWOULDBLOCK, EINTR: return .nothing
            case ECONNRESET, EPIPE: return .ended
            default: throw AgentError(.network, "receiving: \(describeSystemError(errno))")
            }
        }
        tlsWantsToWrite = false
        switch try tls.read(into: &chunk) {
        case .done(let count): return .bytes(Array(chunk[..<count]))
        case .wantsRead: return .nothing
        case .wantsWrite:
            tlsWantsToWrite = true
            return .nothing
        case .ended: return .ended
        }
    }

    /// Sends bytes, or keeps what the peer does not take yet.
    ///
    /// - Throws: `.network` when more waits than ``maximumPendingBytes``.
    func send(_ bytes: [UInt8]) throws(AgentError) {
        queue(bytes)
        try flush()
        guard output.count - sent <= Self.maximumPendingBytes else {
            throw AgentError(.network, "the peer takes nothing any more")
        }
    }

    /// Goes on with what waits to be sent.
    func flush() throws(AgentError) {
        guard let socket else { return }
        while sent < output.count {
            if let tls {
                switch try tls.write(output[sent...]) {
                case .done(let count): sent += count
                case .wantsRead: return
                case .wantsWrite: return
                case .ended: throw AgentError(.network, "the peer ended the connection")
                }
                continue
            }
            let count = unsafe output[sent...].withUnsafeBytes { rest in
                unsafe Glibc.send(socket.number, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                return
            } else if errno != EINTR {
                throw AgentError(.network, "sending: \(describeSystemError(errno))")
            }
        }
        (output, sent) = ([], 0)
    }

    /// True when all was handed to the kernel.
    var isFlushed: Bool { sent == output.count }

    /// Says goodbye, as far as that goes at once.
    func close() { tls?.close() }

    private func queue(_ bytes: [UInt8]) {
        if sent > 0 {
            output.removeFirst(sent)
            sent = 0
        }
        output += bytes
    }
}

/// Runs one of ControlProtocol's parsers over what a peer sent.
///
/// - Throws: `.network` with the parser's reason.
func understand<Value>(_ what: String, _ parse: () throws(ControlProtocolError) -> Value) throws(AgentError)
    -> Value
{
    do throws(ControlProtocolError) {
        return try parse()
    } catch {
        throw AgentError(.network, "\(what): \(error.reason)")
    }
}
