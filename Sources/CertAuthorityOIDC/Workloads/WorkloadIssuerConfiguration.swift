// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import SSHWire

/// Claims that a workload's token must have, and the groups that it gets for them.
public struct WorkloadRule: Sendable, Hashable {
    /// By claim, the values of which the token has one, to the byte. There are no patterns: `repo:acme*` would be
    /// `repo:acme-evil` too.
    public let claims: [String: Set<String>]
    /// The groups that policy sees.
    public let groups: [String]

    public init(claims: [String: Set<String>], groups: [String] = []) {
        self.claims = claims
        self.groups = groups
    }
}

/// An issuer of tokens for workloads: a CI system, or a Kubernetes cluster.
public struct WorkloadIssuerConfiguration: Sendable {
    /// What it is called here: a lower-case word.
    public let name: String
    /// Its own name of itself, to the byte.
    public let issuer: ProviderURL
    /// Whom its tokens for us name, and nobody else: our own address, say.
    public let audience: String
    /// Who is let in: what fits one of these. One at least, so that nobody lets in a whole public CI system by saying
    /// nothing.
    public let rules: [WorkloadRule]
    /// What becomes the identity, behind `ci/` and the name.
    public let identity: IdentityTemplate
    /// How tokens may be signed.
    public let algorithms: Set<TokenAlgorithm>
    /// How wrong the issuer's clock and ours may be, in seconds.
    public let clockSkew: UInt64
    /// How much longer a token may be good, in seconds: it is remembered as long.
    public let maximumLifetime: UInt64

    /// What every workload's identity starts with, before a slash.
    public static let prefix = "ci"

    /// - Throws: `.configuration`, naming the issuer and the setting.
    public init(
        name: String, issuer: String, audience: String, rules: [WorkloadRule],
        identity: IdentityTemplate = .subject, algorithms: Set<TokenAlgorithm> = TokenAlgorithm.usual,
        clockSkew: UInt64 = 60, maximumLifetime: UInt64 = 86_400
    ) throws(CertAuthorityError) {
        self.name = try checkProviderName(name)
        let check = SettingCheck(provider: name)
        self.issuer = try check.issuer(issuer)
        self.audience = try check.word(audience, setting: "audience")
        guard (1...256).contains(rules.count) else { throw check.refusal("rules: 1 to 256 expected") }
        for rule in rules {
            guard !rule.claims.isEmpty, rule.claims.values.allSatisfy({ !$0.isEmpty }) else {
                throw check.refusal(
                    "rule: claims, each with one value at least, expected",
                    hint: "a rule without claims would let in every workload of the issuer")
            }
            for group in rule.groups
            where group.isEmpty || group.utf8.count > 256 || group.holdsControlCharacters {
                throw check.refusal("rule: a group of 1 to 256 bytes without control characters expected")
            }
        }
        self.rules = rules
        self.identity = identity
        self.algorithms = try check.algorithms(algorithms)
        self.clockSkew = try check.clockSkew(clockSkew)
        guard (1...604_800).contains(maximumLifetime) else {
            throw check.refusal("maximum lifetime: 1 second to a week expected")
        }
        self.maximumLifetime = maximumLifetime
    }
}
