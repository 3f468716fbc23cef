// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlProtocol
import Foundation
import SSHWire

struct AlertsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts", abstract: "Show what somebody should look at (administrators).",
        subcommands: [AlertsList.self, AlertsTest.self], defaultSubcommand: AlertsList.self)
}

struct AlertsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what somebody should look at.",
        discussion: """
            Logins by what was never issued or is revoked, by static keys and passwords, gaps in hosts' records, hosts \
            that don't report or whose clock is off, access without approval: each an entry of the log. What each means \
            and what to do: docs/operating.md.
            """)

    @OptionGroup var entries: EntryListOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
        let state = try ClientState()
        try await entries.list(by: \.index) { limit in
            let answer = try await state.ask("GET", "/v1/alerts\(try entries.query(limit: limit))")
            return try (answer["items"]?.array ?? []).map { try AlertInfo(json: $0) }
        } show: {
            show($0, heading: $1)
        }
    }

    private func show(_ alerts: [AlertInfo], heading: Bool) {
        if format.format == .json {
            for alert in alerts { Terminal.say(alert.json.text) }
            return
        }
        guard heading || !alerts.isEmpty else { return }
        guard !alerts.isEmpty else { return Terminal.note("nothing to look at") }
        Table(
            ["ENTRY", "TIME", "EVENT", "WHAT"],
            alerts.map { alert in
                [
                    String(alert.index), UnixTime(seconds: alert.recorded / 1_000).description,
                    alert.event.escapedForTerminal, alert.text.escapedForTerminal,
                ]
            }
        ).print()
    }
}

struct AlertsTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Raise an alert, and see whether it arrives where it should.")

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let answer = try await ClientState().ask(
            "POST", "/v1/alerts/test", idempotencyKey: UUID().uuidString.lowercased())
        let alert = try AlertInfo(json: answer)
        if format.format == .json { return Terminal.say(alert.json.text) }
        Terminal.say(
            "recorded as entry \(alert.index): every webhook that wants tests gets it within seconds")
    }
}
