// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What comes through a tunnel after the revocation list.
extension TunnelHub {
    /// Has somebody told of each tunnel once its host has answered to the revocation list, or there is none: a host that
    /// was away hears of what is revoked before it gives anything.
    ///
    /// - Parameter observer: must not wait.
    func whenReady(_ observer: @escaping @Sendable (TunnelLink) -> Void) {
        readiness.withLock { $0.append(observer) }
    }

    func ready(_ link: TunnelLink) {
        guard link.isOpen else { return }
        for observer in readiness.withLock({ $0 }) { observer(link) }
    }
}
