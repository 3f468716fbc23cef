// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Grants as hosts get them.
extension AccessAuthority {
    /// The grants that open something on a host now, as ``liveGrants`` has them, in the order in which they were asked for.
    public func liveGrants(on host: String) -> [GrantRequest] {
        let (policy, now) = (policy, now)
        // Signatures cost more than all else here: they are looked at last.
        return book.requests(on: host).filter { request in
            request.status(at: now) == .approved && fault(of: request, policy) == nil
        }.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }

    /// The grants of a host that open nothing although their time is not up: revoked, or void. A host does not end these
    /// by its own clock.
    public func voidGrants(on host: String) -> [GrantRequest] {
        let (policy, now) = (policy, now)
        return book.requests(on: host).filter { request in
            guard let window = request.window, now < window.until else { return false }
            return request.status(at: now) != .approved || fault(of: request, policy) != nil
        }
    }

    /// The request of this id, whoever asks: for what the authority does itself. Nil where none is kept.
    public func keptRequest(_ id: String) -> GrantRequest? { book[id] }
}

extension GrantRequest {
    /// The principal that every certificate under the grant has beside the policy's, and no other certificate: by it a
    /// host knows the grant's logins, and ends them with the grant.
    public var principal: String { "\(login)@grant:\(id)" }
}
