// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityOIDC
import CertAuthorityStore
import CommandSupport
import SSHWire

/// Who vouches for people and workloads, as the settings say.
struct SignInSources {
    let providers: [any SignInProvider]
    let workloads: [any WorkloadProvider]
    private let fetchers: [HTTPFetcher]

    init(
        _ settings: ServerConfiguration, home: ServerHomeOptions, bindings: any IdentityBindings,
        spentTokens: any SpentTokens
    ) throws {
        // Every setting is read before the first connection is prepared.
        let people = try settings.providers.map { try Self.configuration($0, home) }
        let issuers = try settings.workloads.map { try Self.configuration($0) }
        let authorities =
            settings.providers.map(\.authoritiesFile) + settings.workloads.map(\.authoritiesFile)
        fetchers = try authorities.map { try Self.fetcher($0, home) }
        providers = zip(people, fetchers).map { configuration, fetcher in
            IdentityProvider(configuration, http: fetcher, bindings: bindings, clock: unixTimeNow)
        }
        workloads = zip(issuers, fetchers.dropFirst(people.count)).map { configuration, fetcher in
            WorkloadIssuer(configuration, http: fetcher, spentTokens: spentTokens, clock: unixTimeNow)
        }
    }

    /// Closes the connections to all of them.
    func shutDown() async { for fetcher in fetchers { try? await fetcher.shutDown() } }

    private static func configuration(
        _ settings: ProviderSettings, _ home: ServerHomeOptions
    ) throws -> IdentityProviderConfiguration {
        let identity: IdentityRule =
            switch settings.identity {
            case "email": .email
            case "subject": .subject
            default: .claim(String(settings.identity.dropFirst("claim:".count)))
            }
        return try IdentityProviderConfiguration(
            name: settings.name, issuer: settings.issuer, clientID: settings.clientID,
            clientSecret: try settings.clientSecretFile.map { try Passphrase.read(home.path($0)) },
            scopes: settings.scopes ?? ["openid", "email", "profile"], identity: identity,
            prefix: settings.prefix, groupsClaim: settings.groupsClaim ?? ["groups"],
            additionalAudiences: Set(settings.additionalAudiences),
            maximumAuthenticationAge: settings.maximumAuthenticationAge, domains: settings.domains,
            ways: settings.signIn)
    }

    private static func configuration(_ settings: WorkloadSettings) throws -> WorkloadIssuerConfiguration {
        try WorkloadIssuerConfiguration(
            name: settings.name, issuer: settings.issuer, audience: settings.audience,
            rules: settings.rules.map { WorkloadRule(claims: $0.claims, groups: $0.groups) },
            identity: try settings.identity.map(IdentityTemplate.init) ?? .subject)
    }

    private static func fetcher(_ authorities: String?, _ home: ServerHomeOptions) throws -> HTTPFetcher {
        try HTTPFetcher(authorities: authorities.map(home.path))
    }
}
