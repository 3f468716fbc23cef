// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("API keys and what their holders show")
struct APIKeyTests {
    private static let id = "0123456789abcdef"
    private static let secret = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"
    private static let text = "daypass_\(id)_\(secret)"
    private static let now = UnixTime(seconds: 1_795_237_200)

    private func key(
        name: String = "deploy", groups: [String] = [], from addresses: [String] = []
    ) throws -> APIKey {
        try APIKey(
            id: Self.id, name: name, secretDigest: [UInt8](repeating: 1, count: 32), groups: groups,
            sourceAddresses: try addresses.map { try AddressBlock($0) }, created: Self.now)
    }

    @Test func aTokenComesApartIntoWhatItWasMadeOf() throws {
        let token = try #require(APIKeyToken(Self.text))
        #expect(token.id == Self.id && token.text == Self.text)
        #expect(token.secretDigest == Digest.sha256(Array(Self.secret.utf8)))
        let made = APIKeyToken(randomBytes: SystemRandom.bytes)
        let again = try #require(APIKeyToken(made.text))
        #expect(again.id == made.id && again.secretDigest == made.secretDigest)
        #expect(again.isSecret(of: made.secretDigest))
        #expect(APIKeyToken(randomBytes: SystemRandom.bytes).text != made.text)
    }

    @Test func everyPrefixAndEveryOtherFormIsNoToken() {
        for length in 0..<Self.text.utf8.count {
            #expect(APIKeyToken(String(Self.text.prefix(length))) == nil)
        }
        for text in [
            Self.text + "A", " " + Self.text, Self.text + "\n", Self.text.uppercased(),
            "Daypass_\(Self.id)_\(Self.secret)", "daypass-\(Self.id)_\(Self.secret)",
            "daypass_\(Self.id.uppercased())_\(Self.secret)", "daypass_\(Self.id)-\(Self.secret)",
            "daypass_0123456789abcdeg_\(Self.secret)", "daypass_\(Self.id)_\(Self.secret.dropLast())=",
            "daypass_\(Self.id)_\(Self.secret.dropLast())+", "daypass_\(Self.id)_\(Self.secret.dropLast())\0",
            "daypass_\(Self.id)_\(Self.secret.dropLast(2))\u{e9}", "",
        ] { #expect(APIKeyToken(text) == nil, "\(text)") }
    }

    @Test func attack53_anAPIKeysSecretIsComparedWhole() throws {
        let token = try #require(APIKeyToken(Self.text))
        #expect(token.isSecret(of: token.secretDigest))
        for index in 0..<32 {
            var other = token.secretDigest
            other[index] ^= 1
            #expect(!token.isSecret(of: other))
        }
        for other in [[], Array(token.secretDigest.dropLast()), token.secretDigest + [0]] {
            #expect(!token.isSecret(of: other))
        }
    }

    @Test func whatIsPrintedByMistakeHasNoSecret() throws {
        let token = try #require(APIKeyToken(Self.text))
        #expect("\(token)" == "API key \(Self.id)")
    }

    @Test(arguments: [
        "", "-a", ".a", "_a", "a b", "A", "a/b", "a@b", "\u{e9}", "a\0", String(repeating: "a", count: 65),
    ])
    func aNameIsAWord(name: String) {
        #expect(throws: CertAuthorityError.self) { try key(name: name) }
    }

    @Test func whatFitsALogEntryIsTakenAndNoMore() throws {
        let groups = (0..<APIKey.maximumGroups).map { number in
            String(repeating: "g", count: APIKey.maximumGroupBytes - 2) + "\(number + 10)"
        }
        let blocks = (0..<APIKey.maximumSourceAddresses).map {
            "2001:db8:ffff:ffff:ffff:ffff:ffff:\($0 + 10)/128"
        }
        let name = String(repeating: "a", count: 64)
        let most = try key(name: name, groups: groups, from: blocks)
        #expect(most.identity.description == "ci/api-key/\(name)")
        #expect(throws: CertAuthorityError.self) { try key(groups: groups + ["one"]) }
        #expect(throws: CertAuthorityError.self) { try key(groups: [groups[0] + "x"]) }
        #expect(throws: CertAuthorityError.self) { try key(groups: ["a\nb"]) }
        #expect(throws: CertAuthorityError.self) { try key(from: blocks + ["192.0.2.1"]) }
    }

    @Test func attack26_anAPIKeyIsGoodFromItsAddressesAlone() throws {
        let bound = try key(from: ["192.0.2.0/24", "2001:db8::1"])
        #expect(bound.isUsable(from: try IPAddress("192.0.2.9")))
        #expect(bound.isUsable(from: try IPAddress("::ffff:192.0.2.9")))
        #expect(bound.isUsable(from: try IPAddress("2001:db8::1")))
        #expect(!bound.isUsable(from: try IPAddress("192.0.3.9")))
        #expect(!bound.isUsable(from: try IPAddress("2001:db8::2")))
        #expect(!bound.isUsable(from: nil))
        #expect(try key().isUsable(from: nil))
    }
}
