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
        let (enrolled, now) = (hub.fleet.hostIDs, authority.now)
        let isLive = request.status(at: now) == .approved
        return book.withLock { book in
            request.hosts.compactMap { id in
                guard enrolled.contains(id) else {
                    return isLive
                        ? HostDelivery(host: id, state: .unmanaged, reason: "no agent of it has joined") : nil
                }
                let host = book.hosts[id] ?? DeliveryBook.Host()
                let item = host.items[request.id]
                return isLive
                    ? Self.live(id, host, item) : Self.ended(id, host, item, isEarly: now < window.until)
            }
        }
    }

    private static func live(
        _ id: String, _ host: DeliveryBook.Host, _ item: DeliveryBook.Item?
    ) -> HostDelivery {
        let isThere = host.link?.isOpen == true
        guard let item, item.state != .pending || isThere else {
            return HostDelivery(
                host: id, state: .pending, reason: isThere ? "it is on its way" : notConnected)
        }
        return HostDelivery(host: id, state: item.state, reason: item.reason)
    }

    /// - Parameter isEarly: whether the host's own clock does not end it yet.
    /// - Returns: nil where nothing is known: the host's own clock has ended it.
    private static func ended(
        _ id: String, _ host: DeliveryBook.Host, _ item: DeliveryBook.Item?, isEarly: Bool
    ) -> HostDelivery? {
        let isThere = host.link?.isOpen == true
        switch item?.state {
        case .removed, .refused:
            return item.map { HostDelivery(host: id, state: $0.state, reason: $0.reason) }
        // It has said what it has, and this is not there.
        case nil where isThere && host.isCompared: return HostDelivery(host: id, state: .removed)
        case nil where !isEarly: return nil
        default:
            return HostDelivery(
                host: id, state: .removing,
                reason: isThere
                    ? item?.reason : "\(notConnected); its own clock ends the grant when its time is up"
            )
        }
    }

    private static let notConnected = "the host is not connected"

    /// Waits until every host of a request that is connected has answered once, at most for a time.
    func settle(_ id: String, within limit: Duration) async {
        await answered.wait(within: limit) { !isUnsettled(id) }
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
