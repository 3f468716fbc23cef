// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlProtocol
import SSHWire

struct HostsPrincipals: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "principals", abstract: "Say which principals may enter accounts of a host, for good.",
        discussion: """
            Through the tunnel of the host's agent, which must be connected. LOGIN= without a principal lets no certificate \
            enter the account. Only accounts that are named change, one after the other.
            """)

    @Argument(help: ArgumentHelp("The host's id.", valueName: "HOST"))
    var host: String

    @Argument(
        help: ArgumentHelp("An account and all principals that enter it.", valueName: "LOGIN=PRINCIPAL,…"))
    var accounts: [String]

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let host = try ManagedHost(id: host)
        // All are read before the first is sent.
        let calls = try accounts.map(Self.call)
        let state = try ClientState()
        for call in calls {
            let answer = try await state.ask("POST", "/v1/agents/\(host.id)/call", call)
            if format.format == .json {
                Terminal.say(answer.text)
                continue
            }
            let message = (answer["message"]?.string ?? "no reason given").escapedForTerminal
            guard answer["success"]?.bool == true else { throw Failure("\(host.id): \(message)") }
            Terminal.say("\(host.id): \(message)")
        }
    }

    private static func call(_ text: String) throws -> JSONValue {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw Failure(ExitStatus.usage, "\(text.escapedForTerminal): LOGIN=PRINCIPAL,… expected")
        }
        let names =
            parts[1].isEmpty
            ? [] : parts[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        if !names.isEmpty { _ = try PrincipalSet(users: names) }
        return .object([
            .init("command", "principals"), .init("user", .string(String(parts[0]))),
            .init("principals", .array(names.map(JSONValue.string))),
        ])
    }
}
