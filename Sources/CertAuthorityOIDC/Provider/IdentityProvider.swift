// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import ControlProtocol
public import SSHWire

/// Signs people in by an OpenID Connect provider: by code and browser on their own machine
/// (``beginCode(redirectURI:)``), or by a browser on another (``beginDevice()``).
///
/// Whoever holds the client secret runs it: the control plane. What a person's own program sees is an address to open, a
/// code to show and, after a redirect to its loopback port, a code to pass on.
///
/// Every person that comes out has been through the same steps: the provider's metadata are its own; the token is
/// signed by one of its keys with an allowed algorithm; it was made by this issuer, for us, now, for this attempt; the
/// identity is made by ``IdentityProviderConfiguration/identity``; and no other account has that identity.
///
/// - `.email` needs `email_verified`, lower-cases ASCII letters, and takes plain ASCII addresses only;
/// - `.claim` takes ASCII letters (lower-cased), digits and `.` `_` `-` `+` `=` `~`, or an address in one of the `domains`;
/// - `.subject` is the subject, what is special in it percent-encoded, `@` and the provider's name.
public struct IdentityProvider: Sendable {
    /// The settings that it keeps to.
    public let configuration: IdentityProviderConfiguration
    let keys: KeySource
    let http: any HTTPFetching
    let bindings: any IdentityBindings
    let clock: @Sendable () -> UnixTime
    let randomBytes: @Sendable (Int) -> [UInt8]

    /// - Parameters:
    ///   - http: how the provider is asked: ``HTTPFetcher``.
    ///   - bindings: which account has which identity.
    ///   - clock: the time now.
    ///   - randomBytes: so many bytes that nobody can guess.
    public init(
        _ configuration: IdentityProviderConfiguration, http: any HTTPFetching,
        bindings: any IdentityBindings, clock: @escaping @Sendable () -> UnixTime,
        randomBytes: @escaping @Sendable (Int) -> [UInt8] = SystemRandom.bytes
    ) {
        self.configuration = configuration
        self.http = http
        self.bindings = bindings
        self.clock = clock
        self.randomBytes = randomBytes
        keys = KeySource(issuer: configuration.issuer, http: http, clock: clock)
    }

    /// How the nonce of an attempt to sign in has to be in its token.
    enum NonceRule {
        /// It must be there.
        case required(String)
        /// It must be the same if it is there: a device flow need not pass it on (RFC 8628 does not know it).
        case ifPresent(String)
    }

    /// The person that an ID token names.
    ///
    /// - Throws: ``SignInError``, by what is wrong.
    func person(idToken: String, nonce: NonceRule) async throws(SignInError) -> Person {
        let now = clock()
        let claims = try await verifier.verify(idToken, keys: keys, now: now).claims
        switch (nonce, claims.nonce) {
        case (.required, nil):
            throw SignInError(.nonce, "token: no nonce, which binds it to this attempt")
        case (.required(let expected), .some(let nonce)), (.ifPresent(let expected), .some(let nonce)):
            guard areEqualInConstantTime(expected, nonce) else {
                throw SignInError(.nonce, "token: made for another attempt to sign in")
            }
        case (.ifPresent, nil): break
        }
        try checkAge(claims, now: now)
        let person = try PersonMapping(configuration: configuration).person(claims, now: now)
        do {
            try await bindings.bind(
                person.identity, provider: person.provider, subject: person.subject)
        } catch {
            throw SignInError(
                error.code == .identityTaken ? .identityTaken : .store, error.reason, hint: error.hint)
        }
        return person
    }

    private var verifier: TokenVerifier {
        TokenVerifier(
            issuer: configuration.issuer, audience: configuration.clientID,
            additionalAudiences: configuration.additionalAudiences, requiresAuthorizedParty: true,
            algorithms: configuration.algorithms, clockSkew: configuration.clockSkew)
    }

    private func checkAge(_ claims: TokenClaims, now: UnixTime) throws(SignInError) {
        guard let maximum = configuration.maximumAuthenticationAge else { return }
        guard let authenticatedAt = claims.authenticatedAt else {
            throw SignInError(
                .time, "token: auth_time is missing, and signing in may be at most \(maximum) seconds ago",
                hint: "the provider must say when people signed in; some do when they are asked to")
        }
        // Both are at most 2^64 - 1, and subtracting stops at 0.
        let oldest = now.subtractingOrEpoch(maximum).subtractingOrEpoch(configuration.clockSkew)
        guard authenticatedAt >= oldest else {
            throw SignInError(
                .time,
                "token: signed in at \(authenticatedAt), which is more than \(maximum) seconds before \(now)",
                hint: "sign in again at the provider")
        }
    }

    /// A fresh value that nobody can guess: 32 bytes as 43 characters.
    func secret() -> String { Base64URL.encode(randomBytes(32)) }
}
