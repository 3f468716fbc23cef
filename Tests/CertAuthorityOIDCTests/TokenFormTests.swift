// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Testing

@testable import CertAuthorityOIDC

/// Texts that one reader takes for a token and another for something else.
@Suite struct TokenFormTests {
    let key: TestKey
    let fake: FakeProvider

    init() async throws {
        let key = try await TestKey.es256()
        self.key = key
        fake = FakeProvider { $0.keys = [key.published] }
    }

    @Test func attack47_anotherSpellingOfATokenIsRefused() async throws {
        let token = try key.sign(.alice)
        let parts = token.split(separator: ".").map(String.init)
        let (header, claims, signature) = (parts[0], parts[1], parts[2])
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        // 64 bytes are 86 characters, of which the last has four spare bits.
        let last = try #require(signature.last.flatMap(alphabet.firstIndex(of:)))
        let spare = signature.dropLast() + String(alphabet[last ^ 1])
        for wrong in [
            "\(token).", "\(token).AA", ".\(token)", "\(header)..\(signature)", "\(token)=", "\(token)==",
            " \(token)", "\(token)\n", "\(header).\(claims).\(spare)", "\(header)=.\(claims).\(signature)",
            "\(header).\(claims).+\(signature.dropFirst())",
            "\(header).\(claims).\(signature.dropLast())\u{301}",
            "", ".", "..", "a.b.c", "\(header).\(claims)\u{0}.\(signature)",
        ] {
            #expect(try await refusal(wrong, fake) == .form, "\(wrong.suffix(20).debugDescription)")
        }
        #expect(try await refusal(token, fake) == nil)
    }

    @Test func attack47_aClaimTwiceIsRefused() async throws {
        for name in ["iss", "sub", "email", "email_verified", "exp"] {
            var twice = TestClaims.alice
            twice.members.append((name, twice.members.first { $0.name == name }?.json ?? "1"))
            #expect(try await refusal(try key.sign(twice), fake) == .form, "\(name)")
            // Behind an escape it is the same name.
            twice.members[twice.members.count - 1].name = #"\u00"# + hex(name) + String(name.dropFirst())
            #expect(try await refusal(try key.sign(twice), fake) == .form, "\(name)")
        }
        let within = TestClaims.alice.with("address", #"{"a":1,"a":2}"#)
        #expect(try await refusal(try key.sign(within), fake) == .form)
        // One name for people and dictionaries, two for bytes.
        let spellings = TestClaims.alice.with("caf\u{e9}", "1").with("x", #"{"cafe\u0301":1,"caf\u00e9":2}"#)
        #expect(try await refusal(try key.sign(spellings), fake) == .form)
        #expect(try await refusal(try key.sign(TestClaims.alice.with("x", #"{"a":1,"b":2}"#)), fake) == nil)
    }

    private func hex(_ name: String) -> String { String(name.utf8.first ?? 0, radix: 16) }

    @Test func attack47_whatIsNoObjectOfClaimsIsRefused() async throws {
        for claims in [
            "", "null", "[]", "5", #""text""#, "{", TestClaims.alice.json + "x", TestClaims.alice.json + "{}",
            "{\"a\":tru}",
            "\u{feff}\(TestClaims.alice.json)",
        ] {
            #expect(try await refusal(try key.sign(claims), fake) == .form, "\(claims.prefix(20))")
        }
        for header in ["null", "[]", "{}", #"{"alg":5}"#, #"{"alg":null}"#, #"{"alg":["ES256"]}"#] {
            #expect(try await refusal(try key.sign(header: header, .alice), fake) == .form, "\(header)")
        }
    }

    @Test func attack47_hugeAndDeepTokensAreRefusedBeforeTheyAreRead() async throws {
        func padded(_ bytes: Int) throws -> String {
            try key.sign(TestClaims.alice.with("x", "\"" + String(repeating: "a", count: bytes) + "\""))
        }
        #expect(try await refusal(try padded(11_000), fake) == nil)
        #expect(try await refusal(try padded(12_300), fake) == .form)
        #expect(try await refusal(String(repeating: "a", count: 50_000_000), fake) == .form)
        func nested(_ depth: Int) throws -> String {
            let open = String(repeating: "[", count: depth)
            return try key.sign(TestClaims.alice.with("x", open + String(repeating: "]", count: depth)))
        }
        #expect(try await refusal(try nested(8), fake) == nil)
        #expect(try await refusal(try nested(9), fake) == .form)
        #expect(try await refusal(try nested(5_000), fake) == .form)
    }

    @Test func fractionsInOtherClaimsSpoilNothing() async throws {
        for number in ["1.5", "1e308", "-0", "123456789012345678901234567890", "0.1E-5"] {
            let alice = try await person(try key.sign(TestClaims.alice.with("score", number)), fake)
            #expect(alice.claims[["score"]] == .null, "\(number)")
        }
        for wrong in ["01", "1.", ".5", "1e", "+1", "--1", "0x10", "NaN"] {
            let token = try key.sign(TestClaims.alice.with("score", wrong))
            #expect(try await refusal(token, fake) == .form, "\(wrong)")
        }
    }

    @Test func everyPrefixAndEveryChangedByteIsRefused() async throws {
        let token = Array(try key.sign(.alice).utf8)
        for count in 0..<token.count {
            #expect(try await refusal(String(decoding: token[..<count], as: UTF8.self), fake) != nil)
            var changed = token
            changed[count] = changed[count] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(try await refusal(String(decoding: changed, as: UTF8.self), fake) != nil)
        }
    }
}
