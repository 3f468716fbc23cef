// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import ControlProtocol
public import SSHWire

/// Takes tokens that a CI system or a cluster gives its jobs, each once.
///
/// The identity is `ci/NAME/` and what ``IdentityTemplate`` makes of the claims.
public struct WorkloadIssuer: Sendable {
    /// The settings that it keeps to.
    public let configuration: WorkloadIssuerConfiguration
    private let keys: KeySource
    private let spentTokens: any SpentTokens
    private let clock: @Sendable () -> UnixTime

    /// - Parameters:
    ///   - http: how the issuer's keys are fetched: ``HTTPFetcher``.
    ///   - spentTokens: which tokens were used.
    ///   - clock: the time now.
    public init(
        _ configuration: WorkloadIssuerConfiguration, http: any HTTPFetching, spentTokens: any SpentTokens,
        clock: @escaping @Sendable () -> UnixTime
    ) {
        self.configuration = configuration
        self.spentTokens = spentTokens
        self.clock = clock
        keys = KeySource(issuer: configuration.issuer, http: http, clock: clock)
    }

    /// The workload that a token names. The token is used up, and refused from then on.
    ///
    /// - Throws: ``SignInError``; `.identity` when no rule lets it in, `.replay` when it was used before.
    public func workload(token text: String) async throws(SignInError) -> Person {
        let now = clock()
        let verifier = TokenVerifier(
            issuer: configuration.issuer, audience: configuration.audience, additionalAudiences: [],
            requiresAuthorizedParty: false, algorithms: configuration.algorithms,
            clockSkew: configuration.clockSkew)
        let token = try await verifier.verify(text, keys: keys, now: now)
        let claims = token.claims
        let latest = now.adding(configuration.maximumLifetime) ?? .forever
        guard claims.expires <= latest else {
            throw SignInError(
                .time,
                "token: good until \(claims.expires), more than \(configuration.maximumLifetime) seconds from now",
                hint: "ask the issuer for a token with a shorter life")
        }
        guard let rule = configuration.rules.first(where: { Self.fits($0, claims.all) }) else {
            throw SignInError(
                .identity, "token: no rule of \(configuration.name) lets in its subject \"\(claims.subject)\""
            )
        }
        let expanded = try configuration.identity.expand(claims.all)
        let identity: Identity
        do {
            identity = try Identity("\(WorkloadIssuerConfiguration.prefix)/\(configuration.name)/\(expanded)")
        } catch {
            throw SignInError(.identity, error.reason)
        }
        let person = Person(
            identity: identity, provider: configuration.name, subject: claims.subject, groups: rule.groups,
            claims: try ClaimMapping.claims(of: claims), authenticatedAt: min(claims.issuedAt, now))
        // Last, and before anybody gets to know it: what is refused is not used up.
        try await spend(token, now: now)
        return person
    }

    private func spend(_ token: SignedToken, now: UnixTime) async throws(SignInError) {
        let end = token.claims.expires.adding(configuration.clockSkew) ?? .forever
        let isFirst: Bool
        do {
            isFirst = try await spentTokens.spend(
                Self.name(of: token, issuer: configuration.name), until: end, now: now)
        } catch {
            throw SignInError(.store, error.reason, hint: error.hint)
        }
        guard isFirst else {
            throw SignInError(
                .replay, "token: it was used before", hint: "get a new token for each use")
        }
    }

    /// What a token is remembered by: its own name, or what is signed. Its text won't do, since whoever has an ECDSA
    /// signature can make a second one that verifies too.
    static func name(of token: SignedToken, issuer: String) -> String {
        let content =
            if let id = token.claims.tokenID { Array("id \(issuer) \(id)".utf8) } else {
                Array("bytes \(issuer) ".utf8) + token.signedBytes
            }
        return Base64URL.encode(Digest.sha256(content))
    }

    private static func fits(_ rule: WorkloadRule, _ claims: JSONValue) -> Bool {
        rule.claims.allSatisfy { name, allowed in
            let value = claims[name]
            guard
                let text = value?.string ?? value?.number.map({ String($0) }) ?? value?.bool.map({ "\($0)" })
            else { return false }
            return allowed.contains { $0.utf8.elementsEqual(text.utf8) }
        }
    }
}
