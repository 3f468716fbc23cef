// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol

/// `trust recover`: brings to an end what a process that died has begun.
struct TrustRecover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover", abstract: "Completes or takes back a change whose process has died.",
        discussion: """
            A change that was proven is completed, any other is taken back, by the journal in the state folder. Every \
            start of the agent does the same. Nothing happens when there is nothing to recover.
            """)

    @OptionGroup(title: "The host") var host: HostOptions
    @Option(help: "text or json.") var format = OutputFormat.text

    func run() throws {
        let isWatched = Terminal.isWatched(2)
        let report = try TrustRecovery.recoverIfNeeded(
            layout: host.layout, tell: { if isWatched { Terminal.note($0 + " …") } })
        guard let report else {
            return ChangeReport(.unchanged).show("recover", changes: 0, format)
        }
        report.show("recover", changes: 0, format)
    }
}
