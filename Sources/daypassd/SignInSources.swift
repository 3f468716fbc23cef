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

    /// The largest file of certificates or with a secret, in bytes.
    private static let maximumBytes = 1 << 20

    init(_ settings: ServerConfiguration, home: ServerHomeOptions, bindings: any IdentityBindings) throws {
        providers = try settings.providers.map { provider in
            IdentityProvider(
                try Self.configuration(provider, home),
                http: try Self.fetcher(provider.authoritiesFile, home), bindings: bindings,
                clock: unixTimeNow)
        }
        let spent = InMemorySpentTokens()
        workloads = try settings.workloads.map { workload in
            WorkloadIssuer(
                try Self.configuration(workload), http: try Self.fetcher(workload.authoritiesFile, home),
                spentTokens: spent, clock: unixTimeNow)
        }
    }

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
            maximumAuthenticationAge: settings.maximumAuthenticationAge, domains: settings.domains)
    }

    private static func configuration(_ settings: WorkloadSettings) throws -> WorkloadIssuerConfiguration {
        try WorkloadIssuerConfiguration(
            name: settings.name, issuer: settings.issuer, audience: settings.audience,
            rules: settings.rules.map { WorkloadRule(claims: $0.claims, groups: $0.groups) },
            identity: try settings.identity.map(IdentityTemplate.init) ?? .subject)
    }

    private static func fetcher(_ authorities: String?, _ home: ServerHomeOptions) throws -> HTTPFetcher {
        try HTTPFetcher(
            authorities: try authorities.map { path in
                String(
                    decoding: try FileIO.read(home.path(path), maximumBytes: maximumBytes), as: UTF8.self)
            })
    }
}
