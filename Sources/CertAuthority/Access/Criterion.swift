// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// One condition of a rule.
final class Criterion: Sendable {
    enum Test: Sendable {
        case authenticatedUser
        case authenticationAge(maximum: UInt64)
        /// `asksForLogin`: whether somebody who came by another provider is to come again by the right one.
        case provider(TextMatcher, asksForLogin: Bool)
        case user(TextMatcher)
        case email(TextMatcher)
        case domain(TextMatcher)
        case groups(ListMatcher)
        case claim([String], ListMatcher)
        case login(TextMatcher)
        case loginMatchesEmail
        case loginMatchesClaim([String])
        case publicKey([PublicKey])
        case keyType(Set<KeyType>)
        case sourceAddress([AddressBlock])
        case hostLabel([UInt8], TextMatcher)
        case date(from: UnixTime, until: UnixTime)
        case weekday(Set<Int>, ZoneOffsets)
        case timeOfDay(from: Int64, until: Int64, ZoneOffsets)
    }

    /// As the policy writes it, path included.
    let name: String
    let test: Test
    /// What is asked, as a person reads it: "has sre".
    let wanted: String

    /// How deep a claim may be nested.
    static let maximumClaimDepth = 5

    /// How far ahead of ours a provider's clock may be, in seconds.
    static let maximumClockSkew: UInt64 = 60

    private init(name: String, test: Test, wanted: String) {
        self.name = name
        self.test = test
        self.wanted = wanted
    }

    /// Reads `{NAME: VALUE}`.
    ///
    /// - Parameters:
    ///   - isWanted: whether the criterion stands where being true lets somebody in: `and` and `or` of `allow`.
    ///   - zones: where time zones come from.
    convenience init(_ value: YAMLValue, isWanted: Bool, zones: TimeZoneDatabase) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        guard mapping.names.count == 1, let name = mapping.names.first else {
            throw value.refuse("one criterion expected, \(mapping.names.count) keys are given")
        }
        let (test, wanted) = try Self.parse(
            name, try mapping.required(name), isWanted: isWanted, zones: zones)
        self.init(name: name.escapedForTerminal, test: test, wanted: wanted)
    }

    /// True where only a person, or somebody who asks for a host, can be looked at.
    var isAboutPersons: Bool {
        switch test {
        case .authenticatedUser, .authenticationAge, .provider, .user, .email, .domain, .groups, .claim: true
        default: false
        }
    }

    /// True for what makes sense without a host, an account and a key: what may say who administers.
    var isAboutAdministrators: Bool {
        switch test {
        case .login, .loginMatchesEmail, .loginMatchesClaim, .publicKey, .keyType, .hostLabel: false
        default: true
        }
    }

    var isAboutLogin: Bool {
        switch test {
        case .login, .loginMatchesEmail, .loginMatchesClaim: true
        default: false
        }
    }

    func evaluate(_ facts: borrowing AccessFacts) -> Truth {
        switch test {
        case .login(let matcher): return Truth(matcher.matches(facts.login))
        case .publicKey(let keys):
            guard let key = facts.key else { return .no }
            return Truth(keys.contains(key))
        case .keyType(let types):
            guard let key = facts.key else { return .no }
            return Truth(types.contains(key.keyType))
        case .sourceAddress(let blocks):
            guard let address = facts.sourceAddress else { return .no }
            return Truth(blocks.contains { $0.contains(address) })
        case .hostLabel(let name, let matcher): return Truth(matcher.matches(facts.label(name)))
        case .date(let from, let until): return Truth(from <= facts.now && facts.now < until)
        case .weekday(let days, let zone): return Truth(days.contains(zone.clock(at: facts.now).weekday))
        case .timeOfDay(let from, let until, let zone):
            let second = zone.clock(at: facts.now).second
            // From the evening until the morning is around midnight.
            return Truth(
                from < until ? from <= second && second < until : from <= second || second < until)
        default:
            guard let person = facts.person else { return .unknown }
            return evaluate(person, facts)
        }
    }

    private func evaluate(_ person: PersonFacts, _ facts: borrowing AccessFacts) -> Truth {
        switch test {
        case .authenticatedUser: return .yes
        case .authenticationAge(let maximum):
            // A provider's clock may be a little ahead; further in the future there is no login that could be judged.
            guard let latest = facts.now.adding(Self.maximumClockSkew), person.authenticatedAt <= latest
            else {
                return .unknown
            }
            let now = facts.now.seconds
            return now - min(person.authenticatedAt.seconds, now) <= maximum ? .yes : .unknown
        case .provider(let matcher, let asksForLogin):
            return matcher.matches(person.provider) ? .yes : asksForLogin ? .unknown : .no
        case .user(let matcher): return Truth(matcher.matches(person.identity))
        case .email(let matcher): return Truth(matcher.matches(person.email))
        case .domain(let matcher): return Truth(matcher.matches(person.domain))
        case .groups(let matcher): return Truth(matcher.matches(person.groups))
        case .claim(let path, let matcher):
            return Truth(matcher.matches((person.claims[path]?.texts ?? []).map { Array($0.utf8) }))
        case .loginMatchesEmail: return Truth(person.localPart == facts.login)
        case .loginMatchesClaim(let path):
            let texts = person.claims[path]?.texts ?? []
            return Truth(texts.contains { $0.utf8.elementsEqual(facts.login) })
        case .login, .publicKey, .keyType, .sourceAddress, .hostLabel, .date, .weekday, .timeOfDay: return .no
        }
    }
}
