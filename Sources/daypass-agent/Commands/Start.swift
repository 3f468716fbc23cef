// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Does what run does, and holds a tunnel to the control plane.",
        discussion: """
            One outbound WebSocket connection, authenticated by a token that the host's key signs. Through it the control \
            plane asks for operations. It comes back by itself, within a second at first and 30 at most, also after the \
            server refused it.

            Settings come from arguments, then DAYPASS_AGENT_… and P0_SSH_AGENT_… variables, then the configuration \
            file. HTTPS_PROXY, HTTP_PROXY and NO_PROXY are kept to. SIGHUP makes it read all of that again, and the key.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup(title: "The tunnel") var tunnel: TunnelOptions
    @OptionGroup(title: "The host") var service: ServiceOptions

    func run() throws {
        let read = { () throws(AgentError) in
            let settings = try configuration.load(tunnel.layer)
            try checkKeyFolder(try settings.keyFolder())
            return settings
        }
        let first = try read()
        let name = try first.hostName() ?? hostName()
        var provisioning = service.host.provisioning
        provisioning.name = name
        provisioning.firstTrust = try firstTrust(first, name)
        let part = try TunnelPart(
            operations: ProvisionedHost(
                Provisioner(provisioning), agentVersion: agentVersion, hostName: name),
            say: Terminal.note,
            debug: configuration.debug
        ) { () throws(AgentError) in try read().tunnelSettings(machine: hostName()) }
        let labels = try first.labels()
        if !labels.isEmpty {
            configuration.debug("labels: \(labels.joined(separator: ", ").escapedForTerminal)")
        }
        if try first.dryRun() { Terminal.note("dry-run: operations are said, not done") }
        try service.run(
            host: try first.hostID() ?? name,
            with: [
                part,
                RecordSender(
                    part, files: RecordFiles(folder: service.host.layout.sessions), say: Terminal.note),
                HostCertificatePart(
                    part, layout: service.host.layout, program: "/proc/self/exe",
                    arguments: service.host.arguments, say: Terminal.note),
            ])
    }

    /// Refuses a folder of the host's key in which what no grant needs is removed.
    private func checkKeyFolder(_ path: String) throws(AgentError) {
        let others = service.host.layout.swept
        guard !others.contains(where: { (path + "/").hasPrefix($0 + "/") }) else {
            throw AgentError(
                .conflict,
                "keyPath: \(path.escapedForTerminal): what no grant needs is removed there, and so the host's key would be",
                hint: "name another folder, for example \(AgentConfiguration.defaultKeyFolder)")
        }
    }

    /// What the fleet's first statement installs on a host that has joined a Daypass server.
    private func firstTrust(_ settings: AgentConfiguration, _ name: String) throws(AgentError) -> FirstTrust?
    {
        guard try settings.dialect() == .daypass else { return nil }
        // organisation:host:ssh, and the host as the server's policies call it.
        let parts = try settings.clientIdentity().split(separator: ":")
        let names: HostNames
        do throws(AgentError) {
            names = try HostNames(
                id: parts.count == 3 ? String(parts[1]) : name.lowercased(), labels: try settings.labels())
        } catch {
            Terminal.complain(
                "warning", "the fleet's first statement will install nothing: \(error.reason)")
            return nil
        }
        let module = SessionModule.find()
        return FirstTrust(
            names: names,
            sessionHook: module.map { .pam(serviceFile: "/etc/pam.d/sshd", module: $0) } ?? .missingModule)
    }
}
