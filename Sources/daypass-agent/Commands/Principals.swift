// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

/// `principals`: whose certificates enter which account.
struct Principals: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says which principals may enter which account.",
        subcommands: [PrincipalsSet.self, PrincipalsShow.self, PrincipalsRemove.self],
        defaultSubcommand: PrincipalsShow.self)
}

struct PrincipalsSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Lets exactly these principals enter an account.",
        discussion: """
            Without principals: ACCOUNT, ACCOUNT@HOST-ID, and ACCOUNT@LABEL for each --label.
            """)

    @OptionGroup(title: "The host") var host: HostOptions
    @OptionGroup(title: "Names of the host") var names: HostNameOptions
    @Flag(help: "Shows what would change, and changes nothing.") var dryRun = false
    @Argument var account: String
    @Argument var principals: [String] = []

    func run() throws {
        let files = SystemFiles()
        let account = try AccountName(account)
        guard try LoginAccounts(files).contains(account) else {
            throw AgentError(.notFound, "account \(account): this host has no such account")
        }
        let lock = try HostLock(host.layout, files: files, seconds: 10)
        defer { _ = lock }
        let folder = PrincipalsFolder(files, host.layout)
        let wanted =
            principals.isEmpty
            ? try names.names().defaultPrincipals(of: account) : principals.map { ExactText($0) }
        try carryOut(try folder.setting(account, wanted), folder, dryRun)
    }
}

struct PrincipalsRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Lets no certificate enter an account.")

    @OptionGroup(title: "The host") var host: HostOptions
    @Flag(help: "Shows what would change, and changes nothing.") var dryRun = false
    @Argument var account: String

    func run() throws {
        let files = SystemFiles()
        let lock = try HostLock(host.layout, files: files, seconds: 10)
        defer { _ = lock }
        let folder = PrincipalsFolder(files, host.layout)
        try carryOut(try folder.removal(of: try AccountName(account)), folder, dryRun)
    }
}

struct PrincipalsShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Lists the principals of an account, or of all.")

    @OptionGroup(title: "The host") var host: HostOptions
    @Option(help: "text or json.") var format = OutputFormat.text
    @Argument var account: String?

    func run() throws {
        let folder = PrincipalsFolder(SystemFiles(), host.layout)
        var entries: [PrincipalsFolder.Entry]
        if let account {
            let name = try AccountName(account)
            guard let entry = try folder.entry(name) else {
                throw AgentError(.notFound, "account \(name): it has no principals")
            }
            entries = [entry]
        } else {
            entries = try folder.entries()
        }
        for entry in entries {
            for problem in entry.problems {
                Terminal.complain("warning", "\(entry.account.escapedForTerminal): \(problem)")
            }
        }
        guard format == .text else {
            return Terminal.say(JSONValue.array(entries.map(\.json)).text)
        }
        guard !entries.isEmpty else { return Terminal.note("no account has principals") }
        Table(
            ["ACCOUNT", "PRINCIPAL"],
            entries.flatMap { entry in
                entry.lines.map { [entry.account.escapedForTerminal, $0.escapedForTerminal] }
            }
        ).print()
    }
}

extension PrincipalsFolder.Entry {
    fileprivate var json: JSONValue {
        .object([
            .init("account", .string(account)), .init("principals", .array(lines.map { .string($0) })),
            .init("problems", .array(problems.map { .string($0) })),
        ])
    }
}

private func carryOut(_ plan: Plan, _ folder: PrincipalsFolder, _ dryRun: Bool) throws {
    guard !dryRun else { return Terminal.say(plan.text) }
    try folder.apply(plan)
    Terminal.note(plan.isEmpty ? "nothing to change" : "done")
}
