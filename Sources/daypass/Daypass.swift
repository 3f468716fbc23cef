// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

@main
struct Daypass: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "daypass")
}
