// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension Criterion {
    /// The most values that an explanation shows of a list.
    private static let shownValues = 8

    func explain(_ facts: borrowing AccessFacts) -> CriterionExplanation {
        CriterionExplanation(
            name: name, holds: evaluate(facts), wanted: wanted, found: found(facts), remedy: remedy(facts))
    }

    /// What there is to compare with.
    private func found(_ facts: borrowing AccessFacts) -> String {
        switch test {
        case .login: return show(facts.login)
        case .publicKey: return facts.key?.fingerprint ?? "no key"
        case .keyType: return facts.key?.keyType.rawValue ?? "no key"
        case .sourceAddress: return facts.sourceAddress?.description ?? "an address that is not known"
        case .hostLabel(let name, _): return facts.label(name).map(show) ?? "no such label"
        case .date: return "\(facts.now)"
        case .weekday(_, let zone):
            return Self.weekdayNames[zone.clock(at: facts.now).weekday]
        case .timeOfDay(_, _, let zone):
            let minute = zone.clock(at: facts.now).second / 60 * 60
            return Self.clock(minute)
        default: break
        }
        guard let person = facts.person else { return "nobody has logged in" }
        switch test {
        case .authenticatedUser, .user: return show(person.identity)
        case .authenticationAge:
            let now = facts.now.seconds
            return person.authenticatedAt.seconds > now
                ? "in the future" : "\(spell(now - person.authenticatedAt.seconds)) ago"
        case .provider: return show(person.provider)
        case .email: return person.email.map(show) ?? "no verified address"
        case .domain: return person.domain.map(show) ?? "no verified address"
        case .groups: return Self.list(person.groups.map(show), none: "no group")
        case .claim(let path, _), .loginMatchesClaim(let path):
            let texts = person.claims[path]?.texts ?? []
            return Self.list(texts.map(\.escapedForTerminal), none: "no value")
        case .loginMatchesEmail:
            return "\(show(facts.login)) and \(person.email.map(show) ?? "no verified address")"
        default: return ""
        }
    }

    private static func list(_ texts: [String], none: String) -> String {
        guard !texts.isEmpty else { return none }
        let more = texts.count - shownValues
        return texts.prefix(shownValues).joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }

    /// How whoever asks can make it hold; nil where they can't.
    private func remedy(_ facts: borrowing AccessFacts) -> String? {
        if facts.person == nil, evaluate(facts) == .unknown { return "log in with daypass login" }
        switch test {
        case .authenticatedUser, .authenticationAge: return "log in again with daypass login"
        case .provider: return "log in by another provider with daypass login"
        case .groups:
            return
                "ask whoever manages the groups at \(facts.person.map { show($0.provider) } ?? "your provider")"
        case .claim, .loginMatchesClaim: return "ask whoever manages people at your identity provider"
        case .login, .loginMatchesEmail: return "ask for another account"
        case .publicKey: return "use such a key"
        case .keyType(let types):
            return types.allSatisfy(\.isHardwareBacked)
                ? "make such a key with ssh-keygen -t ed25519-sk" : "use a key of another type"
        case .sourceAddress: return "connect from there"
        case .date, .weekday, .timeOfDay: return "try again then"
        case .user, .email, .domain, .hostLabel: return nil
        }
    }
}
