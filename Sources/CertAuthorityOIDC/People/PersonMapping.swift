// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire

/// Makes a person of a verified token, by the rules of a configuration.
///
/// Identities of different kinds can't be the same text:
/// - an e-mail address has one `@`, and behind it a domain with a dot;
/// - a claim has no `@`, or is an address in one of the configuration's `domains`;
/// - a subject ends with `@` and the provider's name, which has no dot;
/// - none of them has a slash, but for the one behind a prefix, and workloads' all start with `ci/`.
struct PersonMapping: Sendable {
    let configuration: IdentityProviderConfiguration

    /// The most groups of one person.
    static let maximumGroups = 1_000
    /// The longest name of a group, in bytes.
    static let maximumGroupBytes = 256

    func person(_ claims: TokenClaims, now: UnixTime) throws(SignInError) -> Person {
        // Only then is it an address and not a wish.
        let email = claims.isEmailVerified ? claims.email : nil
        if !configuration.domains.isEmpty { try checkDomain(email) }
        let text = try identityText(claims)
        let identity: Identity
        do {
            identity = try Identity((configuration.prefix.map { "\($0)/" } ?? "") + text)
        } catch {
            throw SignInError(.identity, error.reason)
        }
        return Person(
            identity: identity, provider: configuration.name, subject: claims.subject, email: email,
            groups: try groups(claims.all),
            claims: try ClaimMapping.claims(of: claims),
            // A clock that is ahead must not make somebody have signed in later than now.
            authenticatedAt: min(claims.authenticatedAt ?? claims.issuedAt, now))
    }

    private func identityText(_ claims: TokenClaims) throws(SignInError) -> String {
        switch configuration.identity {
        case .email:
            return try verifiedAddress(claims).text
        case .claim(let name):
            guard let text = claims.all[name]?.string else {
                throw SignInError(.identity, "token: \(name) is missing, which is the identity")
            }
            return try claimIdentity(text, name: name)
        case .subject:
            return "\(percentEncode(claims.subject, keeping: "-._~:=+|@"))@\(configuration.name)"
        }
    }

    private func verifiedAddress(_ claims: TokenClaims) throws(SignInError) -> EmailAddress {
        guard let email = claims.email else {
            throw SignInError(
                .identity, "token: it has no e-mail address, which is the identity",
                hint: "is email among the scopes, and does the account have an address?")
        }
        guard claims.isEmailVerified else {
            throw SignInError(
                .identity, "token: the provider does not say that it verified the e-mail address",
                hint: "verify the address there, or let another claim or the subject be the identity")
        }
        return try EmailAddress(email)
    }

    private func claimIdentity(_ text: String, name: String) throws(SignInError) -> String {
        guard !text.utf8.contains(UInt8(ascii: "@")) else {
            // Anybody may call themselves by an address: only where an operator says whose domain it is, it is one.
            let address = try EmailAddress(text)
            guard configuration.domains.contains(address.domain) else {
                throw SignInError(
                    .identity,
                    "token: \(name) is an address in \(address.domain), which is not among the domains",
                    hint: "list the domains whose addresses this provider gives out")
            }
            return address.text
        }
        let lower = text.utf8.allSatisfy { $0 < 0x80 } ? text.lowercased() : text
        let isPlain = lower.utf8.allSatisfy { byte in
            (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || "._-+=~".utf8.contains(byte)
        }
        guard isPlain, (1...128).contains(lower.utf8.count) else {
            throw SignInError(
                .identity,
                "token: \(name) \"\(String(text.prefix(100)).escapedForTerminal)\": 1 to 128 ASCII letters, digits and . _ - + = ~ expected"
            )
        }
        return lower
    }

    private func checkDomain(_ email: String?) throws(SignInError) {
        // A claim that is an address is checked where it is read.
        if email == nil, case .claim = configuration.identity { return }
        guard let email else {
            throw SignInError(
                .identity, "token: no verified e-mail address, whose domain decides who is let in")
        }
        let domain = try EmailAddress(email).domain
        guard configuration.domains.contains(domain) else {
            throw SignInError(
                .identity, "e-mail address in \(domain): not one of the domains that are let in")
        }
    }

    private func groups(_ claims: JSONValue) throws(SignInError) -> [String] {
        var value: JSONValue? = claims
        for name in configuration.groupsClaim { value = value?[name] }
        let texts: [String?]
        switch value {
        case nil, .null: return []
        case .string(let group): texts = [group]
        case .array(let groups): texts = groups.map(\.string)
        default: texts = [nil]
        }
        let groups = texts.compactMap { $0 }
        let areFit = groups.allSatisfy { group in
            (1...Self.maximumGroupBytes).contains(group.utf8.count) && !group.holdsControlCharacters
        }
        // Half of somebody's groups could be those that a rule denies: all or nobody.
        guard groups.count == texts.count, groups.count <= Self.maximumGroups, areFit else {
            throw SignInError(
                .identity,
                "token: \(configuration.groupsClaim.joined(separator: ".")): at most \(Self.maximumGroups) groups, each a text of 1 to \(Self.maximumGroupBytes) bytes without control characters, expected"
            )
        }
        return groups
    }
}
