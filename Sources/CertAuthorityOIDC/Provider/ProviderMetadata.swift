// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What a provider says about itself (OpenID Connect Discovery section 3, RFC 8414, RFC 8628 section 4).
struct ProviderMetadata: Sendable {
    let keys: ProviderURL
    let authorization: ProviderURL?
    let token: ProviderURL?
    let deviceAuthorization: ProviderURL?
    /// How clients may prove who they are; nil when it does not say.
    let clientAuthentication: [String]?
    /// True when answers to a browser name the issuer (RFC 9207).
    let namesIssuerInAnswers: Bool

    /// Where an issuer's metadata are.
    static func url(of issuer: ProviderURL) throws(SignInError) -> ProviderURL {
        let base = issuer.text.string.hasSuffix("/") ? issuer.text.string.dropLast() : issuer.text.string[...]
        return try ProviderURL("\(base)/.well-known/openid-configuration", field: "discovery")
    }

    /// - Throws: `.provider` when they can't be read, or are another issuer's.
    init(parsing bytes: [UInt8], issuer: ProviderURL) throws(SignInError) {
        let value: JSONValue
        do {
            value = try JSONValue(
                parsing: bytes, maximumBytes: HTTPReply.maximumBytes, maximumDepth: 8, otherNumbers: .null)
        } catch {
            throw SignInError(
                .provider, "\(issuer): discovery: \(error.reason)",
                hint: "is the issuer's address the one that the provider gives?")
        }
        // Otherwise one provider could pass off another's keys as its own, or the other way round.
        guard let named = value["issuer"]?.string, ExactText(named) == issuer.text else {
            let named = value["issuer"]?.string.map { "\"\(String($0.prefix(200)).escapedForTerminal)\"" }
            throw SignInError(
                .provider, "\(issuer): discovery: its issuer is \(named ?? "missing")",
                hint: "the configuration must have the issuer to the byte, a slash at the end too")
        }
        func url(_ name: String) throws(SignInError) -> ProviderURL? {
            guard let text = value[name]?.string else { return nil }
            let url = try ProviderURL(text, field: "\(issuer): discovery: \(name)")
            // Else whoever answers on this machine would get what is meant for the provider.
            guard url.isSecure || !issuer.isSecure else {
                throw SignInError(.provider, "\(issuer): discovery: \(name): https:// expected")
            }
            return url
        }
        guard let keys = try url("jwks_uri") else {
            throw SignInError(.provider, "\(issuer): discovery: jwks_uri is missing")
        }
        self.keys = keys
        authorization = try url("authorization_endpoint")
        token = try url("token_endpoint")
        deviceAuthorization = try url("device_authorization_endpoint")
        clientAuthentication =
            value["token_endpoint_auth_methods_supported"]?.array?.compactMap(\.string)
        namesIssuerInAnswers = value["authorization_response_iss_parameter_supported"]?.bool ?? false
    }
}
