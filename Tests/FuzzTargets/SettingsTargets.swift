// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import Agent
    import SSHWire

    extension FuzzTarget {
        /// The agent's configuration file.
        static let agentSettings = FuzzTarget("agent-settings") { input throws(BrokenProperty) in
            guard let layer = try attempt({ try SettingLayer(file: "f", parsing: input) }) else {
                return .refused
            }
            for warning in layer.warnings { try requireOneLine(warning, "a warning") }
            let settings = AgentConfiguration([layer])
            _ = try attempt { try settings.tunnelURL() }
            _ = try attempt { try settings.trust() }
            _ = try attempt { try settings.heartbeatSeconds() }
            if let id = try attempt({ try settings.clientIdentity() }) {
                try requireOneLine(id, "a client id")
            }
            for label in try attempt({ try settings.labels() }) ?? [] { try requireOneLine(label, "a label") }
            return .accepted
        }
    }
#endif
