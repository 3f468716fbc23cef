// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CommandSupport

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Prints the version.")

    // P0's agent takes them everywhere.
    @OptionGroup(visibility: .hidden) var configuration: ConfigurationOptions

    func run() { Terminal.say("daypass-agent \(agentVersion) (linux, Swift \(swiftVersion))") }

    private var swiftVersion: String {
        #if compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }
}
