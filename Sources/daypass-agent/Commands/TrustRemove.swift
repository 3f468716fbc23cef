// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser

/// `trust remove`: makes everything as it was before trust was installed.
struct TrustRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Makes every file as it was before trust was installed.",
        discussion: "Files that sshd's configuration named go when sshd has read the one that doesn't.")

    @OptionGroup(title: "The host") var host: HostOptions
    @OptionGroup(title: "The change") var change: ChangeCommandOptions

    func run() throws {
        let files = SystemFiles()
        try change.perform(
            .remove, host, proof: change.offline ? .offline : .settings, expected: [], ssh: "/usr/bin/ssh"
        ) { () throws(AgentError) in
            try TrustPlanner.removal(host: files, sshd: host.sshd, layout: host.layout)
        }
    }
}
