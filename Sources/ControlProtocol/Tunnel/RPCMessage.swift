// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A JSON-RPC 2.0 message, either way.
///
/// Batches are not taken: nobody sends them, and one that must be answered as a whole could be made of a thousand calls.
public enum RPCMessage: Sendable, Hashable {
    /// A request, which is answered once.
    case request(id: RPCID, method: String, params: JSONValue?)
    /// A request without an id. It is never answered, whatever becomes of it.
    case notification(method: String, params: JSONValue?)
    /// The answer to a request.
    case result(id: RPCID, JSONValue)
    /// The refusal of a request; without an id when the peer couldn't read which one.
    case failure(id: RPCID?, RPCError)

    /// The longest message, in bytes.
    public static let maximumBytes = WebSocketReader.maximumMessageBytes
    /// The longest method's name, in bytes.
    public static let maximumMethodBytes = 128

    /// Parses one message. Members that JSON-RPC does not know are passed over.
    ///
    /// - Throws: what is to be answered; ``RPCRefusal/answer`` is nil where nothing may be.
    public init(parsing bytes: [UInt8]) throws(RPCRefusal) {
        let value: JSONValue
        do throws(ControlProtocolError) {
            // A number that isn't whole spoils itself, not the message around it.
            value = try JSONValue(parsing: bytes, maximumBytes: Self.maximumBytes, otherNumbers: .null)
        } catch {
            throw RPCRefusal(id: nil, RPCError(.parseError, error.reason))
        }
        guard case .object = value else {
            throw RPCRefusal(
                id: nil,
                RPCError(
                    .invalidRequest, value.array == nil ? "an object expected" : "batches are not supported"))
        }
        let id = value["id"].map(RPCID.init)
        if value["method"] == nil, value["result"] != nil || value["error"] != nil {
            self = try Self.answer(value, id)
            return
        }
        let refusal = { (reason: String) in RPCRefusal(id: id ?? nil, RPCError(.invalidRequest, reason)) }
        guard value["jsonrpc"] == "2.0" else { throw refusal("jsonrpc: \"2.0\" expected") }
        guard let method = value["method"]?.string, (1...Self.maximumMethodBytes).contains(method.utf8.count)
        else {
            throw refusal("method: a text of 1 to \(Self.maximumMethodBytes) bytes expected")
        }
        switch id {
        case nil: self = .notification(method: method, params: value["params"])
        case .some(.some(let id)): self = .request(id: id, method: method, params: value["params"])
        case .some(nil):
            throw refusal("id: a whole number or a text of at most \(RPCID.maximumBytes) bytes expected")
        }
    }

    private static func answer(_ value: JSONValue, _ id: RPCID??) throws(RPCRefusal) -> RPCMessage {
        // Nothing is said to a bad answer: two that answer each other's errors would never end.
        guard value["jsonrpc"] == "2.0", value["result"] == nil || value["error"] == nil else {
            throw RPCRefusal(silent: "an answer of another form than JSON-RPC 2.0's")
        }
        if let error = value["error"] {
            guard let code = error["code"]?.number else {
                throw RPCRefusal(silent: "an error without a code")
            }
            return .failure(
                id: id ?? nil,
                RPCError(code: code, message: error["message"]?.string ?? "", data: error["data"]))
        }
        guard let id = id ?? nil, let result = value["result"] else {
            throw RPCRefusal(silent: "a result without an id")
        }
        return .result(id: id, result)
    }

    /// The message as JSON, members in the order in which P0's agent writes them.
    public var value: JSONValue {
        var members = JSONMembers()
        switch self {
        case .request(let id, let method, let params):
            members.add("id", id.value)
            members.add("jsonrpc", "2.0")
            members.add("method", method)
            members.add("params", params)
        case .notification(let method, let params):
            members.add("jsonrpc", "2.0")
            members.add("method", method)
            members.add("params", params)
        case .result(let id, let result):
            members.add("id", id.value)
            members.add("result", result)
            members.add("jsonrpc", "2.0")
        case .failure(let id, let error):
            members.add("id", id?.value ?? .null)
            members.add("error", error.value)
            members.add("jsonrpc", "2.0")
        }
        return members.value
    }

    /// The message as a text frame has it: a line feed behind it, as P0's agent does.
    public var encoded: [UInt8] { Array((value.text + "\n").utf8) }
}

/// What ties an answer to its request.
public enum RPCID: Sendable, Hashable {
    case number(Int64)
    case text(String)

    /// The longest text, in bytes.
    public static let maximumBytes = 256

    /// Nil for null, and for what is no id that could be sent back as it was.
    init?(_ value: JSONValue) {
        switch value {
        case .number(let number): self = .number(number)
        case .string(let text) where text.utf8.count <= Self.maximumBytes: self = .text(text)
        default: return nil
        }
    }

    public var value: JSONValue {
        switch self {
        case .number(let number): .number(number)
        case .text(let text): .string(text)
        }
    }

    public static func == (one: RPCID, other: RPCID) -> Bool { one.value == other.value }
    public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

/// Why a request was not done (JSON-RPC 2.0, section 5.1).
public struct RPCError: Error, Sendable, Hashable {
    /// The codes that JSON-RPC gives a meaning.
    public enum Code: Int64, Sendable {
        case parseError = -32_700
        case invalidRequest = -32_600
        case methodNotFound = -32_601
        case invalidParams = -32_602
        case internalError = -32_603
    }

    public let code: Int64
    /// One sentence, from the peer when it was received: escape it before it is shown.
    public let message: String
    public let data: JSONValue?

    public init(code: Int64, message: String, data: JSONValue? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    public init(_ code: Code, _ message: String) { self.init(code: code.rawValue, message: message) }

    /// What a peer says that knows no such method, in P0's words.
    public static func unknownMethod(_ method: String) -> RPCError {
        RPCError(.methodNotFound, "method \"\(method.escapedForTerminal)\" not found")
    }

    var value: JSONValue {
        var members = JSONMembers()
        members.add("code", code)
        members.add("message", message)
        members.add("data", data)
        return members.value
    }
}

/// A message that is not taken. The connection goes on.
public struct RPCRefusal: Error, Sendable, CustomStringConvertible {
    /// What was wrong, one line, escaped.
    public let reason: String
    /// What is to be sent back; nil when nothing may be.
    public let answer: RPCMessage?

    init(id: RPCID?, _ error: RPCError) {
        reason = error.message
        answer = .failure(id: id, error)
    }

    init(silent reason: String) {
        self.reason = reason
        answer = nil
    }

    public var description: String { reason }
}
