// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

struct SessionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions",
        abstract: "Shows who is and was logged in, and ends sessions.",
        subcommands: [SessionsList.self, SessionsFollow.self, SessionsVerify.self, SessionsKill.self],
        defaultSubcommand: SessionsList.self)
}

struct SessionsList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists sessions: those of the last day, and all that are open.")

    @OptionGroup var folders: SessionFolders
    @Flag(help: "Only sessions that are open.") var live = false
    @Option(help: ArgumentHelp("Sessions that were open within this time (1h, 2d).", valueName: "time"))
    var since = "1d"
    @Option(help: ArgumentHelp("Only this account's, or this identity's.", valueName: "name")) var user:
        String?
    @Option(help: "text or json.") var format = SessionFormat.text

    func validate() throws { _ = try parseSeconds(since) }

    func run() throws {
        let now = Moment.now
        let (span, tooLong) = try parseSeconds(since).multipliedReportingOverflow(by: 1_000_000_000)
        let begin = RecordTime(nanoseconds: tooLong || span > now.wall ? 0 : now.wall - span)
        let list = try SessionList(folders.records, since: begin, isRunning: RecordFiles.isRunning)
        let chosen = list.sessions.filter { session in
            if live, session.state != .live { return false }
            guard let user else { return true }
            return session.event.account == user || session.event.certificate?.identity == user
        }
        if list.unreadable > 0 {
            Terminal.complain("warning", "\(list.unreadable) lines are no records that this version can read")
        }
        switch format {
        case .text:
            Table(
                ["SESSION", "ACCOUNT", "IDENTITY", "SERIAL", "FROM", "SINCE", "DURATION", "STATE"],
                chosen.map { $0.row(now: now) }
            ).print()
        case .json:
            let sessions = JSONValue.array(chosen.map(\.json))
            Terminal.say(JSONValue.object([.init("version", 1), .init("sessions", sessions)]).text)
        }
    }
}

extension SessionSummary {
    /// A line of the table.
    fileprivate func row(now: Moment) -> [String] {
        let certificate = event.certificate
        let micros =
            end?.durationMicroseconds
            ?? (state == .live && now.boot / 1_000 > event.uptimeMicroseconds
                ? now.boot / 1_000 - event.uptimeMicroseconds : nil)
        return [
            String(id.prefix(12)), event.account?.escapedForTerminal ?? "-", event.who.escapedForTerminal,
            certificate.map { String($0.serial) } ?? "-",
            (event.source?.address ?? event.remoteHost)?.escapedForTerminal ?? "-",
            event.time.unixTime.description, micros.map { spell(seconds: $0 / 1_000_000) } ?? "-",
            state.rawValue,
        ]
    }

    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("session", .string(id)), .init("state", .string(state.rawValue)),
            .init("account", event.account.map(JSONValue.string) ?? .null),
        ]
        let certificate = event.certificate
        members.append(.init("method", .string(event.methods.map(\.name).joined(separator: ","))))
        members.append(.init("identity", certificate.map { .string($0.identity) } ?? .null))
        members.append(.init("keyID", certificate.map { .string($0.keyID) } ?? .null))
        members.append(.init("serial", certificate.map { .string(String($0.serial)) } ?? .null))
        members.append(
            .init("from", (event.source?.address ?? event.remoteHost).map(JSONValue.string) ?? .null))
        members.append(.init("since", .string(event.time.description)))
        members.append(.init("until", end.map { .string(($0.notAfter ?? $0.time).description) } ?? .null))
        members.append(
            .init(
                "durationMicroseconds",
                end?.durationMicroseconds.map { .number(Int64(clamping: $0)) } ?? .null))
        members.append(.init("pid", event.pid.map { .number(Int64($0)) } ?? .null))
        return .object(members)
    }
}

extension SessionEvent {
    /// Who it is, as far as the way of logging in says.
    var who: String {
        if let certificate { return certificate.identity }
        for method in methods { if case .key(_, let fingerprint) = method.proof { return fingerprint } }
        return methods.isEmpty ? "-" : methods.map(\.name).joined(separator: ",")
    }
}

/// "3d04h", "2h05m", "17s".
func spell(seconds: UInt64) -> String {
    func two(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if seconds >= 86_400 { return "\(seconds / 86_400)d\(two(seconds % 86_400 / 3_600))h" }
    if seconds >= 3_600 { return "\(seconds / 3_600)h\(two(seconds % 3_600 / 60))m" }
    return seconds >= 60 ? "\(seconds / 60)m\(two(seconds % 60))s" : "\(seconds)s"
}
