// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
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
        let read = { () throws(AgentError) in try configuration.load(tunnel.layer) }
        let first = try read()
        let name = try first.hostName() ?? hostName()
        var host = service.host.provisioning
        host.name = name
        let part = try TunnelPart(
            operations: ProvisionedHost(Provisioner(host), agentVersion: agentVersion, hostName: name),
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
            ])
    }
}
