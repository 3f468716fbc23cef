// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Synchronization

/// What people are told of grants on hosts.
extension GrantDelivery {
    /// What each host of a grant has made of it, in the order of ``GrantRequest/hosts``; nothing of a request that was
    /// never granted.
    func deliveries(of request: GrantRequest) -> [HostDelivery] {
        guard let window = request.window else { return [] }
        let enrolled = hub.fleet.hostIDs
        let isLive = request.status(at: authority.now) == .approved
        return book.withLock { book in
            request.hosts.compactMap { host in
                guard enrolled.contains(host) else {
                    return isLive
                        ? HostDelivery(host: host, state: .unmanaged, reason: "no agent of it has joined")
                        : nil
                }
                let isThere = book.hosts[host]?.link?.isOpen == true
                let item = book.hosts[host]?.items[request.id]
                guard isLive else { return item.map { Self.ended(host, $0, window, isThere: isThere) } }
                guard let item, item.state != .pending || isThere else {
                    return HostDelivery(
                        host: host, state: .pending,
                        reason: isThere ? "it is on its way" : "the host is not connected")
                }
                return HostDelivery(host: host, state: item.state, reason: item.reason)
            }
        }
    }

    private static func ended(
        _ host: String, _ item: DeliveryBook.Item, _ window: GrantRequest.Window, isThere: Bool
    ) -> HostDelivery {
        switch item.state {
        case .removed, .refused: HostDelivery(host: host, state: item.state, reason: item.reason)
        case .pending, .delivered, .removing, .unmanaged:
            HostDelivery(
                host: host, state: .removing,
                reason: isThere
                    ? item.reason
                    : "the host is not connected; by its own clock it ends at \(window.until)")
        }
    }

    /// Waits until every host of a request that is connected has answered once, at most for a time.
    func settle(_ id: String, within limit: Duration) async {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end, isUnsettled(id) {
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { return }
        }
    }

    private func isUnsettled(_ id: String) -> Bool {
        guard let request = authority.keptRequest(id), request.window != nil else { return false }
        let isLive = request.status(at: authority.now) == .approved
        return book.withLock { book in
            request.hosts.contains { id in
                guard let host = book.hosts[id], host.link?.isOpen == true else { return false }
                guard let item = host.items[request.id] else {
                    return isLive || host.mayHave.contains(request.id)
                }
                guard item.retry.failures == 0 else { return false }
                return isLive
                    ? item.state == .pending || !item.isConfirmed
                    : item.state != .removed && item.state != .refused
            }
        }
    }
}
