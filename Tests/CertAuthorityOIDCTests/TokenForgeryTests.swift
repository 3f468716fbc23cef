// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import JWTKit
import SSHWire
import Testing

@testable import CertAuthorityOIDC

/// Tokens that are not what they seem, each beside the one that is.
@Suite struct TokenForgeryTests {
    static func keys() async throws -> [TestKey] {
        [
            try await .es256(), try await .es384(), try await .ed25519(), try await .rsa(),
            try await .rsa("pss", pss: true),
        ]
    }

    @Test func tokensOfAllAlgorithmsAreTaken() async throws {
        for key in try await Self.keys() {
            let fake = FakeProvider { $0.keys = [key.published] }
            let alice = try await person(try key.sign(.alice), fake)
            #expect(alice.identity.text == "alice@example.com", "\(key.algorithm.name)")
            #expect(alice.groups == ["sre", "dba"])
            #expect(alice.subject == "248289761001")
        }
    }

    @Test func attack47_aSignatureThatWasTouchedIsRefused() async throws {
        for key in try await Self.keys() {
            let fake = FakeProvider { $0.keys = [key.published] }
            let signed = TestKey.signed(header: key.header, TestClaims.alice.json)
            let signature = try key.algorithm.sign(Array(signed.utf8))
            var flipped = signature
            flipped[flipped.count / 2] ^= 1
            let zero = [UInt8](repeating: 0, count: signature.count)
            for wrong in [flipped, zero, Array(signature.dropLast()), signature + [0], [0]] {
                let token = "\(signed).\(Base64URL.encode(wrong))"
                #expect(try await refusal(token, fake) == .signature, "\(key.algorithm.name)")
            }
            #expect(try await refusal("\(signed).\(Base64URL.encode(signature))", fake) == nil)
        }
    }

    @Test func attack47_aTokenWithoutASignatureIsRefused() async throws {
        let key = try await TestKey.es256()
        let fake = FakeProvider { $0.keys = [key.published] }
        let claims = TestClaims.alice.json
        for name in ["none", "None", "NONE", "nOnE"] {
            let signed = TestKey.signed(header: #"{"alg":"\#(name)","kid":"es"}"#, claims)
            #expect(try await refusal("\(signed).", fake) == .form)
            #expect(try await refusal("\(signed).AA", fake) == .algorithm)
        }
        let signed = TestKey.signed(header: key.header, claims)
        #expect(try await refusal(signed, fake) == .form)
        #expect(try await refusal("\(signed).", fake) == .form)
        #expect(try await refusal(TestKey.signed(header: #"{"kid":"es"}"#, claims) + ".AA", fake) == .form)
    }

    @Test func attack47_aPublicKeyIsNoSharedSecret() async throws {
        let pem = try TestKey.rsaPEM(bits: 2_048)
        let key = try await TestKey.rsa(pem: pem)
        let publicPEM = try Insecure.RSA.PrivateKey(pem: pem).publicKey.pemRepresentation
        let shared = await JWTKeyCollection().add(hmac: HMACKey(from: publicPEM), digestAlgorithm: .sha256)
        let forger = TestKey(algorithm: try await shared.getKey(), members: "", id: "rsa")
        let fake = FakeProvider { $0.keys = [key.published] }
        #expect(try await refusal(try forger.sign(.alice), fake) == .algorithm)
        #expect(try await refusal(try key.sign(.alice), fake) == nil)
    }

    @Test func attack47_theKeyIsFoundByItsNameAlone() async throws {
        let one = try await TestKey.es256("one")
        let two = try await TestKey.es256("two")
        let stranger = try await TestKey.es256("three")
        let fake = FakeProvider { $0.keys = [one.published, two.published] }
        // Signed by a published key, and named after another.
        #expect(try await refusal(try one.sign(header: two.header, .alice), fake) == .signature)
        // A library that falls back to the first key would take it.
        #expect(try await refusal(try one.sign(header: stranger.header, .alice), fake) == .key)
        #expect(try await refusal(try one.sign(header: #"{"alg":"ES256"}"#, .alice), fake) == .key)
        #expect(try await refusal(try stranger.sign(.alice), fake) == .key)
        #expect(try await refusal(try two.sign(.alice), fake) == nil)
    }

    @Test func aTokenWithoutAKeyNameIsTakenWhenThereIsOneKeyAlone() async throws {
        let key = try await TestKey.es256()
        let other = try await TestKey.rsa()
        let fake = FakeProvider { $0.keys = [key.published, other.published] }
        #expect(try await refusal(try key.sign(header: #"{"alg":"ES256"}"#, .alice), fake) == nil)
        fake.change { $0.keys = [key.published, key.published] }
        #expect(try await refusal(try key.sign(header: #"{"alg":"ES256"}"#, .alice), fake) == .key)
        #expect(try await refusal(try key.sign(.alice), fake) == .key)
    }

    @Test func attack47_aKeyIsGoodForItsOwnUseAndAlgorithm() async throws {
        let key = try await TestKey.es256()
        let members = key.members
        for published in [
            #"{"kid":"es","use":"enc",\#(members)}"#, #"{"kid":"es","use":5,\#(members)}"#,
            #"{"kid":"es","key_ops":["encrypt"],\#(members)}"#, #"{"kid":"es","alg":"ES384",\#(members)}"#,
            #"{"kid":"es","alg":"ECDH-ES",\#(members)}"#, #"{"kid":"es","d":"AA",\#(members)}"#,
        ] {
            let fake = FakeProvider { $0.keys = [published] }
            #expect(try await refusal(try key.sign(.alice), fake) == .key, "\(published)")
        }
        let fake = FakeProvider { $0.keys = [#"{"kid":"es",\#(members)}"#] }
        #expect(try await refusal(try key.sign(.alice), fake) == nil)

        // A key for PS256 is not good for RS256, nor an algorithm that the configuration leaves out.
        let pem = try TestKey.rsaPEM(bits: 2_048)
        let rs = try await TestKey.rsa(pem: pem)
        let ps = try await TestKey.rsa(pss: true, pem: pem)
        fake.change { $0.keys = [ps.published] }
        #expect(try await refusal(try rs.sign(.alice), fake) == .algorithm)
        #expect(try await refusal(try ps.sign(.alice), fake) == nil)
        let onlyES = try IdentityProviderConfiguration.example(algorithms: [.es256])
        #expect(try await refusal(try ps.sign(.alice), fake, onlyES) == .algorithm)
    }

    @Test func attack47_whatHasToBeUnderstoodIsRefused() async throws {
        let key = try await TestKey.es256()
        let fake = FakeProvider { $0.keys = [key.published] }
        for more in [
            #""crit":["exp"],"exp":1"#, #""crit":[]"#, #""crit":null"#, #""crit":["b64"],"b64":false"#,
            #""typ":"at+jwt""#, #""typ":"logout+jwt""#, #""alg":"ES256""#, #""kid":"es""#, #""kid":5"#,
        ] {
            let header = #"{"alg":"ES256","kid":"es",\#(more)}"#
            #expect(try await refusal(try key.sign(header: header, .alice), fake) == .form, "\(more)")
        }
        // Keys that a token brings along are not looked at.
        let header =
            #"{"alg":"ES256","kid":"es","typ":"jwt","jku":"https://evil.example","jwk":{\#(key.members)}}"#
        #expect(try await refusal(try key.sign(header: header, .alice), fake) == nil)
    }
}
