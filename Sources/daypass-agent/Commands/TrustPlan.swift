// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol

/// `trust plan`: shows what install would change.
struct TrustPlan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Shows what trust install would change, file by file.",
        discussion: "Nothing is changed. Exit code 0 whether there is something to change or not.")

    @OptionGroup var trust: TrustOptions
    @Flag(help: "Shows what trust remove would change.")
    var removal = false
    @Option(help: "text or json.") var format = OutputFormat.text

    func run() throws {
        let files = SystemFiles()
        let plan =
            removal
            ? try TrustPlanner.removal(host: files, sshd: trust.sshd, layout: trust.layout)
            : try TrustPlanner.plan(
                try trust.settings(files), host: files, sshd: trust.sshd, layout: trust.layout)
        Terminal.say(format == .json ? plan.json.text : plan.text)
    }
}
