// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What the server asks of a host: a forwarded HTTP request, of which the body counts (the method `call`).
public struct TunnelCall: Sendable, Hashable {
    /// The request's headers, names as they came; what isn't a text is left out.
    public let headers: [String: String]
    public let method: String
    public let path: String
    /// The request's query.
    public let params: JSONValue
    /// The request's body: an object, empty when there was none.
    public let data: JSONValue
    /// How long the server waits for the answer, in milliseconds; nil when it doesn't say.
    public let timeoutMilliseconds: UInt64?

    /// The longest time that the server may ask for, in milliseconds: ten minutes.
    public static let maximumTimeoutMilliseconds: UInt64 = 600_000
    /// The most headers.
    public static let maximumHeaders = 100
    /// The longest request id, in bytes.
    public static let maximumRequestIDBytes = 256
    /// The longest command's name, in bytes.
    public static let maximumCommandBytes = 128

    /// Takes the parameters of `call` apart.
    ///
    /// - Throws: `.invalidValue` for a member of another type than its own, `.tooLong`.
    public init(params value: JSONValue?) throws(ControlProtocolError) {
        guard let value, case .object = value else {
            throw ControlProtocolError(.invalidValue, "params: an object expected")
        }
        var headers: [String: String] = [:]
        if let object = try Self.object(value, "headers"), case .object(let members) = object {
            guard members.count <= Self.maximumHeaders else {
                throw ControlProtocolError(.tooLong, "headers: over \(Self.maximumHeaders)")
            }
            for member in members { headers[member.name] = member.value.string }
        }
        self.headers = headers
        method = try Self.text(value, "method")
        path = try Self.text(value, "path")
        params = try Self.object(value, "params") ?? .object([])
        data = try Self.object(value, "data") ?? .object([])
        switch try Self.object(value, "options")?["timeoutMillis"] {
        case .number(let number):
            timeoutMilliseconds = min(UInt64(clamping: number), Self.maximumTimeoutMilliseconds)
        case nil, .null?: timeoutMilliseconds = nil
        default:
            throw ControlProtocolError(.invalidValue, "options: timeoutMillis: a number expected")
        }
    }

    /// A call as the server makes it.
    public init(
        data: JSONValue, method: String = "POST", path: String = "", timeoutMilliseconds: UInt64? = nil
    ) {
        headers = ["content-type": "application/json"]
        self.method = method
        self.path = path
        params = .object([])
        self.data = data
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// The parameters of `call`, in the order in which braekhus writes them.
    public var value: JSONValue {
        var members = JSONMembers()
        members.add(
            "headers",
            .object(headers.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) }))
        members.add("method", method)
        members.add("path", path)
        members.add("params", params)
        members.add("data", data)
        if let timeoutMilliseconds {
            members.add(
                "options", .object([.init("timeoutMillis", .number(Int64(clamping: timeoutMilliseconds)))]))
        }
        return members.value
    }

    /// What the host is to do; nil when the body names no command.
    ///
    /// - Throws: `.invalidValue` or `.tooLong` for a command or a request id that is no text or too long.
    public func hostCall() throws(ControlProtocolError) -> HostCall? {
        guard let command = data["command"], command != .null else { return nil }
        guard let command = command.string, command.utf8.count <= Self.maximumCommandBytes else {
            throw ControlProtocolError(
                .invalidValue, "command: a text of at most \(Self.maximumCommandBytes) bytes expected")
        }
        guard !command.isEmpty else { return nil }
        var requestID: String?
        if let id = data["requestId"], id != .null {
            guard let text = id.string, text.utf8.count <= Self.maximumRequestIDBytes else {
                throw ControlProtocolError(
                    .invalidValue, "requestId: a text of at most \(Self.maximumRequestIDBytes) bytes expected"
                )
            }
            requestID = text.isEmpty ? nil : text
        }
        return HostCall(command: command, requestID: requestID, data: data)
    }

    private static func text(_ value: JSONValue, _ name: String) throws(ControlProtocolError) -> String {
        switch value[name] {
        case .string(let text): return text
        case nil, .null?: return ""
        default: throw ControlProtocolError(.invalidValue, "\(name): a text expected")
        }
    }

    private static func object(_ value: JSONValue, _ name: String) throws(ControlProtocolError) -> JSONValue?
    {
        switch value[name] {
        case nil, .null?: return nil
        case .object(let members): return .object(members)
        default: throw ControlProtocolError(.invalidValue, "\(name): an object expected")
        }
    }
}

/// One operation that a host is asked for.
public struct HostCall: Sendable, Hashable {
    /// The operation's name, as it came.
    public let command: String
    /// What makes a repeated call known; nil for one that is done each time.
    public let requestID: String?
    /// All members of the request's body, `command` and `requestId` among them. None has been checked.
    public let data: JSONValue

    public init(command: String, requestID: String?, data: JSONValue) {
        self.command = command
        self.requestID = requestID
        self.data = data
    }
}

/// What became of an operation.
public struct HostOutcome: Sendable, Hashable {
    public let success: Bool
    /// What was done, or why it was not: one line.
    public let message: String
    /// What the operation has to say at length, if anything.
    public let output: String?

    public init(success: Bool, message: String, output: String? = nil) {
        self.success = success
        self.message = message
        self.output = output
    }
}
