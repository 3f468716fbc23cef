// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A host's answer to a ``TunnelCall``: an HTTP response, whose status is inside of the JSON-RPC result.
public struct TunnelReply: Sendable, Hashable {
    /// The host that answers.
    public let clientID: String
    /// The command that was asked for; empty when there was none.
    public let command: String
    /// 200, or 500 for an operation that failed, or 504 for one that isn't done in time.
    public let status: Int
    public let outcome: HostOutcome
    /// When it was answered, by the host's clock.
    public let time: UnixTime

    public init(
        clientID: String, command: String, outcome: HostOutcome, status: Int? = nil, time: UnixTime
    ) {
        self.clientID = clientID
        self.command = command
        self.outcome = outcome
        self.status = status ?? (outcome.success ? 200 : 500)
        self.time = time
    }

    /// The answer to a call whose body names no command, in P0's words.
    public static func noCommand(clientID: String, time: UnixTime) -> TunnelReply {
        TunnelReply(
            clientID: clientID, command: "",
            outcome: HostOutcome(success: true, message: "Request logged - no command specified"), time: time)
    }

    /// The JSON-RPC result, spelt as P0's agent does.
    public var value: JSONValue {
        var data = JSONMembers()
        data.add("client_id", clientID)
        data.add("command", command)
        if outcome.success {
            data.add("message", outcome.message)
        } else {
            data.add("error", outcome.message)
        }
        if let output = outcome.output, !output.isEmpty { data.add("output", output) }
        data.add("status", outcome.success ? "completed" : "failed")
        data.add("success", .bool(outcome.success))
        data.add("timestamp", time.description)
        var members = JSONMembers()
        members.add("headers", .object([.init("content-type", "application/json")]))
        members.add("status", Int64(status))
        members.add("statusText", Self.words(status))
        members.add("data", data.value)
        return members.value
    }

    /// Reads a host's answer, as the server does.
    ///
    /// - Throws: `.missing` or `.invalidValue`; members that are not known are passed over.
    public init(_ value: JSONValue) throws(ControlProtocolError) {
        guard let status = value["status"]?.number.flatMap({ Int(exactly: $0) }), (100...599).contains(status)
        else {
            throw ControlProtocolError(.invalidValue, "reply: status: a number from 100 to 599 expected")
        }
        guard let data = value["data"], case .object = data else {
            throw ControlProtocolError(.missing, "reply: data: an object expected")
        }
        self.status = status
        clientID = data["client_id"]?.string ?? ""
        command = data["command"]?.string ?? ""
        let success = data["success"]?.bool ?? (status == 200)
        outcome = HostOutcome(
            success: success, message: data[success ? "message" : "error"]?.string ?? "",
            output: data["output"]?.string)
        time = data["timestamp"]?.string.flatMap(RFC3339.parse) ?? .always
    }

    private static func words(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 504: "Gateway Timeout"
        default: "Internal Server Error"
        }
    }
}

/// Times as P0's agent writes them, "2026-11-20T20:21:36Z".
enum RFC3339 {
    /// Parses exactly what `UnixTime` writes of itself; nil for everything else.
    static func parse(_ text: String) -> UnixTime? {
        let parts = text.split(whereSeparator: { "-T:Z".contains($0) }).map { UInt64($0) }
        guard parts.count == 6, let year = parts[0], let month = parts[1], let day = parts[2],
            let hour = parts[3], let minute = parts[4], let second = parts[5],
            let time = CivilTime(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second)?.unixTime,
            time.description == text
        else { return nil }
        return time
    }
}
