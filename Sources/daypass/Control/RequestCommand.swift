// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlProtocol
import SSHWire

struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Ask others to approve access that needs it.",
        discussion: """
            Whoever may approve it sees it in daypass requests --to-approve. Once it is approved, daypass ssh gets in for \
            as long as the grant lasts.
            """)

    @Argument(help: ArgumentHelp("The host: its id, a name or an address.", valueName: "HOST"))
    var host: String?

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp(
            "All hosts with this label, as they are now (repeatable).", valueName: "NAME=VALUE"))
    var labels: [String] = []

    @Option(name: .shortAndLong, help: ArgumentHelp("The account.", valueName: "LOGIN"))
    var login: String

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("For how long (default: the longest that the policy grants).", valueName: "TIME"))
    var duration: String?

    @Flag(help: "Be able to use sudo.")
    var sudo = false

    @Option(
        help: ArgumentHelp(
            "Only for this key: for keys that stay where they are.", valueName: "FILE"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "Permit only these, of what the policy gives, or none (repeatable).", valueName: "PERMISSION"))
    var permit: [String] = []

    @Option(help: ArgumentHelp("Why.", valueName: "TEXT"))
    var reason: String

    @Option(help: ArgumentHelp("What it is about elsewhere, for example in a tracker.", valueName: "TEXT"))
    var ticket: String?

    @Flag(help: "Wait until somebody has decided.")
    var wait = false

    @Flag(
        help: "In an emergency: pass without approval, where the policy lets you. Somebody will look at it.")
    var breakGlass = false

    @OptionGroup var format: FormatOptions

    func validate() throws {
        guard (host == nil) != labels.isEmpty else {
            throw ValidationError("HOST or --label expected, one of the two")
        }
    }

    func run() async throws {
        let requests = AccessRequests(try ClientState())
        let wish = NewAccessRequest(
            host: host, labels: try parseLabels(labels), login: login,
            duration: try duration.map { text in try parseTimeSpan(text, field: "--for") }, wantsSudo: sudo,
            permissions: permit.isEmpty ? nil : permit.filter { $0 != "none" },
            key: try key.map { try PublicKeyFile.read($0) }, reason: reason, ticket: ticket,
            isBreakGlass: breakGlass)
        var request = try await requests.ask(wish)
        if format.format == .text {
            Terminal.say("request \(request.id)")
            for line in AccessRequests.lines(request) { Terminal.say(line) }
            if request.isBreakGlass {
                Terminal.complain(
                    "warning",
                    "this is without approval: it is in the log, and stays open until somebody reviews it")
            }
        }
        if wait { request = try await requests.wait(for: request) }
        guard format.format == .text else { return Terminal.say(request.json.text) }
        Terminal.say(AccessRequests.standing(request))
        if wait { for line in AccessRequests.missing(request) { Terminal.complain("warning", line) } }
    }
}

struct RequestsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests", abstract: "List requests for approval, oldest first, or show one.")

    @Argument(help: ArgumentHelp("Show this one: its id, or the beginning of it.", valueName: "ID"))
    var id: String?

    @Flag(help: "One's own (the default).")
    var mine = false

    @Flag(help: "Those that wait and that you may approve.")
    var toApprove = false

    @Flag(help: "All that you may see.")
    var all = false

    @OptionGroup var format: FormatOptions

    func validate() throws {
        guard [mine, toApprove, all].count(where: { $0 }) <= 1 else {
            throw ValidationError("--mine, --to-approve and --all exclude each other")
        }
        guard id == nil || !mine && !toApprove && !all else {
            throw ValidationError("ID, or --mine, --to-approve or --all expected, one of them")
        }
    }

    func run() async throws {
        if let id {
            let request = try await AccessRequests(try ClientState()).find(id)
            if format.format == .json { return Terminal.say(request.json.text) }
            return AccessRequests.show(request)
        }
        let scope = toApprove ? "to-approve" : all ? "all" : "mine"
        let items = try await ClientState().list("/v1/requests?scope=\(scope)")
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        AccessRequests.print(try items.map { try AccessRequestInfo(json: $0) })
    }
}

struct WithdrawCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Take a request of your own back, granted or not.")

    @Argument(help: ArgumentHelp("The request, or the beginning of its id.", valueName: "ID"))
    var id: String

    func run() async throws {
        let state = try ClientState()
        let request = try await AccessRequests(state).find(id)
        let answer = try AccessRequestInfo(json: try await state.ask("DELETE", "/v1/requests/\(request.id)"))
        Terminal.say("request \(AccessRequests.short(answer.id)) is \(answer.status.escapedForTerminal)")
        for line in AccessRequests.missing(answer) { Terminal.complain("warning", line) }
    }
}
