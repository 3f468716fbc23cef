// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// Where the tunnel goes and who is at this end.
public struct TunnelSettings: Sendable {
    public var url: TunnelURL
    /// `<organisation>:<host>:ssh`.
    public var clientID: String
    public var key: HostKey
    /// What kind of token the server takes; the dialect itself is agreed on when the connection is made.
    public var dialect = Tunnel.Dialect.daypass
    public var trust = TLSTrust.systemRoots
    public var proxies = ProxySettings.none
    /// Seconds between two calls of setClientId.
    public var heartbeatSeconds: UInt64 = 60
    /// How long opening the tunnel may take, in milliseconds: name, TCP, proxy, TLS and upgrade together.
    public var openingMilliseconds: UInt64 = 20_000
    /// Operations are only said, not done.
    public var dryRun = false
    /// The version that the server is told.
    public var agentVersion: String
    /// The host's name as the server is told.
    public var hostName: String

    /// - Throws: `.invalidRequest` for a URL that is no WebSocket's, or one that leaves the machine unencrypted where that
    ///   was not allowed.
    public init(
        url: TunnelURL, clientID: String, key: HostKey, agentVersion: String, hostName: String,
        allowingInsecureTransport isAllowed: Bool = false
    ) throws(AgentError) {
        guard url.isWebSocket else {
            throw AgentError(.invalidRequest, "\(url): wss://… or ws://… expected")
        }
        guard url.isEncrypted || url.isLoopback || isAllowed else {
            throw AgentError(
                .invalidRequest, "\(url): without TLS the host's token could be read and used by others",
                hint: "use wss://, or say --insecure-transport")
        }
        (self.url, self.clientID, self.key) = (url, clientID, key)
        (self.agentVersion, self.hostName) = (agentVersion, hostName)
    }

    /// True when a connection made with the other settings would be another one.
    func differs(from other: TunnelSettings) -> Bool {
        url != other.url || clientID != other.clientID || key.publicKey != other.key.publicKey
            || dialect != other.dialect || trust != other.trust || proxies != other.proxies
            || heartbeatSeconds != other.heartbeatSeconds
    }
}

/// What a host can be asked to do.
///
/// Called from several threads at once, and never from the agent's loop: it may take its time.
public protocol HostOperations: Sendable {
    /// Does an operation, or says with `dryRun` what it would do. Nothing in `call` has been checked.
    func perform(_ call: HostCall, dryRun: Bool) -> HostOutcome
}

/// The operations of an agent that has no others: it says that it is there.
public struct NoOperations: HostOperations {
    private let agentVersion: String
    private let hostName: String

    public init(agentVersion: String, hostName: String) {
        (self.agentVersion, self.hostName) = (agentVersion, hostName)
    }

    public func perform(_ call: HostCall, dryRun: Bool) -> HostOutcome {
        if call.command == "status" {
            let state = HostState(
                agentVersion: agentVersion, hostName: hostName, dryRun: dryRun, at: .now)
            return HostOutcome(
                success: true, message: "daypass-agent \(agentVersion) is running", output: state.value.text)
        }
        // In dry-run P0's agent says so of every command, known or not.
        if dryRun {
            let user = call.data["userName"]?.string ?? ""
            return HostOutcome(
                success: true,
                message:
                    "DRY-RUN: Would execute \(call.command.escapedForTerminal) for user \(user.escapedForTerminal)"
            )
        }
        return HostOutcome(success: false, message: "unknown command: \(call.command.escapedForTerminal)")
    }
}

/// How a host is, as it tells the server after each connection (the method `state`).
public struct HostState: Sendable, Hashable {
    public let agentVersion: String
    public let hostName: String
    public let dryRun: Bool
    let moment: Moment

    public init(agentVersion: String, hostName: String, dryRun: Bool, at moment: Moment) {
        (self.agentVersion, self.hostName, self.dryRun) = (agentVersion, hostName, dryRun)
        self.moment = moment
    }

    /// Times in whole seconds since 1970; `clock` in microseconds, so that the server sees how far off it is.
    public var value: JSONValue {
        let boot = moment.wall > moment.boot ? (moment.wall - moment.boot) / 1_000_000_000 : 0
        return .object([
            .init("agentVersion", .string(agentVersion)), .init("hostname", .string(hostName)),
            .init("bootTime", .number(Int64(clamping: boot))),
            .init("clock", .number(Int64(clamping: moment.wall / 1_000))), .init("dryRun", .bool(dryRun)),
        ])
    }
}
