// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@testable import CertAuthorityOIDC

/// Providers that change their keys, are slow, down, or lie.
@Suite struct KeySourceTests {
    private let down = SignInError(.unreachable, "down")

    /// What a provider of ours refuses a token for, asked again and again.
    private func asker(_ fake: FakeProvider) throws -> (TestKey) async throws -> SignInError.Code? {
        let provider = try makeProvider(fake)
        return { key in
            let now = fake.clock().seconds
            let claims = TestClaims.alice.with("exp", "\(now + 300)").with("iat", "\(now)")
            do {
                _ = try await provider.person(idToken: try key.sign(claims), nonce: .required("n-0S6_WzA2Mj"))
                return nil
            } catch let error as SignInError { return error.code }
        }
    }

    @Test func keysAreAskedForOnceWhileTheyAreFresh() async throws {
        let key = try await TestKey.es256()
        let fake = FakeProvider { $0.keys = [key.published] }
        let ask = try asker(fake)
        for _ in 0..<5 { #expect(try await ask(key) == nil) }
        #expect(fake.keyRequests == 1)
        fake.advance(899)
        #expect(try await ask(key) == nil)
        #expect(fake.keyRequests == 1)
        fake.advance(1)
        #expect(try await ask(key) == nil)
        #expect(fake.keyRequests == 2)
    }

    @Test func aNewKeyIsFetchedAndAnOldOneForgotten() async throws {
        let old = try await TestKey.es256("old")
        let new = try await TestKey.es256("new")
        let fake = FakeProvider { $0.keys = [old.published] }
        let ask = try asker(fake)
        #expect(try await ask(old) == nil)
        fake.change { $0.keys = [new.published] }
        // Anybody can make up names of keys: they are not asked for more often than every 30 seconds.
        fake.advance(29)
        #expect(try await ask(new) == .key)
        #expect(fake.keyRequests == 1)
        fake.advance(1)
        #expect(try await ask(new) == nil)
        #expect(try await ask(old) == .key)
        #expect(fake.keyRequests == 2)
    }

    @Test func askersAtTheSameTimeShareOneAnswer() async throws {
        let old = try await TestKey.es256("old")
        let new = try await TestKey.es256("new")
        let fake = FakeProvider { $0.keys = [old.published] }
        let provider = try makeProvider(fake)
        let tokens = (try old.sign(.alice), try new.sign(.alice))
        _ = try await provider.person(idToken: tokens.0, nonce: .required("n-0S6_WzA2Mj"))
        fake.change { $0.keys = [new.published, old.published] }
        fake.advance(30)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                let token = number.isMultiple(of: 2) ? tokens.0 : tokens.1
                group.addTask {
                    _ = try await provider.person(idToken: token, nonce: .required("n-0S6_WzA2Mj"))
                }
            }
            try await group.waitForAll()
        }
        #expect(fake.keyRequests == 2)
    }

    @Test func theLastKeysAreGoodForADayWhileTheProviderIsDown() async throws {
        let key = try await TestKey.es256()
        let fake = FakeProvider { $0.keys = [key.published] }
        let ask = try asker(fake)
        #expect(try await ask(key) == nil)
        fake.change { $0.failure = down }
        fake.advance(3_600)
        let before = fake.requests.count
        for _ in 0..<10 { #expect(try await ask(key) == nil) }
        // It is not asked for every token: once for its metadata, and once for its keys.
        #expect(fake.requests.count <= before + 2)
        fake.change { state in
            state.failure = nil
            state.everything = HTTPReply(status: 503, body: [])
        }
        fake.advance(82_799)
        #expect(try await ask(key) == nil)
        fake.advance(1)
        #expect(try await ask(key) == .unreachable)
        fake.change { $0.everything = nil }
        #expect(try await ask(key) == nil)
    }

    @Test func withoutKeysNobodyIsSignedIn() async throws {
        let key = try await TestKey.es256()
        let fake = FakeProvider { state in
            state.keys = [key.published]
            state.failure = down
        }
        let ask = try asker(fake)
        #expect(try await ask(key) == .unreachable)
        fake.change { $0.failure = nil }
        #expect(try await ask(key) == nil)
    }

    @Test func aClockThatIsSetBackMakesNothingFresh() async throws {
        let old = try await TestKey.es256("old")
        let new = try await TestKey.es256("new")
        let fake = FakeProvider { $0.keys = [old.published] }
        let ask = try asker(fake)
        #expect(try await ask(old) == nil)
        fake.change { state in
            state.now = UnixTime(seconds: 1_700_000_000)
            state.keys = [new.published]
        }
        #expect(try await ask(new) == nil)
        #expect(try await ask(old) == .key)
    }

    @Test func aKeyThatIsNotSupportedSpoilsNoOther() async throws {
        let key = try await TestKey.es256()
        let small = try await TestKey.rsa("small", pem: nil)
        let fake = FakeProvider { state in
            state.keys = [
                #"{"kid":"k1","kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#, "null", "5", "{}", "[]",
                #"{"kid":"x","kty":"OKP","crv":"X25519","x":"AA"}"#, #"{"kid":"s","kty":"oct","k":"AAAA"}"#,
                #"{"kid":5,\#(key.members)}"#, #"{"kid":"","kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
                // Not on its curve; an RSA key of 1,024 bits; an exponent of eight bytes.
                #"{"kid":"off","kty":"EC","crv":"P-256","x":"\#(String(repeating: "A", count: 43))","y":"\#(String(repeating: "A", count: 43))"}"#,
                #"{"kid":"1k","kty":"RSA","n":"\#(String(repeating: "_", count: 171))","e":"AQAB"}"#,
                #"{"kid":"exp","kty":"RSA","n":"\#(String(repeating: "_", count: 342))","e":"AQABAQABAQA"}"#,
                key.published, small.published,
            ]
        }
        #expect(try await refusal(try key.sign(.alice), fake) == nil)
        #expect(try await refusal(try small.sign(.alice), fake) == nil)
        #expect(
            try await refusal(try small.sign(header: #"{"alg":"RS256","kid":"1k"}"#, .alice), fake) == .key)
    }

    @Test(arguments: [
        #"{"keys":{}}"#, #"{"keys":null}"#, "{}", "[]", "<html>", #"{"keys":[],"keys":[]}"#, "",
        #"{"keys":[\#(Array(repeating: "{}", count: 257).joined(separator: ","))]}"#,
    ])
    func attack47_whatIsNoKeySetIsRefused(_ keys: String) async throws {
        let url = try ProviderURL("https://keys.example.com/jwks", field: "keys")
        await #expect(throws: SignInError(.provider, "")) {
            _ = try await KeySet(parsing: Array(keys.utf8), from: url)
        }
    }

    @Test func attack47_aProviderThatIsAnotherIsRefused() async throws {
        let key = try await TestKey.es256()
        for (issuer, expected) in [
            ("https://id.example.com", nil), ("https://id.example.com/", .provider),
            ("https://evil.example", .provider),
            ("https://ID.example.com", .provider), ("", .provider),
        ] as [(String, SignInError.Code?)] {
            let fake = FakeProvider { state in
                state.keys = [key.published]
                state.metadata = #"{"issuer":"\#(issuer)","jwks_uri":"https://keys.example.com/jwks"}"#
            }
            #expect(try await refusal(try key.sign(.alice), fake) == expected, "\(issuer)")
        }
        for more in [
            #""jwks_uri":"http://keys.example.com/jwks""#, #""jwks_uri":"http://127.0.0.1/jwks""#,
            #""jwks_uri":5"#,
            #""jwks_uri":"file:///etc/passwd""#, #""jwks_uri":"https://user:pw@keys.example.com/jwks""#,
            #""x":1"#,
            #""jwks_uri":"https://keys.example.com/jwks","issuer":"https://id.example.com""#,
            #""jwks_uri":"https://keys.example.com/jwks","token_endpoint":"http://id.example.com/token""#,
        ] {
            let fake = FakeProvider { state in
                state.keys = [key.published]
                state.metadata = #"{"issuer":"https://id.example.com",\#(more)}"#
            }
            #expect(try await refusal(try key.sign(.alice), fake) == .provider, "\(more)")
        }
    }

    @Test(arguments: [301, 302, 307, 308, 400, 401, 404])
    func aStatusThatIsNoAnswerIsRefused(_ status: Int) async throws {
        let key = try await TestKey.es256()
        let fake = FakeProvider { $0.everything = HTTPReply(status: status, body: Array("{}".utf8)) }
        #expect(try await refusal(try key.sign(.alice), fake) == .provider)
    }
}
