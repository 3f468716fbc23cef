// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

/// Where the settings of the tunnel are, and how much is said.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The configuration file; P0's are taken too. By default \(AgentConfiguration.defaultFile), if it is there.",
            valueName: "file"))
    var config: String?
    @Flag(name: .shortAndLong, help: "Says every step: URLs, status codes, never a token.")
    var verbose = false

    /// The file that is meant.
    var path: String { config.map { absolutePath($0) } ?? AgentConfiguration.defaultFile }

    /// Takes a line that is said with --verbose only.
    func debug(_ line: String) {
        if verbose { Terminal.note(line) }
    }

    /// The settings, those of `arguments` before all others.
    ///
    /// - Parameter mayBeMissing: the file is yet to be written.
    /// - Throws: `.notFound` when the file that was named isn't there; the default one need not be.
    func load(
        _ arguments: SettingLayer = SettingLayer(), mayBeMissing: Bool = false
    ) throws(AgentError) -> AgentConfiguration {
        var layers = [arguments, SettingLayer(environment: environment)]
        if let file = try SystemFiles().read(path, maximumBytes: FlatYAML.maximumBytes) {
            layers.append(try SettingLayer(file: path, parsing: file.bytes))
        } else if config != nil, !mayBeMissing {
            throw AgentError(.notFound, "\(path.escapedForTerminal): there is no such file")
        }
        let configuration = AgentConfiguration(layers)
        for warning in configuration.warnings { Terminal.complain("warning", warning) }
        return configuration
    }
}

/// Who this host is and where its tunnel goes, as P0's agent is told it.
struct TunnelOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The organization's identifier.", valueName: "name")) var orgID: String?
    @Option(help: ArgumentHelp("The host's identifier.", valueName: "name")) var hostID: String?
    @Option(help: ArgumentHelp("The control plane's tunnel.", valueName: "wss://…")) var tunnelHost: String?
    @Option(help: ArgumentHelp("The folder of the host's key.", valueName: "folder")) var keyPath: String?
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Labels of the host, with commas between; may be repeated.", valueName: "key=value,…"))
    var labels: [String] = []
    @Option(help: ArgumentHelp("The environment's identifier.", valueName: "name")) var environment: String?
    @Option(
        help: ArgumentHelp(
            "How long opening the tunnel may take; 0 is the default.", valueName: "milliseconds"))
    var tunnelTimeout: UInt64?
    @Flag(inversion: .prefixedNo, help: "Says what would be done instead of doing it.")
    var dryRun: Bool?
    @Flag(help: "Allows ws:// to other machines, where everybody on the way can read the host's token.")
    var insecureTransport = false

    var layer: SettingLayer {
        var layer = SettingLayer()
        layer.set(.organisation, orgID)
        layer.set(.host, hostID)
        layer.set(.tunnel, tunnelHost)
        layer.set(.keyFolder, keyPath.map(absolutePath))
        layer.set(
            .labels, labels.isEmpty ? nil : labels.flatMap { $0.split(separator: ",").map(String.init) })
        layer.set(.environment, environment)
        layer.set(.timeout, tunnelTimeout.map { String($0) })
        layer.set(.dryRun, dryRun.map { $0 ? "true" : "false" })
        layer.set(.insecureTransport, insecureTransport ? "true" : nil)
        return layer
    }
}

extension AgentConfiguration {
    /// The settings of a tunnel, with its key.
    ///
    /// - Parameter machine: what the machine calls itself.
    func tunnelSettings(machine: String) throws(AgentError) -> TunnelSettings {
        let name = try hostName() ?? machine
        var settings = try TunnelSettings(
            url: try tunnelURL(), clientID: try clientIdentity(), key: try KeyFolder(try keyFolder()).load(),
            agentVersion: agentVersion, hostName: name,
            allowingInsecureTransport: try allowsInsecureTransport())
        settings.dialect = try dialect()
        settings.trust = try trust()
        settings.proxies = try ProxySettings(environment)
        settings.heartbeatSeconds = try heartbeatSeconds()
        settings.dryRun = try dryRun()
        if let timeout = try timeoutMilliseconds() { settings.openingMilliseconds = timeout }
        return settings
    }
}
