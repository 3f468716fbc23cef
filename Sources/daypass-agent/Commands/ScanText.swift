// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import CommandSupport
import SSHWire

/// A scan's report for people: what is open first, then a table for each account that has anything to show.
struct ScanText {
    private let report: ScanReport

    init(_ report: ScanReport) { self.report = report }

    func print() {
        head()
        for account in report.accounts where isWorthShowing(account) { show(account) }
        let silent = report.accounts.count { !isWorthShowing($0) }
        if silent > 0 {
            Terminal.say("")
            Terminal.say("\(Self.many(silent, "other account")): no keys, no password that sshd would take")
        }
        for note in report.notes { Terminal.complain("note", note) }
    }

    private func head() {
        Terminal.say(
            "\(report.hostName.escapedForTerminal): OpenSSH \(report.release?.text ?? "of an unknown version"), "
                + report.configuration.escapedForTerminal)
        Terminal.say(
            "\(Self.many(report.accounts.count, "account")), \(Self.many(report.keys.count, "key")) in "
                + "\(Self.many(report.files.count, "file")), "
                + "\(report.keys.count { $0.suggestion.kind == .remove }) removable; passwords open "
                + Self.many(report.accounts.count { $0.passwordLogin.isPossible }, "account"))
        for incident in report.incidents {
            Terminal.say(
                "\(Terminal.paint("known weakness", "31")): \(incident.identifier): \(incident.summary)")
            Terminal.say("  \(incident.advice)")
        }
        for authority in report.authorities {
            Terminal.say(
                "trusted CA: \(authority.identity.fingerprint) \(authority.comment.escapedForTerminal) "
                    + "(\(authority.file.escapedForTerminal):\(authority.line))")
        }
        Set(report.accounts.compactMap(\.settings.keysCommand)).sorted().forEach {
            Terminal.say("keys also come from a program, which is not asked: \($0.escapedForTerminal)")
        }
        for settings in report.accounts.prefix(1).map(\.settings) {
            if settings.takesHostbased { Terminal.say("host-based logins are on") }
            if settings.takesGSSAPI || settings.takesKerberos { Terminal.say("Kerberos logins are on") }
            for list in settings.accessLists {
                Terminal.say("not everybody is let in: \(list.escapedForTerminal)")
            }
        }
        root()
    }

    private func root() {
        for account in report.accounts where account.account.userID == 0 {
            var ways: [String] = []
            let usable = account.files.filter { $0.looseness == nil || !account.settings.isStrictAboutModes }
                .flatMap(\.keys).count { $0.key.refusal == nil }
            if account.keysAreUseless == nil, usable > 0 { ways.append(Self.many(usable, "key")) }
            if account.keysAreUseless == nil, account.principals != nil { ways.append("certificates") }
            if account.passwordLogin.isPossible { ways.append("password") }
            if account.settings.takesGSSAPI, account.settings.rootLogin != "no" { ways.append("Kerberos") }
            if account.settings.takesHostbased, account.settings.rootLogin != "no" {
                ways.append("its host's word")
            }
            Terminal.say(
                "root as \(account.account.name.escapedForTerminal): PermitRootLogin \(account.settings.rootLogin); "
                    + (ways.isEmpty ? "no way in" : "in by \(ways.joined(separator: ", "))"))
        }
    }

    private func isWorthShowing(_ account: ScanReport.Account) -> Bool {
        !account.keys.isEmpty || !account.problems.isEmpty || account.passwordLogin.isPossible
            || account.files.contains { $0.looseness != nil || !$0.unreadable.isEmpty }
    }

    private func show(_ account: ScanReport.Account) {
        Terminal.say("")
        let password = account.passwordLogin
        Terminal.say(
            "\(account.account.name.escapedForTerminal) (uid \(account.account.userID)), password: "
                + "\(password.isPossible ? "yes, " : "no, ")\(password.reason.escapedForTerminal); certificates: "
                + (account.principals.map { Self.many($0, "principal") } ?? "no"))
        if let useless = account.keysAreUseless { Terminal.say("  keys: none will do, \(useless)") }
        if !account.keys.isEmpty {
            Table(
                ["  FILE", "TYPE", "FINGERPRINT", "COMMENT", "OPTIONS", "CHANGED", "LAST USE", "SUGGESTION"],
                account.keys.map { row($0, account) }
            ).print()
        }
        for file in account.files {
            let path = short(file.path, account)
            if let real = file.realPath { Terminal.say("  \(path): leads to \(real.escapedForTerminal)") }
            if let looseness = file.looseness {
                Terminal.say(
                    "  \(looseness); "
                        + (account.settings.isStrictAboutModes
                            ? "sshd refuses the file" : "sshd takes it, StrictModes is off"))
            }
            for line in file.unreadable { Terminal.say("  \(path):\(line.line): no key: \(line.reason)") }
        }
        for problem in account.problems { Terminal.say("  \(problem)") }
    }

    private func row(_ found: ScanReport.Key, _ account: ScanReport.Account) -> [String] {
        let identity = found.key.identity
        var suggestion = "\(found.suggestion.kind.rawValue): \(found.suggestion.reason)"
        if let weakness = found.key.weakness { suggestion += "; weak: \(weakness)" }
        if !found.otherAccounts.isEmpty {
            suggestion += "; also opens \(brief(found.otherAccounts.joined(separator: ", "), 60))"
        }
        return [
            "  \(short(found.file, account)):\(found.key.line)",
            identity.type.escapedForTerminal + (identity.bits.map { " \($0)" } ?? ""),
            identity.fingerprint, brief(found.key.comment, 32),
            found.key.options.isEmpty ? "-" : brief(found.key.options, 48),
            day(found.fileModified), found.lastUse.map { day($0) } ?? "-", suggestion,
        ]
    }

    /// The path, with "~" for the account's home.
    private func short(_ path: String, _ account: ScanReport.Account) -> String {
        let home = account.account.home
        let isBelow = home.count > 1 && path.hasPrefix(home + "/")
        return (isBelow ? "~" + path.dropFirst(home.count) : path).escapedForTerminal
    }

    private static func many(_ count: Int, _ what: String) -> String {
        "\(count) \(what)\(count == 1 ? "" : "s")"
    }

    private func day(_ time: UnixTime) -> String { String(time.description.prefix(10)) }

    private func brief(_ text: String, _ length: Int) -> String {
        let escaped = text.escapedForTerminal
        return escaped.count <= length ? escaped : escaped.prefix(length - 1) + "…"
    }
}
