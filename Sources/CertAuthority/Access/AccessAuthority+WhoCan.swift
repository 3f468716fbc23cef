// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

extension AccessAuthority {
    /// The most people that the policy is asked about for one answer: a second of work.
    static let maximumPeopleAsked = 5_000

    /// Who may enter a host: everybody for an administrator, themselves for others.
    ///
    /// Known are those with an enrolled key, an API key, or a session that is open. Of whom only an identity provider
    /// knows, rules' conditions tell.
    ///
    /// - Parameters:
    ///   - name: the host's id, name or address.
    ///   - login: this account only.
    /// - Throws: `.notFound` for a host that there isn't, and to others than administrators for one that they can't enter.
    public func whoCan(
        enter name: String, as login: String?, for session: LoginSession, from address: IPAddress?
    ) throws(CertAuthorityError) -> HostAccess {
        let (policy, found) = state.withLock { ($0.policy, $0.host(called: name)) }
        let unknown = CertAuthorityError(
            .notFound, "host \"\(name.escapedForTerminal)\" is not known to this authority",
            hint: "daypass status lists those that you may reach")
        guard let host = found else { throw unknown }
        let now = now
        let isAdministrator = isAdministrator(session.person, from: address)
        let people = isAdministrator ? knownPeople(at: now) : [session.person]
        let asked = people.prefix(Self.maximumPeopleAsked)
        var ways = policy.ways(into: host, of: Array(asked), key: session.key, at: now)
        var grants = liveGrants.filter { $0.hosts.contains(host.id) }
        var denials = policy.denials(at: host, key: session.key, now: now)
        if let login {
            ways = ways.filter { $0.login.utf8.elementsEqual(login.utf8) || $0.login == ReachableLogin.any }
            grants = grants.filter { $0.login.utf8.elementsEqual(login.utf8) }
            denials = denials.filter { denial in
                denial.logins.isEmpty
                    || denial.logins.contains {
                        $0.utf8.elementsEqual(login.utf8) || $0 == ReachableLogin.any
                    }
            }
        }
        if !isAdministrator {
            ways = ways.filter { !$0.people.isEmpty }
            grants = grants.filter { $0.person == session.person.identity }
            denials = []
            guard !ways.isEmpty || !grants.isEmpty else { throw unknown }
        }
        return HostAccess(
            host: host, ways: ways, denials: denials,
            grants: grants.sorted { ($0.window?.until ?? now, $0.id) < ($1.window?.until ?? now, $1.id) },
            known: people.count, asked: asked.count)
    }

    /// Everybody of whom something is known that rules can be asked about, by identity.
    private func knownPeople(at now: UnixTime) -> [Person] {
        let (keys, apiKeys) = state.withLock { (Array($0.keys.values), Array($0.apiKeys.values)) }
        var people: Set<Person> = []
        func add(_ person: Person) {
            // However often somebody is logged in, they are one person.
            people.insert(
                Person(
                    identity: person.identity, provider: person.provider, subject: "", email: person.email,
                    groups: person.groups, claims: person.claims, authenticatedAt: now))
        }
        for key in keys {
            add(
                Person(
                    identity: key.identity, provider: Person.enrolledKeys, subject: "", email: key.email,
                    groups: key.groups, authenticatedAt: now))
        }
        for key in apiKeys where key.expires.map({ now < $0 }) ?? true {
            add(
                Person(
                    identity: key.identity, provider: Person.apiKeys, subject: "", groups: key.groups,
                    authenticatedAt: now))
        }
        for session in sessions.open(at: now) { add(session.person) }
        return people.sorted { ($0.identity.text, $0.provider) < ($1.identity.text, $1.provider) }
    }
}
