// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import JWTKit
import SSHWire

/// What a token must be to be taken: the checks of OpenID Connect Core section 3.1.3.7 and RFC 8725.
struct TokenVerifier: Sendable {
    let issuer: ProviderURL
    /// Who must be among the token's audiences.
    let audience: String
    /// Who may be there too.
    let additionalAudiences: Set<String>
    /// Whether more than one audience needs `azp`, which says for whom of them it was made.
    let requiresAuthorizedParty: Bool
    let algorithms: Set<TokenAlgorithm>
    /// In seconds.
    let clockSkew: UInt64

    /// Takes a token apart and makes sure of everything but what is specific to how it was got.
    ///
    /// The signature comes first: what the claims of a forged token are is nobody's business.
    func verify(_ text: String, keys: KeySource, now: UnixTime) async throws(SignInError) -> SignedToken {
        let token: SignedToken
        do {
            token = try SignedToken(parsing: text)
        } catch {
            throw SignInError(.form, error.reason)
        }
        guard let algorithm = TokenAlgorithm(rawValue: token.header.algorithm), algorithms.contains(algorithm)
        else {
            throw SignInError(
                .algorithm,
                "token: signed by \(String(token.header.algorithm.prefix(32)).escapedForTerminal), which is not allowed",
                hint: "allowed: \(algorithms.map(\.rawValue).sorted().joined(separator: ", "))")
        }
        let verifier = try await keys.verifier(for: token.header, algorithm: algorithm)
        guard (try? verifier.verify(token.signature, signs: token.signedBytes)) == true else {
            throw SignInError(.signature, "token: the signature does not verify")
        }
        try judge(token.claims, now: now)
        return token
    }

    func judge(_ claims: TokenClaims, now: UnixTime) throws(SignInError) {
        guard ExactText(claims.issuer) == issuer.text else {
            throw SignInError(
                .issuer,
                "token: made by \"\(String(claims.issuer.prefix(200)).escapedForTerminal)\", not by \(issuer)"
            )
        }
        try judgeAudience(claims)
        // All is at most the year 9999: adding to it can't overflow, and does not trap if it could.
        guard let end = claims.expires.adding(clockSkew), now < end else {
            throw SignInError(
                .time, "token: it ended at \(claims.expires), and it is \(now)", hint: clockHint)
        }
        let latest = now.adding(clockSkew) ?? .forever
        guard claims.issuedAt <= latest else {
            throw SignInError(
                .time, "token: made at \(claims.issuedAt), and it is \(now)", hint: clockHint)
        }
        if let notBefore = claims.notBefore, notBefore > latest {
            throw SignInError(.time, "token: good from \(notBefore), and it is \(now)", hint: clockHint)
        }
        if let authenticatedAt = claims.authenticatedAt, authenticatedAt > latest {
            throw SignInError(
                .time, "token: signed in at \(authenticatedAt), and it is \(now)", hint: clockHint)
        }
    }

    private func judgeAudience(_ claims: TokenClaims) throws(SignInError) {
        let audiences = claims.audiences.map { ExactText($0) }
        guard audiences.contains(ExactText(audience)) else {
            throw SignInError(.audience, "token: for somebody else than \(audience)")
        }
        let allowed = Set(additionalAudiences.map { ExactText($0) }).union([ExactText(audience)])
        guard allowed.isSuperset(of: audiences) else {
            throw SignInError(
                .audience, "token: for others than \(audience) too, who could use it here",
                hint: "those that may have it are additional audiences in the configuration")
        }
        guard requiresAuthorizedParty else { return }
        switch claims.authorizedParty {
        case nil where audiences.count > 1:
            throw SignInError(
                .audience, "token: for several audiences, and azp does not say for whom it was made")
        case .some(let party) where ExactText(party) != ExactText(audience):
            throw SignInError(.audience, "token: made for another client than \(audience)")
        default: break
        }
    }

    private var clockHint: String { "compare this machine's clock with the provider's" }
}

/// True when both are the same bytes; how long it takes does not say where they differ.
func areEqualInConstantTime(_ one: String, _ other: String) -> Bool {
    areEqualInConstantTime(Array(one.utf8), Array(other.utf8))
}
