// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Synchronization

/// Who may enter accounts of hosts by certificate for good. Nothing is sent from here: whoever holds the tunnels compares
/// this with what hosts have.
///
/// What is said of no account is the host's own matter: what its administrator set there, or the default principals.
extension Fleet {
    /// What is said of a host's accounts, by login.
    public func principals(of host: String) -> [HostPrincipals] {
        state.withLock { Array(($0.principals[host] ?? [:]).values) }.sorted { $0.login < $1.login }
    }

    /// Says who may enter an account; what was said of it before doesn't count any more.
    ///
    /// - Throws: `.notFound` for a host that is not in the inventory, `.full` when something is said of
    ///   ``HostPrincipals/maximumAccounts`` of its accounts.
    public func set(_ principals: HostPrincipals, by actor: Identity) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            guard access.hosts.contains(where: { $0.id == principals.host }) else {
                throw CertAuthorityError(
                    .notFound, "there is no host \(principals.host.escapedForTerminal)",
                    hint: "daypass hosts add \(principals.host.escapedForTerminal)")
            }
            let known = state.withLock { $0.principals[principals.host] ?? [:] }
            guard known[principals.login] != principals else { return }
            guard known[principals.login] != nil || known.count < HostPrincipals.maximumAccounts else {
                throw CertAuthorityError(
                    .full,
                    "host \(principals.host): something is said of \(HostPrincipals.maximumAccounts) accounts already",
                    hint:
                        "forget what is not needed any more: daypass hosts principals \(principals.host) --forget LOGIN"
                )
            }
            try await access.record(change(principals, true, by: actor))
            try await store.set(principals)
            state.withLock { $0.principals[principals.host, default: [:]][principals.login] = principals }
        }
    }

    /// Says nothing of an account any more. Who may enter stays on the host as it is.
    ///
    /// - Throws: `.notFound`.
    public func forgetPrincipals(
        of host: String, login: String, by actor: Identity
    ) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            guard let known = state.withLock({ $0.principals[host]?[login] }) else {
                throw CertAuthorityError(
                    .notFound,
                    "host \(host.escapedForTerminal): nothing is said of the account \(login.escapedForTerminal)"
                )
            }
            try await access.record(change(known, false, by: actor))
            try await store.removePrincipals(host: host, login: login)
            state.withLock { $0.principals[host]?[login] = nil }
        }
    }

    /// Says nothing of a host any more.
    public func forgetPrincipals(of host: String, by actor: Identity) async throws(CertAuthorityError) {
        try await changes.run { () async throws(CertAuthorityError) in
            let known = principals(of: host)
            guard !known.isEmpty else { return }
            for said in known { try await access.record(change(said, false, by: actor)) }
            try await store.removePrincipals(host: host, login: nil)
            state.withLock { $0.principals[host] = nil }
        }
    }

    private func change(_ said: HostPrincipals, _ isPresent: Bool, by actor: Identity) -> LedgerDraft {
        change(
            .principals, isPresent, "\(said.host) \(said.login)", said.principals.joined(separator: ","),
            by: actor)
    }
}
