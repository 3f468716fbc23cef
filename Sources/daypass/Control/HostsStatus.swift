// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlProtocol
import SSHWire

struct HostsStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Ask a host's agent how it is, through its tunnel.")

    @Argument(help: ArgumentHelp("The host's id.", valueName: "ID"))
    var id: String

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let host = try ManagedHost(id: id)
        let answer = try await ClientState().ask(
            "POST", "/v1/agents/\(host.id)/call", .object([.init("command", .string("status"))]))
        if format.format == .json { return Terminal.say(answer.text) }
        guard answer["success"]?.bool == true else {
            throw Failure(
                "\(host.id): \((answer["message"]?.string ?? "no reason given").escapedForTerminal)")
        }
        Terminal.say("\(host.id): \((answer["message"]?.string ?? "").escapedForTerminal)")
        for line in (answer["output"]?.string ?? "").split(separator: "\n") {
            Terminal.say(String(line).escapedForTerminal)
        }
    }
}
