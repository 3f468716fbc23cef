// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Testing

@testable import CertAuthorityOIDC

/// Tokens that are well signed and not for us, not now, or not for this attempt.
@Suite struct TokenClaimTests {
    let key: TestKey
    let fake: FakeProvider

    init() async throws {
        let key = try await TestKey.es256()
        self.key = key
        fake = FakeProvider { $0.keys = [key.published] }
    }

    private func refusal(
        _ name: String, _ json: String?, of claims: TestClaims = .alice,
        _ configuration: IdentityProviderConfiguration? = nil
    ) async throws -> SignInError.Code? {
        try await CertAuthorityOIDCTests.refusal(
            try key.sign(claims.with(name, json)), fake, configuration)
    }

    @Test func attack47_anotherIssuersTokenIsRefused() async throws {
        for issuer in [
            #""https://id.example.com/""#, #""https://ID.example.com""#, #""http://id.example.com""#,
            #""https://id.example.com.evil.net""#,
        ] {
            #expect(try await refusal("iss", issuer) == .issuer, "\(issuer)")
        }
        for issuer in ["null", "5", #""""#, #"["https://id.example.com"]"#, nil] {
            #expect(try await refusal("iss", issuer) == .form)
        }
        #expect(try await refusal("iss", #""https://id.example.com""#) == nil)
    }

    @Test func attack47_aTokenForSomebodyElseIsRefused() async throws {
        for audience in [#""other""#, #""Daypass""#, #"["other"]"#, #""daypass,other""#] {
            #expect(try await refusal("aud", audience) == .audience, "\(audience)")
        }
        // The empty list ends the process where jwt-kit reads it.
        for audience in ["[]", "null", "5", "{}", #""""#, #"["daypass",5]"#, #"[["daypass"]]"#, nil] {
            #expect(try await refusal("aud", audience) == .form, "\(audience ?? "absent")")
        }
        #expect(try await refusal("aud", #"["daypass"]"#) == nil)
    }

    @Test func attack47_severalAudiencesNeedAnAuthorizedParty() async throws {
        let both = TestClaims.alice.with("aud", #"["daypass","api"]"#)
        let trusting = try IdentityProviderConfiguration.example(additionalAudiences: ["api"])
        #expect(try await refusal("azp", #""daypass""#, of: both) == .audience)
        #expect(try await refusal("azp", nil, of: both, trusting) == .audience)
        #expect(try await refusal("azp", #""api""#, of: both, trusting) == .audience)
        #expect(try await refusal("azp", #""daypass""#, of: both, trusting) == nil)
        // An authorized party that is somebody else is one with a single audience too.
        #expect(try await refusal("azp", #""api""#, of: .alice, trusting) == .audience)
        #expect(try await refusal("azp", #""daypass""#) == nil)
    }

    @Test func attack47_aTokenOfAnotherAttemptIsRefused() async throws {
        for nonce in [#""n-0S6_WzA2Mk""#, #""n-0S6_WzA2M""#, "null", nil] {
            #expect(try await refusal("nonce", nonce) == .nonce)
        }
        #expect(try await refusal("nonce", #""n-0S6_WzA2Mj""#) == nil)
    }

    @Test func attack53_secretsAreComparedWhole() {
        #expect(areEqualInConstantTime("abc", "abc"))
        #expect(areEqualInConstantTime("", ""))
        for other in ["", "ab", "abd", "bbc", "abcd", "ABC"] {
            #expect(!areEqualInConstantTime("abc", other))
        }
        // One letter for people, two spellings for bytes.
        #expect(!areEqualInConstantTime("\u{e9}", "e\u{301}"))
    }

    @Test func aTokenIsGoodFromItsStartToItsEnd() async throws {
        // It is 1800000000; clocks may differ by 60 seconds.
        #expect(try await refusal("exp", "1799999940") == .time)
        #expect(try await refusal("exp", "1799999941") == nil)
        #expect(try await refusal("iat", "1800000060") == nil)
        #expect(try await refusal("iat", "1800000061") == .time)
        #expect(try await refusal("nbf", "1800000060") == nil)
        #expect(try await refusal("nbf", "1800000061") == .time)
        #expect(try await refusal("auth_time", "1800000060") == nil)
        #expect(try await refusal("auth_time", "1800000061") == .time)
        #expect(try await refusal("exp", nil) == .form)
        #expect(try await refusal("iat", nil) == .form)
    }

    @Test(arguments: ["exp", "iat", "nbf", "auth_time"])
    func attack54_aTimeThatIsNoneIsRefused(_ name: String) async throws {
        for time in [
            "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
            "1e308", "1E400", "-1", "-9223372036854775808", "253402300800", "1800000000.5", "1.8e9",
            #""1800000300""#, "true", "null", "[]", "{}",
        ] {
            #expect(try await refusal(name, time) == .form, "\(name) \(time)")
        }
        // The last second of the year 9999 is a time; only an end may be that late.
        #expect(try await refusal(name, "253402300799") == (name == "exp" ? nil : .time))
        #expect(try await refusal(name, "0") == (name == "exp" ? .time : nil))
    }

    @Test func attack54_theEndsOfTheClockDoNotOverflow() async throws {
        let token = try key.sign(.alice)
        fake.change { $0.now = .always }
        #expect(try await CertAuthorityOIDCTests.refusal(token, fake) == .time)
        fake.change { $0.now = .forever }
        #expect(try await CertAuthorityOIDCTests.refusal(token, fake) == .time)
        fake.change { $0.now = UnixTime(seconds: .max - 1) }
        #expect(try await CertAuthorityOIDCTests.refusal(token, fake) == .time)
    }

    @Test func signingInMustNotBeTooLongAgo() async throws {
        let hour = try IdentityProviderConfiguration.example(maximumAuthenticationAge: 3_600)
        #expect(try await refusal("auth_time", "1799996340", of: .alice, hour) == nil)
        #expect(try await refusal("auth_time", "1799996339", of: .alice, hour) == .time)
        #expect(try await refusal("auth_time", nil, of: .alice, hour) == .time)
        #expect(try await refusal("auth_time", nil) == nil)
    }

    @Test func whenSomebodySignedInIsNeverLaterThanNow() async throws {
        let ahead = TestClaims.alice.with("iat", "1800000030").with("auth_time", "1800000050")
        #expect(
            try await person(try key.sign(ahead), fake).authenticatedAt == UnixTime(seconds: 1_800_000_000))
        let before = TestClaims.alice.with("auth_time", "1799990000")
        #expect(
            try await person(try key.sign(before), fake).authenticatedAt == UnixTime(seconds: 1_799_990_000))
        #expect(
            try await person(try key.sign(.alice), fake).authenticatedAt == UnixTime(seconds: 1_800_000_000))
    }

    @Test func aSubjectIsShortPlainText() async throws {
        for subject in [
            nil, "null", "5", #""""#, #""caf\u00e9""#, #""a\nb""#,
            "\"\(String(repeating: "a", count: 256))\"",
        ] {
            #expect(try await refusal("sub", subject) == .form)
        }
        #expect(try await refusal("sub", "\"\(String(repeating: "a", count: 255))\"") == nil)
    }

    @Test func noReasonHoldsTheToken() async throws {
        let token = try key.sign(TestClaims.alice.with("aud", #""other""#))
        for part in token.split(separator: ".") {
            do {
                _ = try await person(token, fake)
                Issue.record("taken")
            } catch let error as SignInError {
                #expect(!"\(error)\(error.hint ?? "")".contains(part))
            }
        }
    }
}
