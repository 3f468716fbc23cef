// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import ControlProtocol
import SSHWire

extension IdentityProvider {
    /// Starts an attempt to sign in with a browser that can reach a port of the person's own machine (RFC 8252), with a
    /// proof that only who began it can end it (RFC 7636).
    ///
    /// - Parameter redirectURI: `http`, a loopback address and a port; a name like localhost is refused, since another
    ///   resolver could send the code elsewhere (RFC 8252, section 8.3).
    /// - Throws: `.state` for another redirect, `.unreachable`, `.provider`.
    public func beginCode(redirectURI: String) async throws(SignInError) -> CodeAuthorization {
        let redirect = try redirect(redirectURI)
        guard redirect.isLoopback, !redirect.hasQuery else {
            throw SignInError(
                .state,
                "redirect \"\(redirect)\": a loopback address like http://127.0.0.1:8400/callback expected")
        }
        return try await begin(redirect)
    }

    /// The same with a browser that comes back to this server, on whichever machine it is. Whoever keeps the attempt ties it
    /// to the browser, and asks there whether the program that waits is the person's own.
    ///
    /// - Parameter redirectURI: `https`, to the byte as it is registered at the provider.
    /// - Throws: as ``beginCode(redirectURI:)``.
    public func beginPage(redirectURI: String) async throws(SignInError) -> CodeAuthorization {
        let redirect = try redirect(redirectURI)
        guard redirect.isSecure, !redirect.hasQuery else {
            throw SignInError(.state, "redirect \"\(redirect)\": an https address of this server expected")
        }
        return try await begin(redirect)
    }

    private func redirect(_ text: String) throws(SignInError) -> ProviderURL {
        do {
            return try ProviderURL(text, field: "redirect")
        } catch {
            throw SignInError(.state, error.reason)
        }
    }

    private func begin(_ redirect: ProviderURL) async throws(SignInError) -> CodeAuthorization {
        let metadata = try await keys.currentMetadata()
        guard let url = metadata.authorization else { throw lacks("authorization_endpoint") }
        let state = secret()
        let nonce = secret()
        let verifier = secret()
        var pairs: [(name: String, value: String)] = [
            ("response_type", "code"), ("client_id", configuration.clientID),
            ("redirect_uri", redirect.text.string), ("scope", configuration.scopes.joined(separator: " ")),
            ("state", state), ("nonce", nonce), ("code_challenge", Self.challenge(of: verifier)),
            ("code_challenge_method", "S256"),
        ]
        if let age = configuration.maximumAuthenticationAge { pairs.append(("max_age", String(age))) }
        return CodeAuthorization(
            authorizationURL: "\(url)\(url.hasQuery ? "&" : "?")\(FormText.encode(pairs))", state: state,
            redirectURI: redirect, expires: clock().adding(CodeAuthorization.lifetime) ?? .forever,
            nonce: nonce,
            verifier: verifier)
    }

    /// Ends an attempt: exchanges the code, and says who signed in. The attempt is over then, however it ends.
    ///
    /// - Throws: `.state` when the answer is not this attempt's or too late; `.issuer` when it is another provider's
    ///   (RFC 9207); `.refused` when the provider says no; and all that a token can be refused for.
    public func finishCode(_ attempt: CodeAuthorization, callback: CodeCallback) async throws(SignInError)
        -> Person
    {
        guard let state = callback.state, areEqualInConstantTime(state, attempt.state) else {
            throw SignInError(.state, "the answer belongs to another attempt to sign in")
        }
        guard clock() < attempt.expires else {
            throw SignInError(.state, "the attempt to sign in ended at \(attempt.expires)", hint: "try again")
        }
        let metadata = try await keys.currentMetadata()
        if callback.issuer != nil || metadata.namesIssuerInAnswers {
            guard let issuer = callback.issuer, ExactText(issuer) == configuration.issuer.text else {
                throw SignInError(.issuer, "the answer does not come from \(configuration.issuer)")
            }
        }
        if let error = callback.error {
            throw SignInError(
                .refused, "the provider refuses: \"\(String(error.prefix(64)).escapedForTerminal)\"")
        }
        guard let code = callback.code, (1...4_096).contains(code.utf8.count) else {
            throw SignInError(.state, "the answer has no code")
        }
        let answer = try await token([
            ("grant_type", "authorization_code"), ("code", code),
            ("redirect_uri", attempt.redirectURI.text.string), ("code_verifier", attempt.verifier),
        ])
        switch answer {
        case .idToken(let text): return try await person(idToken: text, nonce: .required(attempt.nonce))
        case .error(let code): throw SignInError(.refused, "the provider refuses the code: \(code)")
        }
    }

    /// RFC 7636, section 4.2.
    static func challenge(of verifier: String) -> String {
        Base64URL.encode(Digest.sha256(Array(verifier.utf8)))
    }
}
