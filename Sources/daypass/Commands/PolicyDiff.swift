// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import SSHWire

struct PolicyDiff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Say who gains and loses what by a new policy.",
        discussion: """
            Both policies decide over everybody at every host and account that their tests name, with an Ed25519 key, a reason \
            and a fresh login; and over the tests' own requests. --universe adds people, hosts and accounts.

            Exits 0 when nothing differs, 3 when something does, 1 when a policy can't be read.
            """)

    @OptionGroup var format: FormatOptions

    @Option(
        help: ArgumentHelp(
            "A YAML or JSON file with people, hosts and logins to compare over as well.", valueName: "FILE"))
    var universe: String?

    @Option(help: ArgumentHelp("When (default: Monday, 2026-01-05 12:00 UTC).", valueName: "TIME"))
    var at: String?

    @Option(help: ArgumentHelp("The address that requests come from (default: not known).", valueName: "IP"))
    var from: String?

    @Argument(help: ArgumentHelp("The policy as it is.", valueName: "OLD"))
    var old: String

    @Argument(help: ArgumentHelp("The policy as it would be.", valueName: "NEW"))
    var new: String

    private struct Report: Encodable {
        struct Decision: Encodable {
            let verdict: AccessTest.Expectation
            let rule: String?
            let lifetime: UInt64?
            let principals: [String]?

            init(_ decision: AccessDecision) {
                verdict = decision.verdict.expectation
                rule = decision.rule
                guard case .allowed(let grant) = decision.verdict else {
                    (lifetime, principals) = (nil, nil)
                    return
                }
                lifetime = grant.lifetime
                principals = grant.principals.names.map(\.string)
            }

            var text: String { verdict.rawValue + (rule.map { " (\($0))" } ?? "") }
        }

        let change: AccessDifference.Change
        let person: String?
        let host: String
        let login: String
        let old: Decision
        let new: Decision

        init(_ difference: AccessDifference) {
            change = difference.change
            person = difference.request.person.map { "\($0.identity)" }
            host = difference.request.host.id
            login = difference.request.login
            old = Decision(difference.old)
            new = Decision(difference.new)
        }
    }

    func run() throws {
        let before = try PolicyFile.read(old, isTested: false)
        let after = try PolicyFile.read(new, isTested: false)
        var everything = AccessUniverse(testsOf: before, after)
        if let universe {
            let (yaml, name) = try PolicyFile.text(universe, maximumBytes: AccessPolicy.maximumBytes)
            try everything.add(yaml: yaml, name: name)
        }
        let time = try at.map { try TimeArgument.parse($0, field: "--at", now: unixTimeNow()) }
        let differences = try after.diff(
            from: before, over: everything, key: try PublicKey(.ed25519([UInt8](repeating: 1, count: 32))),
            at: time ?? AccessTest.defaultTime, from: try from.map { try IPAddress($0) })
        let reports = differences.map(Report.init)
        if format.format == .json {
            try JSONOutput.write(reports)
        } else {
            show(reports)
        }
        if !differences.isEmpty { throw ExitCode(ExitStatus.negative) }
    }

    private func show(_ reports: [Report]) {
        guard !reports.isEmpty else { return Terminal.say("nothing differs for those whom the tests name") }
        // The tests' own requests often are what has been compared already.
        var seen: Set<[String]> = []
        let rows = reports.map { report in
            [
                report.change.rawValue, (report.person ?? "nobody").escapedForTerminal, report.host,
                report.login.escapedForTerminal, report.old.text, report.new.text,
            ]
        }
        Table(["change", "person", "host", "login", "old", "new"], rows.filter { seen.insert($0).inserted })
            .print()
    }
}
