// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A setting of the agent's tunnel, by its name in the configuration file. Names are P0's where P0 has one.
public enum SettingName: String, Sendable, CaseIterable {
    /// The file's own version; not looked at.
    case version
    case organisation = "orgId"
    case host = "hostId"
    /// What the host is called in registrations.
    case hostName = "hostname"
    /// The tunnel's URL.
    case tunnel = "tunnelHost"
    /// The folder of the host's key.
    case keyFolder = "keyPath"
    case labels
    case environment = "environmentId"
    case heartbeat = "heartbeatIntervalSeconds"
    case dryRun
    /// Milliseconds that opening the tunnel may take.
    case timeout = "tunnelTimeoutMs"
    /// P0's; lines go to standard error, where the service manager takes them.
    case logFile = "logPath"
    /// The client id, where it isn't `<orgId>:<hostId>:ssh`.
    case clientID = "clientId"
    /// `daypass` or `p0`: what kind of token the server takes.
    case dialect = "protocol"
    /// The digest of the certificate that the server is known by.
    case fingerprint = "tunnelFingerprint"
    /// A tunnel without TLS to another machine.
    case insecureTransport

    /// What a setting's value is.
    enum Kind { case text, list, number, truth }

    var kind: Kind {
        switch self {
        case .labels: .list
        case .heartbeat, .timeout: .number
        case .dryRun, .insecureTransport: .truth
        default: .text
        }
    }

    /// The setting of a name, upper or lower case, as P0's agent takes it.
    init?(ignoringCase name: String) {
        guard let found = Self.allCases.first(where: { $0.rawValue.lowercased() == name.lowercased() }) else {
            return nil
        }
        self = found
    }

    /// The variable that sets it, behind `DAYPASS_AGENT_` or `P0_SSH_AGENT_`.
    var variable: String { rawValue.uppercased() }
}

/// Settings from one place: a file, the environment, or arguments.
public struct SettingLayer: Sendable {
    private(set) var values: [SettingName: FlatYAML.Value] = [:]
    /// What was passed over, one line each.
    public private(set) var warnings: [String] = []

    public init() {}

    /// Sets a value; nil leaves the setting to other places.
    public mutating func set(_ name: SettingName, _ value: String?) {
        if let value { values[name] = .text(value) }
    }

    /// Sets a list; nil leaves it to other places.
    public mutating func set(_ name: SettingName, _ values: [String]?) {
        if let values { self.values[name] = .list(values) }
    }

    /// The settings of a file's text.
    ///
    /// - Throws: `.invalidRequest` with the path and the line.
    public init(file path: String, parsing bytes: [UInt8]) throws(AgentError) {
        let shown = path.escapedForTerminal
        do throws(AgentError) {
            for member in try FlatYAML(parsing: bytes).members {
                guard let name = SettingName(ignoringCase: member.name) else {
                    warnings.append(
                        "\(shown): line \(member.line): \(member.name.escapedForTerminal) is no setting")
                    continue
                }
                values[name] = member.value
            }
        } catch {
            throw AgentError(.invalidRequest, "\(shown): \(error.reason)")
        }
    }

    /// The settings of the environment: `DAYPASS_AGENT_TUNNELHOST`, `P0_SSH_AGENT_TUNNELHOST`, and so on for each setting.
    /// Ours count before P0's, and empty ones count as none.
    public init(environment variable: (String) -> String?) {
        for name in SettingName.allCases {
            for prefix in ["DAYPASS_AGENT_", "P0_SSH_AGENT_"] where values[name] == nil {
                guard let text = variable(prefix + name.variable), !text.isEmpty else { continue }
                values[name] = name.kind == .list ? .list(Self.elements(text)) : .text(text)
            }
        }
    }

    /// The elements of a list in one text.
    static func elements(_ text: String) -> [String] {
        text.split(separator: ",").map { String($0.drop { $0 == " " }) }
    }
}
