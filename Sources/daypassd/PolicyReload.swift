// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Logging
import SSHWire
import ServiceLifecycle
import UnixSignals

/// Reads the policy again when SIGHUP comes; the last good one stays when the new one is not.
struct PolicyReload: Service {
    let read: @Sendable () throws -> AccessPolicy
    let use: @Sendable (AccessPolicy) async throws -> Void
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) {
                do {
                    let policy = try read()
                    try await use(policy)
                    logger.notice(
                        "policy reloaded", metadata: ["daypass.policy": "\(hexadecimal(policy.digest))"])
                } catch {
                    logger.error(
                        "policy not reloaded, the last one stays",
                        metadata: ["daypass.error": "\("\(error)".escapedForTerminal)"])
                }
            }
        }
    }
}
