// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlProtocol
import SSHWire

struct WhoCanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "who-can",
        abstract: "Show who may enter a host, as which account, and how.",
        discussion: """
            By the policy, the people who are known, and the grants that stand, as they are now: who gets in straight, who \
            needs whose approval, who has a grant and until when. Known are those with an enrolled key, an API key or a \
            session that is open; whom else an identity provider may vouch for, the rules' words tell. Administrators see \
            everybody, others themselves.
            """)

    @Argument(help: ArgumentHelp("The host's id, name or address.", valueName: "HOST"))
    var host: String

    @Option(help: ArgumentHelp("This account only.", valueName: "LOGIN"))
    var login: String?

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let query = login.map { "?login=\(queryEncoded($0))" } ?? ""
        let answer = try await ClientState().ask("GET", "/v1/hosts/\(queryEncoded(host))/access\(query)")
        let access = try HostAccessInfo(json: answer)
        if format.format == .json { return Terminal.say(access.json.text) }
        for line in Self.lines(access) { Terminal.say(line) }
        if access.asked < access.known {
            Terminal.complain(
                "warning",
                "\(access.known) people are known, and the policy was asked about \(access.asked) of them")
        }
    }

    private static func lines(_ access: HostAccessInfo) -> [String] {
        let called = access.names + [spellLabels(access.labels)].filter { !$0.isEmpty }
        var lines = [
            access.host.escapedForTerminal
                + (called.isEmpty ? "" : " (\(called.map(\.escapedForTerminal).joined(separator: ", ")))")
        ]
        var logins: [String] = []
        for login in access.ways.map(\.login) + access.grants.map(\.login) where !logins.contains(login) {
            logins.append(login)
        }
        for login in logins {
            lines += ["", login == "*" ? "any other account" : login.escapedForTerminal]
            for way in access.ways where way.login == login { lines += Self.lines(way) }
            for grant in access.grants where grant.login == login { lines.append("  \(words(grant))") }
        }
        if logins.isEmpty { lines += ["", "nobody may enter it"] }
        if !access.denials.isEmpty {
            lines += ["", "whatever that says, kept out are"]
            for denial in access.denials {
                let whom =
                    denial.logins.isEmpty
                    ? "" : " of \(denial.logins.joined(separator: ", ").escapedForTerminal)"
                lines.append(
                    "  by rule \(denial.rule.escapedForTerminal)\(whom): \(denial.condition.escapedForTerminal)"
                )
            }
        }
        return lines
    }

    private static func lines(_ way: HostAccessInfo.Way) -> [String] {
        let rule =
            "by rule \(way.rule.escapedForTerminal)\(way.mayUseSudo ? ", with sudo" : ""): "
            + way.condition.escapedForTerminal
        guard let count = way.approvals else { return ["  straight, \(rule)"] + people(way.people) }
        var terms = "by \((way.approvers ?? "").escapedForTerminal)"
        if let longest = way.longestGrant { terms += ", for \(spell(UInt64(max(longest, 0)))) at most" }
        if let breakGlass = way.breakGlass {
            terms += "; in an emergency without, for \(breakGlass.escapedForTerminal)"
        }
        let what = count == 1 ? "approval" : "\(count) approvals"
        return ["  on \(what), \(rule)", "    \(what) \(terms)"] + people(way.people)
    }

    private static func people(_ people: [HostAccessInfo.Somebody]) -> [String] {
        people.isEmpty
            ? ["    - nobody who is known here"]
            : people.map { somebody in
                "    - \(somebody.identity.escapedForTerminal) (\(somebody.knownBy.map(\.escapedForTerminal).joined(separator: ", ")))"
            }
    }

    private static func words(_ grant: HostAccessInfo.Grant) -> String {
        let until = UnixTime(seconds: UInt64(max(grant.until, 0)))
        let how =
            grant.isBreakGlass
            ? "taken without approval"
            : "approved by \(grant.approvedBy.map(\.escapedForTerminal).joined(separator: ", "))"
        return
            "now, until \(until): \(grant.person.escapedForTerminal), by request \(AccessRequests.short(grant.request).escapedForTerminal), \(how)"
    }
}
