// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@testable import CertAuthorityOIDC

/// Settings that can't be what somebody meant.
@Suite struct ConfigurationTests {
    private func make(
        name: String = "corp", issuer: String = "https://id.example.com", clientID: String = "daypass",
        scopes: [String] = ["openid"], identity: IdentityRule = .email, prefix: String? = nil,
        groupsClaim: [String] = ["groups"], algorithms: Set<TokenAlgorithm> = TokenAlgorithm.usual,
        clockSkew: UInt64 = 60, age: UInt64? = nil, domains: [String] = []
    ) -> CertAuthorityError? {
        do {
            _ = try IdentityProviderConfiguration(
                name: name, issuer: issuer, clientID: clientID, scopes: scopes, identity: identity,
                prefix: prefix, groupsClaim: groupsClaim, algorithms: algorithms, clockSkew: clockSkew,
                maximumAuthenticationAge: age, domains: domains)
            return nil
        } catch { return error }
    }

    private let refused = CertAuthorityError(.configuration, "")

    @Test func usualSettingsAreTaken() {
        #expect(make() == nil)
        #expect(make(name: "a", issuer: "http://127.0.0.1:8080/realms/x", prefix: "b", age: 3_600) == nil)
        #expect(
            make(issuer: "http://[::1]:8080", clockSkew: 0, domains: ["example.com", "a-b.example.co"]) == nil
        )
    }

    @Test(arguments: [
        "", "Corp", "9corp", "co rp", "corp/x", "corp@x", "corp.x", "k\u{e9}ys", "keys", "api-key",
        String(repeating: "a", count: 33),
    ])
    func aNameIsAPlainWord(_ name: String) { #expect(make(name: name) == refused) }

    @Test(arguments: [
        "", "id.example.com", "http://id.example.com", "http://localhost:8080", "HTTPS://id.example.com",
        "https://", "https:///x", "https://user@id.example.com", "https://id.example.com#x",
        "https://id.example.com?a=b",
        "https://id.example.com\\@evil.net", "https://id.example.com/\n", "https://id.example.com:99999",
        "https://id.example.com:", "https://id.example.com:080", "https://id example.com",
        "https://id.ex\u{430}mple.com",
        "ftp://127.0.0.1", "http://127.0.0.1.example.com", "https://[::1", "https://[::1]x",
        "https://-.example.com",
    ])
    func anIssuerIsAnAddressThatNobodyElseReads(_ issuer: String) { #expect(make(issuer: issuer) == refused) }

    @Test func whatMakesNoSenseIsRefused() {
        #expect(make(clientID: "") == refused)
        #expect(make(clientID: "a b") == refused)
        #expect(make(scopes: ["email"]) == refused)
        #expect(make(scopes: ["openid", "a b"]) == refused)
        #expect(make(identity: .claim("")) == refused)
        #expect(make(prefix: "ci") == refused)
        #expect(make(prefix: "a/b") == refused)
        #expect(make(groupsClaim: []) == refused)
        #expect(make(algorithms: []) == refused)
        #expect(make(clockSkew: 301) == refused)
        #expect(make(age: 0) == refused)
        #expect(make(age: .max) == refused)
        for domain in [
            "", "Example.com", "example", "*.example.com", "example.com.", "@example.com", "1.2.3.4",
        ] {
            #expect(make(domains: [domain]) == refused, "\(domain)")
        }
    }

    @Test func attack39_aSettingIsEscapedInItsRefusal() throws {
        let error = try #require(make(issuer: "https://id.example.com/\u{1b}[2J"))
        #expect(!error.reason.holdsControlCharacters)
        #expect(error.reason.hasPrefix("identity provider corp: issuer"))
    }

    @Test func attack47_noAlgorithmNeedsASharedSecretOrNone() {
        for name in ["none", "HS256", "HS384", "HS512", "A128GCM", "es256", ""] {
            #expect(TokenAlgorithm(rawValue: name) == nil)
        }
    }
}
