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

    @Option(help: ArgumentHelp("Not older than this: 90m, 2h, 7d.", valueName: "TIME"))
    var since: String?

    @Flag(help: "Sessions that are open now only.")
    var live = false

    @Flag(help: "What somebody should look at only.")
    var alerts = false

    @Flag(name: .shortAndLong, help: "Go on, and show what comes.")
    var follow = false

    @Option(help: ArgumentHelp("At most so many, the newest.", valueName: "N"))
    var limit = 50

    @OptionGroup var format: FormatOptions

    /// Between two questions for what is new: an alert is to be seen within two seconds.
    private static let pollNanoseconds: UInt64 = 1_000_000_000
    /// The most events that a look at open sessions goes back over.
    private static let maximumLimit = 1_000

    func validate() throws {
        guard (1...Self.maximumLimit).contains(limit) else {
            throw ValidationError("--limit: a number from 1 to \(Self.maximumLimit) expected")
        }
        guard !(live && follow) else { throw ValidationError("--live and --follow don't go together") }
    }

    func run() async throws {
        let state = try ClientState()
        var events = try await read(state, limit: live ? Self.maximumLimit : limit)
        if live {
            let ended = Set(events.filter { $0.event == "closed" }.map { "\($0.host) \($0.session)" })
            events = events.filter { $0.event == "opened" && !ended.contains("\($0.host) \($0.session)") }
        }
        guard follow else { return show(events.reversed(), heading: true) }
        show(events.reversed(), heading: true)
        var last = events.first?.index
        while true {
            try await Task.sleep(nanoseconds: Self.pollNanoseconds)
            let fresh = try await read(state, limit: Self.maximumLimit).filter {
                $0.index > last ?? 0 || last == nil
            }
            show(fresh.reversed(), heading: false)
            last = fresh.first?.index ?? last
        }
    }

    private func read(_ state: ClientState, limit: Int) async throws -> [HostEventInfo] {
        var query = "?limit=\(limit)"
        if let host { query += "&host=\(queryEncoded(host))" }
        if let user { query += "&who=\(queryEncoded(user))" }
        if alerts { query += "&alerts=true" }
        if let since {
            query +=
                "&since=\(millisecondsNow().subtractingClamped(try parseTimeSpan(since, field: "--since") * 1_000))"
        }
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
