// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import Logging
import ServiceLifecycle

/// Puts the newest checkpoint beside the database, so that an older database that is put back is noticed.
struct CheckpointService: Service {
    let home: CAHome
    let ledger: SQLiteLedger
    let logger: Logger

    private static let interval: Duration = .seconds(1)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var published: UInt64 = 0
            while !Task.isCancelled {
                published = publish(since: published)
                try? await Task.sleep(for: Self.interval)
            }
        }
        _ = publish(since: 0)
    }

    private func publish(since published: UInt64) -> UInt64 {
        do {
            let size = try ledger.size()
            if size != published { try home.publishCheckpoint(ledger) }
            return size
        } catch {
            logger.error("checkpoint not written", metadata: ["daypass.error": "\(error)"])
            return published
        }
    }
}
