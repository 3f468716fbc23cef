// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ServiceLifecycle

/// Tells whoever acts on grants, or waits for one, when its time is up.
struct GrantSweep: Service {
    private let authority: AccessAuthority

    /// Hosts take access back by their own clocks; this is for who watches.
    private static let interval: Duration = .seconds(1)

    init(_ authority: AccessAuthority) { self.authority = authority }

    func run() async {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil { authority.sweepGrants() }
        }
    }
}
