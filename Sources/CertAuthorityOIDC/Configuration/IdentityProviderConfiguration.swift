// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import SSHWire

/// A provider that signs people in, and what is believed of what it says.
public struct IdentityProviderConfiguration: Sendable {
    /// What it is called here, in logs, policies and identities: a lower-case word.
    public let name: String
    /// Its own name of itself, to the byte.
    public let issuer: ProviderURL
    /// Our name there.
    public let clientID: String
    /// What proves that we are the client, where the provider wants a proof. Whoever reads the configuration reads it
    /// from a file.
    public let clientSecret: SecretBytes?
    /// What is asked for; `openid` is among it.
    public let scopes: [String]
    /// What becomes the identity.
    public let identity: IdentityRule
    /// What stands in front of every identity of this provider, with a slash behind it.
    public let prefix: String?
    /// Where the groups are in a token: a claim's name, or the names on the way to it (`["realm_access", "roles"]`).
    public let groupsClaim: [String]
    /// Other audiences that a token of ours may name too.
    public let additionalAudiences: Set<String>
    /// How tokens may be signed.
    public let algorithms: Set<TokenAlgorithm>
    /// How wrong the provider's clock and ours may be, in seconds.
    public let clockSkew: UInt64
    /// How long ago people may have proved who they are, in seconds; nil to leave that to the provider.
    public let maximumAuthenticationAge: UInt64?
    /// The only domains of e-mail addresses that are let in, in lower case; none for all.
    public let domains: [String]
    /// The ways to sign in that are offered, the one that is to be preferred first.
    public let ways: [SignInWay]

    /// The widest tolerance, in seconds.
    public static let maximumClockSkew: UInt64 = 300

    /// - Throws: `.configuration`, naming the provider and the setting.
    public init(
        name: String, issuer: String, clientID: String, clientSecret: SecretBytes? = nil,
        scopes: [String] = ["openid", "email", "profile"], identity: IdentityRule = .email,
        prefix: String? = nil,
        groupsClaim: [String] = ["groups"], additionalAudiences: Set<String> = [],
        algorithms: Set<TokenAlgorithm> = TokenAlgorithm.usual, clockSkew: UInt64 = 60,
        maximumAuthenticationAge: UInt64? = nil, domains: [String] = [], ways: [SignInWay] = SignInWay.usual
    ) throws(CertAuthorityError) {
        self.name = try checkProviderName(name)
        let check = SettingCheck(provider: name)
        self.issuer = try check.issuer(issuer)
        self.clientID = try check.word(clientID, setting: "client id")
        if let clientSecret, !(1...1_024).contains(clientSecret.count) {
            throw check.refusal("client secret: 1 to 1024 bytes expected")
        }
        self.clientSecret = clientSecret
        for scope in scopes { _ = try check.word(scope, setting: "scope") }
        guard scopes.contains("openid"), scopes.count <= 32 else {
            throw check.refusal("scopes: openid, and at most 31 others, expected")
        }
        self.scopes = scopes
        if case .claim(let claim) = identity { _ = try check.word(claim, setting: "identity claim") }
        self.identity = identity
        if let prefix {
            _ = try check.plainWord(prefix, setting: "prefix")
            guard prefix != WorkloadIssuerConfiguration.prefix else {
                throw check.refusal("prefix: \"\(prefix)\" is for workloads")
            }
        }
        self.prefix = prefix
        guard (1...8).contains(groupsClaim.count) else {
            throw check.refusal("groups claim: 1 to 8 names expected")
        }
        for claim in groupsClaim { _ = try check.word(claim, setting: "groups claim") }
        self.groupsClaim = groupsClaim
        for audience in additionalAudiences { _ = try check.word(audience, setting: "additional audience") }
        self.additionalAudiences = additionalAudiences
        self.algorithms = try check.algorithms(algorithms)
        self.clockSkew = try check.clockSkew(clockSkew)
        if let maximumAuthenticationAge, !(1...31_536_000).contains(maximumAuthenticationAge) {
            throw check.refusal("maximum authentication age: 1 second to a year expected")
        }
        self.maximumAuthenticationAge = maximumAuthenticationAge
        for domain in domains {
            guard EmailAddress.isDomain(domain) else {
                throw check.refusal(
                    "domain \"\(domain.escapedForTerminal)\": a name in lower-case ASCII like example.com expected"
                )
            }
        }
        self.domains = domains
        self.ways = ways
    }
}
