// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Synchronization

/// What people are told of what hosts have.
extension FleetDelivery {
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
                let item = host.items[.grant(request.id)]
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

    // MARK: Principals

    /// What a host has made of what is said of its accounts, by login.
    func deliveries(to id: String) -> [HostPrincipalsInfo] {
        let said = hub.fleet.principals(of: id)
        let isEnrolled = hub.fleet.hostIDs.contains(id)
        let host = book.withLock { $0.hosts[id] } ?? DeliveryBook.Host()
        return said.map { said in
            var info = HostPrincipalsInfo(login: said.login, principals: said.principals, state: .pending)
            let item = host.items[.principals(login: said.login)]
            if !isEnrolled {
                (info.state, info.reason) = (.unmanaged, "no agent of it has joined")
            } else if let item, item.principals == said, item.state != .pending {
                (info.state, info.reason) = (item.state, item.reason)
            } else {
                info.reason =
                    host.link?.isOpen == true ? item?.reason ?? "it is on its way" : Self.notConnected
            }
            return info
        }
    }

    /// Waits until a host that is connected has answered to what is said of an account, at most for a time.
    func settlePrincipals(of id: String, _ login: String, within limit: Duration) async {
        await answered.wait(within: limit) {
            guard let said = hub.fleet.principals(of: id).first(where: { $0.login == login }) else {
                return true
            }
            return book.withLock { book in
                guard let host = book.hosts[id], host.link?.isOpen == true else { return true }
                guard let item = host.items[.principals(login: login)], item.principals == said else {
                    return false
                }
                return item.isConfirmed || item.retry.failures > 0
            }
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
                guard let item = host.items[.grant(request.id)] else {
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
