// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@testable import CertAuthorityOIDC

/// Whom a token's claims make somebody here.
@Suite struct IdentityTests {
    let key: TestKey
    let fake: FakeProvider

    init() async throws {
        let key = try await TestKey.es256()
        self.key = key
        fake = FakeProvider { $0.keys = [key.published] }
    }

    /// The identity of alice with one claim changed; nil when she is refused for it.
    private func identity(
        _ name: String, _ json: String?, _ configuration: IdentityProviderConfiguration? = nil
    ) async throws -> String? {
        do {
            let token = try key.sign(TestClaims.alice.with(name, json))
            return try await person(token, fake, configuration).identity.text.string
        } catch let error as SignInError where error.code == .identity {
            return nil
        }
    }

    @Test func attack10_anAddressThatIsNotVerifiedIsNobody() async throws {
        for verified in [
            "false", #""false""#, #""True""#, #""TRUE""#, "1", #""1""#, "null", "[true]", #"{"true":true}"#,
            nil,
        ] {
            #expect(try await identity("email_verified", verified) == nil, "\(verified ?? "absent")")
        }
        for verified in ["true", #""true""#] {
            #expect(try await identity("email_verified", verified) == "alice@example.com")
        }
        #expect(try await identity("email", nil) == nil)
        // Nor is it shown as one where something else is the identity.
        let subject = try IdentityProviderConfiguration.example(identity: .subject)
        let token = try key.sign(TestClaims.alice.with("email_verified", "false"))
        let unverified = try await person(token, fake, subject)
        #expect(unverified.email == nil)
        #expect(unverified.claims[["email"]] == nil)
        let verified = try await person(try key.sign(.alice), fake, subject)
        #expect(verified.email == "alice@example.com")
        #expect(verified.claims[["email"]] == .text("alice@example.com"))
    }

    @Test func attack10_anAddressThatIsNotVerifiedIsInNoDomain() async throws {
        let domain = try IdentityProviderConfiguration.example(identity: .subject, domains: ["example.com"])
        #expect(try await identity("email_verified", "false", domain) == nil)
        #expect(try await identity("email_verified", "true", domain) == "248289761001@corp")
        for address in [
            "alice@evil.example.com", "alice@example.com.evil.net", "alice@xexample.com",
            "example.com@evil.net",
        ] {
            #expect(try await identity("email", "\"\(address)\"", domain) == nil, "\(address)")
        }
        #expect(try await identity("email", #""Alice@EXAMPLE.com""#, domain) != nil)
    }

    @Test func attack15_addressesStayApart() async throws {
        let addresses = [
            "alice@example.com", "al.ice@example.com", "a.lice@example.com", "alice+ca@example.com",
            "alice+@example.com", "alice-ca@example.com", "alice_ca@example.com", "alice@example.co",
            "alice@xn--exmple-cua.com", "alice@www.example.com", "o'brien@example.com", "a1ice@example.com",
        ]
        var identities: Set<String> = []
        for address in addresses {
            let identity = try #require(try await identity("email", "\"\(address)\""), "\(address)")
            #expect(identity == address)
            #expect(identities.insert(identity).inserted)
        }
    }

    @Test(arguments: [
        // Cyrillic a, full-width a, long s, Kelvin sign, ligature, dotless i, e and an accent, composed and not.
        "\u{430}lice@example.com", "\u{ff41}lice@example.com", "\u{17f}am@example.com",
        "\u{212a}im@example.com",
        "o\u{fb03}ce@example.com", "al\u{131}ce@example.com", "rene\u{301}@example.com",
        "ren\u{e9}@example.com",
        "alice@ex\u{e4}mple.com", "alice@example\u{3002}com", "alice\u{ff20}example.com",
        "alice\u{ad}@example.com",
        "alice\u{200b}@example.com", "\u{202e}alice@example.com", "alice\u{feff}@example.com",
        // Forms that some readers take for another address.
        "alice@example.com ", " alice@example.com", "alice @example.com", "\\\"alice\\\"@example.com",
        "alice(ca)@example.com", "<alice@example.com>", "alice@example.com,bob@example.com",
        "a@b@example.com",
        "alice@@example.com", ".alice@example.com", "alice.@example.com", "al..ice@example.com",
        "alice@example",
        "alice@example.com.", "alice@.example.com", "alice@-example.com", "alice@example-.com",
        "alice@[127.0.0.1]",
        "alice@127.0.0.1", "alice%evil.net@example.com", "evil.net!alice@example.com", "alice#1@example.com",
        "ci/alice@example.com", "@example.com", "alice@", "alice", "alice\\u0000@example.com",
        "alice\\n@example.com",
        "\(String(repeating: "a", count: 65))@example.com",
    ])
    func attack15_anAddressThatCouldBeTakenForAnotherIsRefused(_ address: String) async throws {
        #expect(try await identity("email", "\"\(address)\"") == nil)
    }

    @Test func attack15_theFirstAccountOfAnIdentityOwnsIt() async throws {
        let bindings = InMemoryIdentityBindings()
        let provider = try makeProvider(fake, bindings: bindings)
        func refusal(_ claims: TestClaims) async throws -> SignInError.Code? {
            do {
                _ = try await provider.person(idToken: try key.sign(claims), nonce: .required("n-0S6_WzA2Mj"))
                return nil
            } catch let error as SignInError { return error.code }
        }
        #expect(try await refusal(.alice) == nil)
        #expect(try await refusal(.alice) == nil)
        // An address that went to somebody else, and one that differs in case alone.
        let other = TestClaims.alice.with("sub", #""9""#)
        #expect(try await refusal(other) == .identityTaken)
        #expect(try await refusal(other.with("email", #""ALICE@example.com""#)) == .identityTaken)
        #expect(try await refusal(other.with("email", #""bob@example.com""#)) == nil)
        // The same subject and address at another provider.
        let second = IdentityProvider(
            try IdentityProviderConfiguration(
                name: "second", issuer: "https://id.example.com", clientID: "daypass"),
            http: fake, bindings: bindings, clock: fake.clock)
        await #expect(throws: SignInError(.identityTaken, "")) {
            _ = try await second.person(idToken: try key.sign(.alice), nonce: .required("n-0S6_WzA2Mj"))
        }
    }

    @Test func attack15_bindingsCompareBytes() async throws {
        let bindings = InMemoryIdentityBindings()
        let composed = try Identity("ren\u{e9}")
        try bindings.bind(composed, provider: "corp", subject: "\u{e9}")
        try bindings.bind(try Identity("rene\u{301}"), provider: "corp", subject: "2")
        #expect(throws: CertAuthorityError(.identityTaken, "")) {
            try bindings.bind(composed, provider: "corp", subject: "e\u{301}")
        }
    }

    @Test func attack15_identitiesOfDifferentKindsStayApart() async throws {
        let subject = try IdentityProviderConfiguration.example(identity: .subject)
        for (sub, expected) in [
            ("248289761001", "248289761001@corp"), ("Alice", "Alice@corp"), ("alice", "alice@corp"),
            ("alice@example.com", "alice@example.com@corp"), ("auth0|5f", "auth0|5f@corp"),
            ("ci/github/x", "ci%2Fgithub%2Fx@corp"), ("a%2Fb", "a%252Fb@corp"), ("a b", "a%20b@corp"),
            ("a#1", "a%231@corp"),
        ] {
            #expect(try await identity("sub", "\"\(sub)\"", subject) == expected)
        }
        let claim = try IdentityProviderConfiguration.example(identity: .claim("preferred_username"))
        for (name, expected) in [
            ("alice", "alice"), ("Alice", "alice"), ("al.ice", "al.ice"), ("alice@example.com", nil),
            ("ci/github/x", nil), ("al ice", nil), ("\u{430}lice", nil), ("alice@corp", nil), ("a%40b", nil),
            ("\u{212a}im", nil), ("", nil), ("a#1", nil), (String(repeating: "a", count: 129), nil),
        ] {
            #expect(try await identity("preferred_username", "\"\(name)\"", claim) == expected, "\(name)")
        }
        #expect(try await identity("preferred_username", nil, claim) == nil)
        #expect(try await identity("preferred_username", "5", claim) == nil)
        // An address in a claim is one where the configuration says whose domain it is.
        let upn = try IdentityProviderConfiguration.example(
            identity: .claim("upn"), domains: ["example.com"])
        #expect(try await identity("upn", #""Bob@Example.com""#, upn) == "bob@example.com")
        #expect(try await identity("upn", #""bob@evil.net""#, upn) == nil)
        let partner = try IdentityProviderConfiguration.example(prefix: "partner")
        #expect(try await identity("sub", #""1""#, partner) == "partner/alice@example.com")
    }

    @Test func groupsAreTextsOrNobodyIsSignedIn() async throws {
        func groups(_ json: String?, _ path: [String] = ["groups"]) async throws -> [String]? {
            let configuration = try IdentityProviderConfiguration.example(groupsClaim: path)
            do {
                return try await person(
                    try key.sign(TestClaims.alice.with(path[0], json)), fake, configuration
                ).groups
            } catch let error as SignInError where error.code == .identity { return nil }
        }
        #expect(try await groups(#"["sre","dba"]"#) == ["sre", "dba"])
        #expect(try await groups(#""sre""#) == ["sre"])
        #expect(try await groups("[]") == [])
        #expect(try await groups("null") == [])
        #expect(try await groups(nil) == [])
        #expect(try await groups(#"{"roles":["a"]}"#, ["realm_access", "roles"]) == ["a"])
        #expect(try await groups(#"{"other":["a"]}"#, ["realm_access", "roles"]) == [])
        for wrong in ["5", "{}", #"["sre",5]"#, #"["sre",null]"#, #"[["sre"]]"#, #"[""]"#] {
            #expect(try await groups(wrong) == nil, "\(wrong)")
        }
    }

    @Test(arguments: [#"\u001b[2J"#, #"sre\nroot"#, #"sre\u202e"#, #"sre\u0000"#, #"sre\u200b"#])
    func attack39_aGroupWithWhatNobodySeesIsRefused(_ group: String) async throws {
        #expect(try await identity("groups", "[\"\(group)\"]") == nil)
        #expect(try await identity("groups", #"["sre"]"#) != nil)
    }

    @Test func claimsAreForPolicyAndNotAboutTheToken() async throws {
        let claims = TestClaims.alice.with("acr", #""gold""#).with("address", #"{"country":"DE"}"#)
            .with("amr", #"["pwd","otp"]"#).with("level", "3").with("jti", #""x""#).with("at_hash", #""y""#)
        let seen = try await person(try key.sign(claims), fake).claims
        #expect(seen[["acr"]] == .text("gold"))
        #expect(seen[["address", "country"]] == .text("DE"))
        #expect(seen[["amr"]]?.texts == ["pwd", "otp"])
        #expect(seen[["level"]] == .number(3))
        for name in ["jti", "nonce", "at_hash", "exp", "iat"] { #expect(seen[[name]] == nil) }
    }
}
