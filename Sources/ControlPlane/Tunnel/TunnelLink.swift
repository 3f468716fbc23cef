// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import NIOCore
import NIOWebSocket
import SSHWire
import Synchronization

/// The server's end of one tunnel: calls that wait for their answers.
final class TunnelLink: Sendable {
    private struct Waiting: Sendable {
        let completion: @Sendable (Result<JSONValue, Problem>) -> Void
        /// Nil for the moment between the call and its timer.
        var timer: Scheduled<Void>?
    }

    private struct State {
        var number: Int64 = 0
        var waiting: [Int64: Waiting] = [:]
        var isClosed = false
    }

    let host: EnrolledHost
    let dialect: Tunnel.Dialect
    private let channel: any Channel
    private let state = Mutex(State())

    /// The most calls that wait for a host's answer at a time.
    private static let maximumCalls = 64

    init(_ host: EnrolledHost, _ dialect: Tunnel.Dialect, _ channel: any Channel) {
        self.host = host
        self.dialect = dialect
        self.channel = channel
    }

    var isOpen: Bool { state.withLock { !$0.isClosed } }

    /// Sends a call and waits for its answer; whoever is cancelled meanwhile does not wait.
    func call(_ call: TunnelCall, timeout: TimeAmount) async throws -> TunnelReply {
        let (answers, continuation) = AsyncStream.makeStream(of: Result<JSONValue, Problem>.self)
        self.call(call, timeout: timeout) { answer in
            continuation.yield(answer)
            continuation.finish()
        }
        guard let result = await answers.first(where: { _ in true }) else {
            throw Problem(.hostUnavailable, "host \(host.id): its answer is not waited for any more")
        }
        do {
            return try TunnelReply(try result.get())
        } catch let error as ControlProtocolError {
            throw Problem(.hostUnavailable, "host \(host.id): \(error.reason)")
        }
    }

    /// Sends a call now.
    ///
    /// - Parameter completion: called once, with the host's answer or why there is none.
    func call(
        _ call: TunnelCall, timeout: TimeAmount,
        completion: @escaping @Sendable (Result<JSONValue, Problem>) -> Void
    ) {
        if let refusal = refusal(of: call) { return completion(.success(refusal.value)) }
        let number: Int64? = state.withLock { state in
            guard !state.isClosed, state.waiting.count < Self.maximumCalls else { return nil }
            state.number += 1
            state.waiting[state.number] = Waiting(completion: completion)
            return state.number
        }
        guard let number else {
            return completion(
                .failure(
                    Problem(.hostUnavailable, "host \(host.id): its tunnel is closed, or too many calls wait")
                ))
        }
        send(.request(id: .number(number), method: Tunnel.call, params: call.value))
        let timer = channel.eventLoop.scheduleTask(in: timeout) { [weak self] in
            guard let self else { return }
            self.settle(
                number,
                .failure(
                    Problem(
                        .hostUnavailable,
                        "host \(self.host.id) did not answer in \(timeout.nanoseconds / 1_000_000_000) seconds"
                    )))
        }
        let isWaiting = state.withLock { state in
            state.waiting[number]?.timer = timer
            return state.waiting[number] != nil
        }
        if !isWaiting { timer.cancel() }
    }

    /// What P0's agent would answer, if it did not say yes to every word in dry-run: of what only ours do, nothing is asked.
    private func refusal(of call: TunnelCall) -> TunnelReply? {
        guard dialect == .p0, let command = try? call.hostCall()?.command,
            DaypassCommand(rawValue: command) != nil
        else { return nil }
        return TunnelReply(
            clientID: host.clientID, command: command,
            outcome: HostOutcome(
                success: false,
                message: "\(command): the host's agent speaks P0's protocol, which has no such operation"),
            time: .always)
    }

    /// An answer has come.
    func answered(_ id: RPCID?, _ result: Result<JSONValue, RPCError>) {
        guard case .number(let number) = id else { return }
        settle(
            number,
            result.mapError { error in
                Problem(.hostUnavailable, "host \(host.id): \(error.message.escapedForTerminal)")
            })
    }

    func ended() {
        let waiting = state.withLock { state in
            state.isClosed = true
            let waiting = state.waiting
            state.waiting = [:]
            return waiting
        }
        for waiting in waiting.values {
            waiting.timer?.cancel()
            waiting.completion(.failure(Problem(.hostUnavailable, "host \(host.id): its tunnel was closed")))
        }
    }

    func send(_ message: RPCMessage) {
        let frame = NIOWebSocket.WebSocketFrame(
            fin: true, opcode: .text, data: ByteBuffer(bytes: message.encoded))
        channel.writeAndFlush(frame, promise: nil)
    }

    /// Says why, and closes.
    func close(_ reason: String) {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: .goingAway)
        data.writeString(String(reason.utf8.prefix(100).map { Character(UnicodeScalar($0)) }))
        let frame = NIOWebSocket.WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        let channel = channel
        channel.writeAndFlush(frame).whenComplete { _ in channel.close(promise: nil) }
    }

    private func settle(_ number: Int64, _ result: Result<JSONValue, Problem>) {
        let waiting = state.withLock { state in
            let waiting = state.waiting.removeValue(forKey: number)
            // A table keeps its room, and most tunnels are idle.
            if state.waiting.isEmpty { state.waiting = [:] }
            return waiting
        }
        waiting?.timer?.cancel()
        waiting?.completion(result)
    }
}
