// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Who may enter a host: the answer to `daypass who-can`.
public struct HostAccess: Sendable {
    /// A way in: an account, and what opens it.
    public struct Way: Sendable, Hashable {
        /// The account: a name, ``ReachableLogin/any``, or a template as the policy writes it where it names nobody yet.
        public let login: String
        public let rule: String
        /// Whom the rule lets in, in words; fit for a terminal.
        public let condition: String
        /// What has to be approved; nil where nothing has.
        public let approval: AccessPolicy.ApprovalDemand?
        /// Who may pass without the approval, in words; nil where nobody may.
        public let breakGlass: String?
        /// Whether the account may use sudo then.
        public let mayUseSudo: Bool
        /// Those who are known here and whom it lets in, by identity.
        public var people: [KnownPerson]
    }

    /// Somebody of whom the authority knows enough to ask the policy about.
    public struct KnownPerson: Sendable, Hashable {
        public let identity: Identity
        /// How they are known: an identity provider's name, ``Person/enrolledKeys`` or ``Person/apiKeys``; sorted.
        public let knownBy: [String]
    }

    /// A rule that keeps people out, whatever others allow.
    public struct Denial: Sendable, Hashable {
        public let rule: String
        /// The accounts that it is about; every one if empty.
        public let logins: [String]
        /// Whom it keeps out, in words; fit for a terminal.
        public let condition: String
    }

    public let host: ManagedHost
    /// In the rules' order.
    public let ways: [Way]
    public let denials: [Denial]
    /// Grants that open it now, by their ends.
    public let grants: [GrantRequest]
    /// How many people are known here, and of how many the policy was asked.
    public let known: Int
    public let asked: Int
}

extension AccessPolicy {
    /// Everybody whom rules let into a host, by account and rule.
    ///
    /// A person is asked about as if they had just logged in, from an address that isn't known, and with a reason: what
    /// a rule asks beside that is in its condition's words. A rule that lets nobody in who is known is there, too, without
    /// people, since others may be let in by what an identity provider says of them.
    ///
    /// - Parameters:
    ///   - people: each costs as many decisions as rules name accounts on the host. The same identity may come twice.
    ///   - key: the key that would be certified.
    func ways(
        into host: ManagedHost, of people: [Person], key: PublicKey, at now: UnixTime
    ) -> [HostAccess.Way] {
        var found: [WayKey: [Identity: Set<String>]] = [:]
        for person in people {
            let present = Person(
                identity: person.identity, provider: person.provider, subject: person.subject,
                email: person.email, groups: person.groups, claims: person.claims, authenticatedAt: now)
            for (_, logins) in reachable(by: present, hosts: [host], key: key, at: now, from: nil) {
                for login in logins {
                    let key = WayKey(rule: login.rule, login: login.login)
                    found[key, default: [:]][person.identity, default: []].insert(person.provider)
                }
            }
        }
        let nobody = AccessFacts(
            AccessRequest(person: nil, key: key, login: "", host: host, now: now))
        var ways: [HostAccess.Way] = []
        for index in places(about: nobody) where rules[index].allow != nil {
            let rule = rules[index]
            let own = found.filter { $0.key.rule.utf8.elementsEqual(rule.name.utf8) }
            for (key, people) in own.sorted(by: { $0.key.login < $1.key.login }) {
                ways.append(way(rule, key.login, people))
            }
            if own.isEmpty {
                for login in rule.loginWords { ways.append(way(rule, login, [:])) }
            }
        }
        return ways
    }

    private struct WayKey: Hashable {
        let rule: String
        let login: String
    }

    private func way(
        _ rule: AccessRule, _ login: String, _ people: [Identity: Set<String>]
    ) -> HostAccess.Way {
        HostAccess.Way(
            login: login, rule: rule.name, condition: rule.allow?.words ?? "",
            approval: approvalDemand(rule: rule.name),
            breakGlass: rule.requiresApproval ? (rule.breakGlass ?? breakGlass)?.allow.words : nil,
            mayUseSudo: rule.terms.mayUseSudo,
            people: people.map { .init(identity: $0.key, knownBy: $0.value.sorted()) }
                .sorted { $0.identity.text < $1.identity.text })
    }

    /// The rules that keep people out of a host.
    func denials(at host: ManagedHost, key: PublicKey, now: UnixTime) -> [HostAccess.Denial] {
        let nobody = AccessFacts(AccessRequest(person: nil, key: key, login: "", host: host, now: now))
        return places(about: nobody).map { rules[$0] }.filter { $0.deny != nil }.map { rule in
            HostAccess.Denial(rule: rule.name, logins: rule.loginWords, condition: rule.deny?.words ?? "")
        }
    }
}

extension AccessRule {
    /// The accounts as the policy writes them.
    fileprivate var loginWords: [String] {
        logins.map { login in
            switch login {
            case .any: ReachableLogin.any
            case .literal(let bytes): String(decoding: bytes, as: UTF8.self)
            case .template(let template): template.text
            }
        }
    }
}
