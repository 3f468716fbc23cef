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
            The control plane keeps it: a host that is connected has it at once, one that is away when it comes back, \
            and one where it was changed by hand gets it again then. LOGIN= without a principal lets no certificate \
            enter the account. Only accounts that are named change. Without any, what is said of the host's accounts is \
            listed, and what the host has made of it.
            """)

    @Argument(help: ArgumentHelp("The host's id.", valueName: "HOST"))
    var host: String

    @Argument(
        help: ArgumentHelp("An account and all principals that enter it.", valueName: "LOGIN=PRINCIPAL,…"))
    var accounts: [String] = []

    @Option(
        name: .customLong("forget"),
        help: ArgumentHelp(
            "Say nothing of this account any more, and leave the host as it is (repeatable).",
            valueName: "LOGIN"))
    var forgotten: [String] = []

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let host = try ManagedHost(id: host)
        // All are read before the first is sent.
        let wanted = try accounts.map { try Self.principals($0, of: host.id) }
        let state = try ClientState()
        let path = "/v1/hosts/\(host.id)/principals"
        guard !wanted.isEmpty || !forgotten.isEmpty else { return try await list(state, path, of: host.id) }
        for login in forgotten {
            // By the same check: it becomes a part of a path.
            let said = try HostPrincipals(host: host.id, login: login, principals: [])
            try await state.ask("DELETE", "\(path)/\(said.login)")
            Terminal.note("\(host.id): \(said.login) is the host's own matter from here on")
        }
        for said in wanted {
            let answer = try await state.ask(
                "PUT", "\(path)/\(said.login)", PrincipalsRequest(principals: said.principals).json)
            if format.format == .json {
                Terminal.say(answer.text)
                continue
            }
            let info = try HostPrincipalsInfo(json: answer)
            guard info.state != .refused else {
                throw Failure(
                    "\(host.id): \(info.login): \(info.words)",
                    hint:
                        "it is kept and tried again; to take it back: daypass hosts principals \(host.id) --forget \(info.login)"
                )
            }
            Terminal.say("\(host.id): \(info.login): \(info.names): \(info.words)")
        }
    }

    private func list(_ state: ClientState, _ path: String, of host: String) async throws {
        let items = try await state.list(path)
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        let accounts = try items.map { try HostPrincipalsInfo(json: $0) }
        guard !accounts.isEmpty else {
            return Terminal.note("nothing is said of accounts of \(host): who may enter is set there")
        }
        Table(
            ["ACCOUNT", "PRINCIPALS", "ON THE HOST"],
            accounts.map { [$0.login.escapedForTerminal, $0.names, $0.words] }
        ).print()
    }

    private static func principals(_ text: String, of host: String) throws -> HostPrincipals {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw Failure(ExitStatus.usage, "\(text.escapedForTerminal): LOGIN=PRINCIPAL,… expected")
        }
        let names =
            parts[1].isEmpty
            ? [] : parts[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        return try HostPrincipals(host: host, login: String(parts[0]), principals: names)
    }
}

extension HostPrincipalsInfo {
    fileprivate var names: String {
        principals.isEmpty ? "nobody" : principals.map(\.escapedForTerminal).joined(separator: ", ")
    }

    /// What the host has made of it.
    fileprivate var words: String {
        state == .delivered
            ? "in place" : state.rawValue + (reason.map { ": \($0.escapedForTerminal)" } ?? "")
    }
}
