// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// The settings of the agent's tunnel, from all places: arguments count before the environment, that before the file, and
/// that before what holds without any.
public struct AgentConfiguration: Sendable {
    private let layers: [SettingLayer]

    /// Where the file is if nobody says so.
    public static let defaultFile = "/etc/daypass/agent.yaml"
    /// The folder of the host's key if nobody names one.
    public static let defaultKeyFolder = "/etc/daypass/keys"
    /// Seconds between two signs of life if nobody says so.
    public static let defaultHeartbeatSeconds: UInt64 = 60

    /// - Parameter layers: the one that counts most comes first.
    public init(_ layers: [SettingLayer]) { self.layers = layers }

    /// A text; nil where no place has one that isn't empty.
    func text(_ name: SettingName) throws(AgentError) -> String? {
        for layer in layers {
            switch layer.values[name] {
            case nil: continue
            case .text(let text)?:
                guard !text.isEmpty else { continue }
                guard !text.holdsControlCharacters else {
                    throw AgentError(.invalidRequest, "\(name.rawValue): a control character in it")
                }
                return text
            case .list?: throw AgentError(.invalidRequest, "\(name.rawValue): a text expected, not a list")
            }
        }
        return nil
    }

    private func number(_ name: SettingName, in range: ClosedRange<UInt64>) throws(AgentError) -> UInt64? {
        guard let text = try text(name) else { return nil }
        guard let number = UInt64(text), String(number) == text, range.contains(number) else {
            throw AgentError(
                .invalidRequest,
                "\(name.rawValue): a whole number from \(range.lowerBound) to \(range.upperBound) expected")
        }
        return number
    }

    /// Also false where a place says so: it is not the same as nothing.
    private func truth(_ name: SettingName) throws(AgentError) -> Bool {
        switch try text(name)?.lowercased() {
        case nil, "false", "no", "off", "0": return false
        case "true", "yes", "on", "1": return true
        default: throw AgentError(.invalidRequest, "\(name.rawValue): true or false expected")
        }
    }

    // MARK: What they say

    public var warnings: [String] { layers.flatMap(\.warnings) }

    public func keyFolder() throws(AgentError) -> String { try text(.keyFolder) ?? Self.defaultKeyFolder }
    public func hostName() throws(AgentError) -> String? { try text(.hostName) }
    public func hostID() throws(AgentError) -> String? { try text(.host) }
    public func environmentID() throws(AgentError) -> String { try text(.environment) ?? "default" }
    public func dryRun() throws(AgentError) -> Bool { try truth(.dryRun) }
    public func allowsInsecureTransport() throws(AgentError) -> Bool { try truth(.insecureTransport) }

    /// At most 64, of 1 to 256 bytes without control characters.
    public func labels() throws(AgentError) -> [String] {
        for layer in layers {
            let labels: [String]
            switch layer.values[.labels] {
            case nil: continue
            case .list(let list)?: labels = list
            case .text(let text)?: labels = SettingLayer.elements(text)
            }
            guard labels.count <= 64,
                labels.allSatisfy({ (1...256).contains($0.utf8.count) && !$0.holdsControlCharacters })
            else {
                throw AgentError(.invalidRequest, "labels: at most 64 texts of 1 to 256 bytes expected")
            }
            return labels
        }
        return []
    }

    public func heartbeatSeconds() throws(AgentError) -> UInt64 {
        try number(.heartbeat, in: 1...3_600) ?? Self.defaultHeartbeatSeconds
    }

    /// How long opening the tunnel may take, in milliseconds; nil where nobody says so, and for 0, as P0 has it.
    public func timeoutMilliseconds() throws(AgentError) -> UInt64? {
        let number = try number(.timeout, in: 0...600_000)
        return number == 0 ? nil : number
    }

    /// The tunnel's URL.
    ///
    /// - Throws: `.invalidRequest` when it is missing or no URL of a WebSocket.
    public func tunnelURL() throws(AgentError) -> TunnelURL {
        guard let text = try text(.tunnel) else {
            throw AgentError(
                .invalidRequest, "tunnelHost is required",
                hint: "daypass-agent register joins a server and writes it")
        }
        do {
            return try TunnelURL(text)
        } catch {
            throw AgentError(.invalidRequest, "tunnelHost: \(error.reason)")
        }
    }

    /// The client id, as it stands or of organisation and host.
    public func clientIdentity() throws(AgentError) -> String {
        if let id = try text(.clientID) {
            guard id.utf8.count <= Tunnel.maximumClientIDBytes,
                id.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
            else {
                throw AgentError(
                    .invalidRequest,
                    "clientId: 1 to \(Tunnel.maximumClientIDBytes) printable ASCII characters without spaces expected"
                )
            }
            return id
        }
        guard let organisation = try text(.organisation) else {
            throw AgentError(.invalidRequest, "orgId is required")
        }
        guard let host = try text(.host) else { throw AgentError(.invalidRequest, "hostId is required") }
        do {
            return try Tunnel.clientID(organisation: organisation, host: host)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
    }

    /// What of the client id the settings say, under the names of P0's registration; nothing where the server is to say it.
    public func statedIdentity() throws(AgentError) -> [(name: String, value: String)] {
        var members: [(name: String, value: String)] = []
        if try text(.clientID) != nil {
            members.append(("clientId", try clientIdentity()))
        } else if let organisation = try text(.organisation), let host = try text(.host) {
            _ = try clientIdentity()
            members += [("orgId", organisation), ("hostId", host)]
        }
        return members
    }

    /// What kind of token the server takes: P0's where nothing says otherwise, as P0's files say nothing.
    public func dialect() throws(AgentError) -> Tunnel.Dialect {
        switch try text(.dialect) {
        case nil, "p0": return .p0
        case "daypass": return .daypass
        default: throw AgentError(.invalidRequest, "protocol: daypass or p0 expected")
        }
    }

    public func trust() throws(AgentError) -> TLSTrust {
        guard let fingerprint = try text(.fingerprint) else { return .systemRoots }
        return try TLSTrust(fingerprint: fingerprint)
    }
}
