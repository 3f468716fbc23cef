// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension IdentityProvider {
    /// What the token endpoint says (RFC 6749, section 5).
    enum TokenAnswer {
        case idToken(String)
        /// An error's code, like `authorization_pending`.
        case error(String)
    }

    /// Asks the provider with a form, as the client that we are.
    ///
    /// - Throws: `.unreachable`, or `.provider` when the answer has no form that can be read.
    func post(_ pairs: [(name: String, value: String)], to url: ProviderURL, metadata: ProviderMetadata)
        async throws(SignInError) -> (status: Int, answer: JSONValue)
    {
        var pairs = pairs
        var authorization: String?
        if let secret = configuration.clientSecret {
            let secret = secret.withSpan { bytes in
                String(decoding: (0..<bytes.count).map { bytes[$0] }, as: UTF8.self)
            }
            // Without a word from the provider it is the header (OpenID Connect Discovery, section 3).
            let methods = metadata.clientAuthentication ?? ["client_secret_basic"]
            if methods.contains("client_secret_basic") || !methods.contains("client_secret_post") {
                let both = "\(FormText.encode(configuration.clientID)):\(FormText.encode(secret))"
                authorization = "Basic \(Base64.encode(Array(both.utf8)))"
            } else {
                pairs.append(("client_secret", secret))
            }
        }
        pairs.append(("client_id", configuration.clientID))
        let reply = try await http.fetch(
            HTTPFetch(url, form: FormText.encode(pairs), authorization: authorization))
        guard reply.status < 500, reply.status != 429 else {
            throw SignInError(.unreachable, "\(url): status \(reply.status)")
        }
        do {
            let answer = try JSONValue(
                parsing: reply.body, maximumBytes: HTTPReply.maximumBytes, maximumDepth: 8,
                otherNumbers: .null)
            return (reply.status, answer)
        } catch {
            // The answer may hold tokens: the reason says where it is wrong, not what is there.
            throw SignInError(.provider, "\(url): status \(reply.status): \(error.reason)")
        }
    }

    /// Exchanges a grant for an ID token.
    func token(_ pairs: [(name: String, value: String)]) async throws(SignInError) -> TokenAnswer {
        let metadata = try await keys.currentMetadata()
        guard let url = metadata.token else { throw lacks("token_endpoint") }
        let (status, answer) = try await post(pairs, to: url, metadata: metadata)
        guard status == 200 else { return .error(try errorCode(answer, status: status, url: url)) }
        guard let idToken = answer["id_token"]?.string else {
            throw SignInError(
                .provider, "\(url): no id_token in the answer",
                hint: "is the client registered for OpenID Connect, with the scope openid?")
        }
        return .idToken(idToken)
    }

    /// The error's code. Descriptions are not passed on: they may repeat what was sent.
    func errorCode(_ answer: JSONValue, status: Int, url: ProviderURL) throws(SignInError) -> String {
        guard let code = answer["error"]?.string, (1...64).contains(code.utf8.count),
            code.utf8.allSatisfy({ (0x61...0x7a).contains($0) || $0 == UInt8(ascii: "_") })
        else {
            throw SignInError(.provider, "\(url): status \(status) without an error's code")
        }
        return code
    }

    func lacks(_ endpoint: String) -> SignInError {
        SignInError(
            .provider, "\(configuration.issuer): discovery: \(endpoint) is missing",
            hint: "the provider does not offer this way to sign in, or not to this client")
    }
}
