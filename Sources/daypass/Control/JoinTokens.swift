// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlClient
import ControlProtocol
import SSHWire

struct HostsJoinToken: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join-token", abstract: "Let hosts' agents join the control plane.",
        subcommands: [JoinTokenCreate.self, JoinTokenList.self, JoinTokenRemove.self])
}

struct JoinTokenCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a token by which one host may join, once.",
        discussion: """
            The token is printed, and kept nowhere. The host that joins by it gets the labels that are given here: \
            policy opens doors by labels, so a host can't choose its own.
            """)

    @Option(
        help: ArgumentHelp(
            "Which host may join: its name, * standing for any characters.", valueName: "PATTERN"))
    var name: String

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp("What the host belongs to (repeatable).", valueName: "NAME=VALUE"))
    var labels: [String] = []

    @Option(help: ArgumentHelp("How long it is good for: 10m to 30d.", valueName: "TIME"))
    var expires = "1h"

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let wish = JoinTokenInfo(
            hostPattern: name, labels: try parseLabels(labels),
            lifetime: try parseTimeSpan(expires, field: "--expires"))
        let state = try ClientState()
        let answer = try JoinTokenInfo(json: try await state.ask("POST", "/v1/join-tokens", wish.json))
        guard let token = answer.token else {
            throw Failure("the server made a token and did not tell it")
        }
        if format.format == .json { return Terminal.say(answer.json.text) }
        Terminal.say(token)
        Terminal.note("on the host, with the token in a file that only root can read:")
        Terminal.note(
            "  daypass-agent register --server \(try state.server().address.url.escapedForTerminal) --join-token-file FILE"
        )
    }
}

struct JoinTokenList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the join tokens that are out.")

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let items = try await ClientState().list("/v1/join-tokens")
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        let now = unixTimeNow().seconds
        Table(
            ["TOKEN", "FOR", "LABELS", "LEFT"],
            try items.map { item in
                let token = try JoinTokenInfo(json: item)
                return [
                    (token.id ?? "").escapedForTerminal, token.hostPattern.escapedForTerminal,
                    spellLabels(token.labels), spell((token.expires ?? now).subtractingClamped(now)),
                ]
            }
        ).print()
    }
}

struct JoinTokenRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take a join token back.")

    @Argument(help: ArgumentHelp("The token's name, not the token.", valueName: "TOKEN"))
    var id: String

    func run() async throws {
        guard !id.isEmpty, id.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
            throw Failure(
                ExitStatus.usage, "TOKEN: hexadecimal digits expected", hint: "daypass hosts join-token list")
        }
        try await ClientState().ask("DELETE", "/v1/join-tokens/\(id)")
        Terminal.say("no host joins by \(id) any more")
    }
}

/// `NAME=VALUE`, each name once.
func parseLabels(_ labels: [String]) throws -> [String: String] {
    var values: [String: String] = [:]
    for label in labels {
        let parts = label.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, values.updateValue(parts[1], forKey: parts[0]) == nil else {
            throw Failure(
                ExitStatus.usage,
                "--label \(label.escapedForTerminal): NAME=VALUE expected, each name once")
        }
    }
    return values
}

func spellLabels(_ labels: [String: String]) -> String {
    labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)".escapedForTerminal }
        .joined(separator: " ")
}

extension UInt64 {
    /// The difference, 0 where it would be below.
    func subtractingClamped(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
