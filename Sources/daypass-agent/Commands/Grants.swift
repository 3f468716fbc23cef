// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

/// `grants`: what is granted on this host.
struct GrantsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grants", abstract: "Shows the grants of this host, and brings it to what they say.",
        subcommands: [GrantsShow.self, GrantsSweep.self], defaultSubcommand: GrantsShow.self)
}

struct GrantsShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows grants, what is not as they say, and other problems, as JSON.")

    @OptionGroup(title: "The host") var host: HostOptions

    func run() throws {
        let result = Provisioner(host.provisioning).perform(
            .object([.init("command", "status")]), at: .now)
        guard result.success, let output = result.output else { throw AgentError(.file, result.message) }
        Terminal.say(output)
    }
}

struct GrantsSweep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep",
        abstract: "Ends grants whose time is over, finishes what was interrupted, mends what was changed.",
        discussion: "The agent does this by itself at its start and when something is due.")

    @OptionGroup(title: "The host") var host: HostOptions
    @Flag(help: "Shows what would change, and changes nothing.") var dryRun = false

    func run() throws {
        let provisioner = Provisioner(host.provisioning)
        if dryRun { return Terminal.say(try provisioner.pending(at: .now).text) }
        do throws(AgentError) {
            for line in try provisioner.sweep(at: .now)?.headlines ?? [] { Terminal.say(line) }
        } catch {
            // The agent reads what is said here, and goes on trying.
            Terminal.say("not all is done: \(error.reason)")
            throw ExitCode(ExitStatus.failed)
        }
    }
}
