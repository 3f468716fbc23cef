// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `trust`: sshd's trust in an authority.
struct Trust: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes sshd trust an authority, watches over it, and takes it back.",
        subcommands: [
            TrustPlan.self, TrustInstall.self, TrustRemove.self, TrustStatus.self, TrustVerify.self,
            TrustRecover.self,
        ])
}
