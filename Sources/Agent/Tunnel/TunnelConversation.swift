// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What is said on one open tunnel: who we are, signs of life, calls that come and requests that go. A value without I/O;
/// times are nanoseconds of a clock that only goes forward.
struct TunnelConversation: Sendable {
    /// What is to be done.
    enum Action: Sendable, Hashable {
        case send(RPCMessage)
        /// The server asks for an operation; without an id nobody waits for the answer.
        case call(RPCID?, TunnelCall)
        /// The server knows now who we are, and said this to it; once a connection.
        case registered(JSONValue)
        /// One of our own requests was answered.
        case answered(ticket: UInt64, Result)
        /// The connection is of no use any more.
        case giveUp(String)
        /// Something odd that is passed over.
        case note(String)
    }

    /// How one of our requests ended.
    enum Result: Sendable, Hashable {
        case result(JSONValue)
        case refused(RPCError)
        /// Nothing came in time.
        case late
    }

    /// Nanoseconds that an answer may take, setClientId's and others'.
    static let answerNanoseconds: UInt64 = 10_000_000_000
    /// Requests of ours that wait for an answer at once.
    static let maximumRequests = 64

    private enum Purpose: Sendable { case setClientID, own(UInt64) }

    let clientID: String
    let dialect: Tunnel.Dialect
    private let heartbeat: UInt64
    private var nextID: Int64 = 0
    private var waiting: [Int64: (purpose: Purpose, deadline: UInt64)] = [:]
    private var nextHeartbeat: UInt64
    private(set) var isRegistered = false

    /// - Parameter heartbeatSeconds: between two calls of setClientId.
    init(clientID: String, heartbeatSeconds: UInt64, dialect: Tunnel.Dialect, at now: UInt64) {
        self.clientID = clientID
        self.dialect = dialect
        heartbeat = min(heartbeatSeconds, 86_400) &* 1_000_000_000
        nextHeartbeat = now
    }

    /// When ``tick(at:)`` has something to do if nothing else happens.
    var dueAt: UInt64 { min(nextHeartbeat, waiting.values.map(\.deadline).min() ?? .max) }

    /// Does what is due: at first setClientId, at once.
    mutating func tick(at now: UInt64) -> [Action] {
        var actions: [Action] = []
        for (id, request) in waiting where now >= request.deadline {
            waiting[id] = nil
            switch request.purpose {
            case .setClientID: actions.append(.giveUp("no answer to setClientId"))
            case .own(let ticket): actions.append(.answered(ticket: ticket, .late))
            }
        }
        if now >= nextHeartbeat {
            nextHeartbeat = now &+ heartbeat
            let params = JSONValue.object([.init("clientId", .string(clientID))])
            actions.append(.send(request(Tunnel.setClientID, params, .setClientID, at: now)))
        }
        return actions
    }

    /// True when one more of our own requests may go.
    var mayRequest: Bool { isRegistered && dialect == .daypass && waiting.count < Self.maximumRequests }

    /// Makes a request of our own; ``mayRequest`` was asked before.
    mutating func send(_ method: String, _ params: JSONValue, ticket: UInt64, at now: UInt64) -> RPCMessage {
        request(method, params, .own(ticket), at: now)
    }

    private mutating func request(_ method: String, _ params: JSONValue, _ purpose: Purpose, at now: UInt64)
        -> RPCMessage
    {
        let id = nextID
        // 2^63 requests take longer than any connection lives.
        nextID &+= 1
        waiting[id] = (purpose, now &+ Self.answerNanoseconds)
        return .request(id: .number(id), method: method, params: params)
    }

    /// Our own requests that have no answer yet; they never get one when the connection is gone.
    var unanswered: [UInt64] {
        waiting.values.compactMap { if case .own(let ticket) = $0.purpose { ticket } else { nil } }
    }

    /// Takes a message, text or binary.
    mutating func take(_ bytes: [UInt8]) -> [Action] {
        let message: RPCMessage
        do throws(RPCRefusal) {
            message = try RPCMessage(parsing: bytes)
        } catch {
            return (error.answer.map { [.send($0)] } ?? []) + [
                .note("a message that is not taken: \(error.reason)")
            ]
        }
        switch message {
        case .request(let id, let method, let params): return request(id, method, params)
        case .notification(let method, let params):
            // Never answered, whatever becomes of it.
            return request(nil, method, params).filter {
                if case .send = $0 { false } else { true }
            }
        case .result(let id, let value): return answered(id, .result(value))
        case .failure(let id, let error):
            guard let id else {
                return [.note("the server could not read a message: \(error.message.escapedForTerminal)")]
            }
            return answered(id, .refused(error))
        }
    }

    private func request(_ id: RPCID?, _ method: String, _ params: JSONValue?) -> [Action] {
        let refuse = { (error: RPCError) -> [Action] in
            id.map { [.send(.failure(id: $0, error)), .note("a request that is refused: \(error.message)")] }
                ?? []
        }
        guard method == Tunnel.call else { return refuse(.unknownMethod(method)) }
        do throws(ControlProtocolError) {
            let call = try TunnelCall(params: params)
            _ = try call.hostCall()
            return [.call(id, call)]
        } catch {
            return switch dialect {
            case .p0:
                refuse(RPCError(.internalError, "failed to unmarshal ForwardedRequest: \(error.reason)"))
            case .daypass: refuse(RPCError(.invalidParams, error.reason))
            }
        }
    }

    private mutating func answered(_ id: RPCID, _ result: Result) -> [Action] {
        guard case .number(let number) = id, let request = waiting.removeValue(forKey: number) else {
            return [.note("an answer to nothing")]
        }
        switch request.purpose {
        case .own(let ticket): return [.answered(ticket: ticket, result)]
        case .setClientID:
            switch result {
            case .refused(let error):
                return [.giveUp("setClientId was refused: \(error.message.escapedForTerminal)")]
            case .late: return []
            case .result(let value):
                guard !isRegistered else { return [] }
                isRegistered = true
                return [.registered(value)]
            }
        }
    }
}
