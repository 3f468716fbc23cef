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

    @Option(help: ArgumentHelp("Not older than this: 90m, 2h, 7d.", valueName: "TIME"))
    var since: String?

    @Flag(name: .shortAndLong, help: "Go on, and show what comes.")
    var follow = false

    @Option(help: ArgumentHelp("At most so many, the newest.", valueName: "N"))
    var limit = 50

    @OptionGroup var format: FormatOptions

    /// Between two questions for what is new: an alert is to be seen within two seconds.
    private static let pollNanoseconds: UInt64 = 1_000_000_000
    private static let maximumLimit = 1_000

    func validate() throws {
        guard (1...Self.maximumLimit).contains(limit) else {
            throw ValidationError("--limit: a number from 1 to \(Self.maximumLimit) expected")
        }
    }

    func run() async throws {
        let state = try ClientState()
        let alerts = try await read(state, limit: limit)
        show(alerts.reversed(), heading: true)
        guard follow else { return }
        var last = alerts.first?.index
        while true {
            try await Task.sleep(nanoseconds: Self.pollNanoseconds)
            let fresh = try await read(state, limit: Self.maximumLimit).filter { alert in
                last.map { alert.index > $0 } ?? true
            }
            show(fresh.reversed(), heading: false)
            last = fresh.first?.index ?? last
        }
    }

    private func read(_ state: ClientState, limit: Int) async throws -> [AlertInfo] {
        var query = "?limit=\(limit)"
        if let since {
            let span = try parseTimeSpan(since, field: "--since")
            query += "&since=\(millisecondsNow().subtractingClamped(span.multipliedClamped(by: 1_000)))"
        }
        let answer = try await state.ask("GET", "/v1/alerts\(query)")
        return try (answer["items"]?.array ?? []).map { try AlertInfo(json: $0) }
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

extension UInt64 {
    fileprivate func multipliedClamped(by other: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
