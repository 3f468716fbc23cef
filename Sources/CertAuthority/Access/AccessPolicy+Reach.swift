// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// An account that somebody may enter.
public struct ReachableLogin: Sendable, Hashable {
    /// Its name, or ``any``.
    public let login: String
    /// The rule that allows it.
    public let rule: String
    /// Whether somebody has to approve first.
    public let needsApproval: Bool

    /// Stands for every account that no rule names: no account is called so.
    public static let any = "*"
}

extension AccessPolicy {
    /// What a person may reach, by host, in the hosts' order; hosts without an account are left out.
    ///
    /// Accounts are those that rules name, literally or by a template. Where a rule says `*`, they are ``ReachableLogin/any``,
    /// if an account that no rule names may be entered, and the person's own: what stands before the `@` of their e-mail
    /// address or identity. There may be more; nobody can list them. A reason is taken as given: it is asked for when somebody enters.
    ///
    /// - Parameters:
    ///   - hosts: the hosts to look at; each costs as many decisions as rules name accounts there.
    ///   - key: the key that would be certified.
    public func reachable(
        by person: Person, hosts: [ManagedHost], key: PublicKey, at now: UnixTime,
        from sourceAddress: IPAddress?
    ) -> [(host: ManagedHost, logins: [ReachableLogin])] {
        var reachable: [(host: ManagedHost, logins: [ReachableLogin])] = []
        let unnamed = unnamedAccount
        for host in hosts {
            var request = AccessRequest(
                person: person, key: key, login: "", host: host, sourceAddress: sourceAddress, now: now,
                reason: "to see what can be reached")
            var logins: [ReachableLogin] = []
            for login in candidates(AccessFacts(request)) {
                request.login = login == ReachableLogin.any ? unnamed : login
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

    /// An account that no rule names.
    private var unnamedAccount: String {
        var literals: Set<[UInt8]> = []
        for rule in rules {
            for case .literal(let bytes) in rule.logins { literals.insert(bytes) }
        }
        var number = 0
        while literals.contains(Array("any-account-\(number)".utf8)) { number += 1 }
        return "any-account-\(number)"
    }

    /// What an account of the person's own may be called.
    private func ownNames(_ facts: borrowing AccessFacts) -> [[UInt8]] {
        guard let person = facts.person else { return [] }
        return [person.localPart, EmailAddress(person.identity).localPart].compactMap { $0 }
    }

    /// The accounts that rules about the host name, each once, in the rules' order.
    private func candidates(_ facts: borrowing AccessFacts) -> [String] {
        var seen: Set<[UInt8]> = []
        var names: [String] = []
        for index in places(about: facts) where rules[index].allow != nil {
            for login in rules[index].logins {
                let found: [[UInt8]]
                switch login {
                case .any: found = [Array(ReachableLogin.any.utf8)] + ownNames(facts)
                case .literal(let literal): found = [literal]
                case .template(let template):
                    guard case .text(let text) = template.expand(facts) else { continue }
                    found = [text]
                }
                for bytes in found
                where AccessRequest.isAccount(bytes) || bytes.elementsEqual(ReachableLogin.any.utf8) {
                    if seen.insert(bytes).inserted { names.append(String(decoding: bytes, as: UTF8.self)) }
                }
            }
        }
        return names
    }
}
