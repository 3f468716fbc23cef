// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlProtocol
import Foundation
import SSHWire

struct APIKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "api-keys",
        abstract: "Make keys by which programs log in that no identity provider knows (administrators).",
        subcommands: [APIKeysList.self, APIKeysCreate.self, APIKeysRemove.self])
}

struct APIKeysList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the API keys; what they open by is not known here.")

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let items = try await ClientState().list("/v1/api-keys")
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        let keys = try items.map { try APIKeyInfo(json: $0) }
        let now = Int64(clamping: unixTimeNow().seconds)
        Table(
            ["NAME", "ID", "GROUPS", "FROM", "LEFT"],
            keys.map { key in
                [
                    key.name.escapedForTerminal, key.id.escapedForTerminal,
                    key.groups.map(\.escapedForTerminal).joined(separator: ","),
                    key.sourceAddresses.map(\.escapedForTerminal).joined(separator: ","),
                    key.expires.map { $0 > now ? spell(UInt64($0 - now)) : "expired" } ?? "for ever",
                ]
            }
        ).print()
    }
}

struct APIKeysCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make an API key, and print its secret: once, and nowhere else.",
        discussion: """
            The program that has it logs in by daypass login --api-key-file FILE. To policy it is provider api-key, with \
            the groups that are given here.
            """)

    @Option(help: ArgumentHelp("What to call it: letters a to z, digits and . _ -", valueName: "NAME"))
    var name: String

    @Option(
        name: .customLong("group"),
        help: ArgumentHelp("A group it is in, for the policy (repeatable).", valueName: "GROUP"))
    var groups: [String] = []

    @Option(
        help: ArgumentHelp("For how long it is good, for example 90d (default: for ever).", valueName: "SPAN")
    )
    var expires: String?

    @Option(
        name: .customLong("source-address"),
        help: ArgumentHelp("Only from this address or block of addresses (repeatable).", valueName: "CIDR"))
    var sourceAddresses: [String] = []

    @OptionGroup var format: FormatOptions

    func run() async throws {
        // The same checks as the server's, before anything is sent.
        for address in sourceAddresses { _ = try AddressBlock(address) }
        let wanted = NewAPIKey(
            name: name, groups: groups, sourceAddresses: sourceAddresses,
            lifetime: try expires.map { text in try parseTimeSpan(text, field: "--expires") })
        let made = try await ClientState().ask(
            "POST", "/v1/api-keys", wanted.json, idempotencyKey: UUID().uuidString.lowercased())
        if format.format == .json { return Terminal.say(made.text) }
        let key = try APIKeyInfo(json: made)
        guard let token = key.token else { throw Failure("the server's answer has no token") }
        Terminal.say(token.escapedForTerminal)
        Terminal.note(
            "this is shown once; whoever has it is \(key.identity.escapedForTerminal). Keep it in a file with mode 0600"
        )
    }
}

struct APIKeysRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Let an API key open nothing any more, and end its sessions.")

    @Argument(help: ArgumentHelp("Its name or its id.", valueName: "KEY"))
    var key: String

    func run() async throws {
        let state = try ClientState()
        let keys = try await state.list("/v1/api-keys").map { try APIKeyInfo(json: $0) }
        // A name wins: it is what people type, and one that looks like an id may be another key's.
        guard let found = keys.first(where: { $0.name == key }) ?? keys.first(where: { $0.id == key }),
            found.id.utf8.allSatisfy("0123456789abcdef".utf8.contains)
        else {
            throw Failure(
                "there is no API key \(key.escapedForTerminal)", hint: "daypass api-keys list shows them")
        }
        try await state.ask("DELETE", "/v1/api-keys/\(found.id)")
        Terminal.say("\(found.name.escapedForTerminal) opens nothing any more")
    }
}
