// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import IdentityProviders
import TestSupport
import Testing

@testable import CertAuthorityOIDC

/// The device flow, and code and browser, with a real provider.
@Suite struct GlewlwydTests {
    @Test func aliceSignsInOnBothWays() async throws {
        let glewlwyd = try await Glewlwyd()
        // Tests share few threads: a real deadline would be over while nobody runs.
        let http = try HTTPFetcher(deadline: .seconds(120))
        let provider = IdentityProvider(
            try IdentityProviderConfiguration(
                name: "glewlwyd", issuer: glewlwyd.issuer, clientID: Glewlwyd.clientID, scopes: ["openid"]),
            http: http, bindings: InMemoryIdentityBindings(), clock: systemTime)
        func signIn(_ name: String) async throws -> Person {
            let device = try await provider.beginDevice()
            #expect(device.verificationURI.text.string.hasPrefix(glewlwyd.issuer))
            guard case .pending = try await provider.pollDevice(device) else {
                throw TestSupportError("nobody has approved yet")
            }
            try glewlwyd.approve(userCode: device.userCode, as: name)
            let person = try await poll { () -> Person? in
                switch try await provider.pollDevice(device) {
                case .pending, .slowDown: return nil
                case .person(let person): return person
                case .denied, .expired: throw TestSupportError("the device was not let in")
                }
            }
            // The code is good once.
            let again = try? await provider.pollDevice(device)
            if case .person = again { Issue.record("a second person of one code") }
            return person
        }
        let alice = try await signIn("alice")
        #expect(alice.identity.text == "alice@example.com")
        #expect(alice.email == "alice@example.com")
        #expect(Set(alice.groups) == ["sre", "dba"])
        #expect(alice.provider == "glewlwyd")
        #expect(alice.subject.utf8.count == 32)
        // Somebody who only says that the address is theirs.
        await #expect(throws: SignInError(.identity, "")) { _ = try await signIn("mallory") }
        // With a browser on the same machine. Glewlwyd checks PKCE: nobody else's verifier fits the challenge.
        func finish(verifier: String?) async throws -> Person {
            let attempt = try await provider.beginCode(redirectURI: "http://127.0.0.1:8400/callback")
            let answer = try glewlwyd.authorize(attempt.authorizationURL, as: "alice")
            return try await provider.finishCode(
                CodeAuthorization(
                    authorizationURL: attempt.authorizationURL, state: attempt.state,
                    redirectURI: attempt.redirectURI, expires: attempt.expires, nonce: attempt.nonce,
                    verifier: verifier ?? attempt.verifier),
                callback: CodeCallback(code: answer["code"], state: answer["state"], issuer: answer["iss"]))
        }
        #expect(try await finish(verifier: nil).identity == alice.identity)
        await #expect(throws: SignInError(.refused, "")) {
            _ = try await finish(verifier: String(repeating: "x", count: 43))
        }
        try await http.shutDown()
        withExtendedLifetime(glewlwyd) {}
    }
}

/// The time now.
@Sendable func systemTime() -> UnixTime {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return UnixTime(seconds: UInt64(now.tv_sec))
}

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
