// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlProtocol
import Foundation
import SSHWire

struct HostSessions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions", abstract: "Show who logged in to which host, and by what (administrators).",
        discussion: """
            Each line is an entry of the log. MATCH says how a login relates to what was issued: "issued" is a \
            certificate whose issuance is in the log, byte for byte. Everything else is an alert: a static key, a \
            password, a certificate that was never issued, is not as it was issued, was revoked, or is of another \
            authority.
            """)

    @Option(help: ArgumentHelp("On this host only.", valueName: "HOST"))
    var host: String?

    @Option(help: ArgumentHelp("Of this person or account only.", valueName: "NAME"))
    var user: String?

    @Flag(help: "Sessions that are open now only.")
    var live = false

    @Flag(help: "What somebody should look at only.")
    var alerts = false

    @OptionGroup var entries: EntryListOptions
    @OptionGroup var format: FormatOptions

    func validate() throws {
        guard !(live && entries.follow) else {
            throw ValidationError("--live and --follow don't go together")
        }
    }

    func run() async throws {
        let state = try ClientState()
        guard live else {
            return try await entries.list(by: \.index) {
                try await read(state, limit: $0)
            } show: {
                show($0, heading: $1)
            }
        }
        // As far as one look goes back.
        let events = try await read(state, limit: EntryListOptions.maximumLimit)
        let ended = Set(events.filter { $0.event == "closed" }.map { "\($0.host) \($0.session)" })
        let open = events.filter { $0.event == "opened" && !ended.contains("\($0.host) \($0.session)") }
        show(open.reversed(), heading: true)
    }

    private func read(_ state: ClientState, limit: Int) async throws -> [HostEventInfo] {
        var query = try entries.query(limit: limit)
        if let host { query += "&host=\(queryEncoded(host))" }
        if let user { query += "&who=\(queryEncoded(user))" }
        if alerts { query += "&alerts=true" }
        let answer = try await state.ask("GET", "/v1/host-sessions\(query)")
        return try (answer["items"]?.array ?? []).map { try HostEventInfo(json: $0) }
            .filter { $0.event != "other" || alerts }
    }

    private func show(_ events: [HostEventInfo], heading: Bool) {
        if format.format == .json {
            for event in events { Terminal.say(event.json.text) }
            return
        }
        guard heading || !events.isEmpty else { return }
        let rows = events.map { event in
            [
                UnixTime(seconds: event.happened / 1_000).description, event.host.escapedForTerminal,
                event.event, event.account.escapedForTerminal, event.who.escapedForTerminal,
                event.source.escapedForTerminal,
                event.isAlert ? "! \(event.match)" : event.match,
                event.issuance.map(String.init) ?? "-",
                event.reason.escapedForTerminal,
            ]
        }
        Table(
            ["TIME", "HOST", "EVENT", "ACCOUNT", "WHO", "FROM", "MATCH", "ISSUED", "REASON"],
            rows
        ).print()
    }
}
