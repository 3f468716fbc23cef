// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import IdentityProviders
import Testing

@testable import CertAuthorityOIDC

/// Code and browser with a real provider.
@Suite struct ProviderMockTests {
    @Test func aliceSignsInWithHerBrowser() async throws {
        let mock = try await ProviderMock()
        // Tests share few threads: a real deadline would be over while nobody runs.
        let http = try HTTPFetcher(deadline: .seconds(120))
        // It takes any secret, but not none.
        let secret = try unsafe SecretBytes(count: 6) { buffer in unsafe buffer.copyBytes(from: "s3cr:t".utf8)
        }
        let provider = IdentityProvider(
            try IdentityProviderConfiguration(
                name: "mock", issuer: mock.issuer, clientID: "daypass", clientSecret: secret),
            http: http, bindings: InMemoryIdentityBindings(), clock: systemTime)
        func signIn(_ subject: String) async throws -> Person {
            let attempt = try await provider.beginCode(redirectURI: "http://127.0.0.1:8400/callback")
            let answer = try mock.signIn(subject, at: attempt.authorizationURL)
            let callback = CodeCallback(code: answer["code"], state: answer["state"], issuer: answer["iss"])
            let person = try await provider.finishCode(attempt, callback: callback)
            // The code is good once.
            await #expect(throws: SignInError(.refused, "")) {
                _ = try await provider.finishCode(attempt, callback: callback)
            }
            return person
        }
        let alice = try await signIn("a1")
        #expect(alice.identity.text == "alice@example.com")
        #expect(alice.subject == "a1")
        #expect(alice.groups == ["sre", "dba"])
        // Somebody who only says that the address is theirs.
        await #expect(throws: SignInError(.identity, "")) { _ = try await signIn("m1") }
        try await http.shutDown()
        withExtendedLifetime(mock) {}
    }
}
