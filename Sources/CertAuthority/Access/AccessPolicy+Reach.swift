// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// An account that somebody may enter.
public struct ReachableLogin: Sendable, Hashable {
    public let login: String
    /// The rule that allows it.
    public let rule: String
    /// Whether somebody has to approve first.
    public let needsApproval: Bool
}

extension AccessPolicy {
    /// What a person may reach, by host, in the hosts' order; hosts without an account are left out.
    ///
    /// Accounts are those that rules name, literally or by a template. Behind `*` there may be more; nobody can list
    /// them. A reason is taken as given: it is asked for when somebody enters.
    ///
    /// - Parameters:
    ///   - hosts: the hosts to look at; each costs as many decisions as rules name accounts there.
    ///   - key: the key that would be certified.
    public func reachable(
        by person: Person, hosts: [ManagedHost], key: PublicKey, at now: UnixTime,
        from sourceAddress: IPAddress?
    ) -> [(host: ManagedHost, logins: [ReachableLogin])] {
        var reachable: [(host: ManagedHost, logins: [ReachableLogin])] = []
        for host in hosts {
            var request = AccessRequest(
                person: person, key: key, login: "", host: host, sourceAddress: sourceAddress, now: now,
                reason: "to see what can be reached")
            var logins: [ReachableLogin] = []
            for login in candidates(AccessFacts(request)) {
                request.login = login
                let decision = decide(request)
                guard let rule = decision.rule else { continue }
                switch decision.verdict {
                case .allowed: logins.append(.init(login: login, rule: rule, needsApproval: false))
                case .needsApproval: logins.append(.init(login: login, rule: rule, needsApproval: true))
                case .denied, .needsLogin: break
                }
            }
            if !logins.isEmpty { reachable.append((host, logins)) }
        }
        return reachable
    }

    /// The accounts that rules about the host name, each once, in the rules' order.
    private func candidates(_ facts: borrowing AccessFacts) -> [String] {
        var seen: Set<[UInt8]> = []
        var names: [String] = []
        for rule in rules where rule.allow != nil && rule.isAbout(host: facts) {
            for login in rule.logins {
                let bytes: [UInt8]
                switch login {
                case .any: continue
                case .literal(let literal): bytes = literal
                case .template(let template):
                    guard case .text(let text) = template.expand(facts) else { continue }
                    bytes = text
                }
                if AccessRequest.isAccount(bytes), seen.insert(bytes).inserted {
                    names.append(String(decoding: bytes, as: UTF8.self))
                }
            }
        }
        return names
    }
}
