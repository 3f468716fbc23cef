// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import ControlProtocol

@Suite struct HostTokenTests {
    static let now = UnixTime(seconds: 1_795_206_095)
    static let subject = "acme:h-1:ssh"
    static let audience = "https://ca.example.com:8443"
    static let key = try? HostKey.generate()

    private func key() throws -> HostKey { try #require(Self.key) }

    private func token(by key: HostKey, audience: String = audience, now: UnixTime = now) throws -> String {
        try HostToken.sign(subject: Self.subject, audience: audience, tokenID: "t1", now: now, by: key)
    }

    private func verify(
        _ text: String, by key: JSONWebKey, subject: String = subject,
        profile: HostToken.Profile = .daypass(audience: audience),
        now: UnixTime = now
    ) throws(ControlProtocolError) -> HostToken {
        try HostToken(verifying: text, by: key, subject: subject, profile: profile, now: now)
    }

    /// A token of any header and claims, signed by the key.
    private func signed(_ header: String, _ claims: String, by key: HostKey) throws -> String {
        let parts = try [header, claims].map { try JSONValue(parsing: Array($0.utf8), maximumBytes: 4_096) }
        return try HostToken.sign(parts[0], parts[1], by: key)
    }

    @Test func aTokenIsGoodForItsServerItsClientAndFiveMinutes() throws {
        let key = try key()
        let text = try token(by: key)
        let verified = try verify(text, by: key.publicKey)
        #expect((verified.subject, verified.tokenID) == (Self.subject, "t1"))
        #expect(verified.expires == Self.now.adding(300))
        #expect(try SignedToken(parsing: text).header.keyID == key.publicKey.thumbprint)
        #expect(throws: ControlProtocolError.self) {
            try verify(text, by: key.publicKey, subject: "acme:h-2:ssh")
        }
        #expect(throws: ControlProtocolError.self) {
            try verify(text, by: key.publicKey, profile: .daypass(audience: "https://other.example.com"))
        }
        #expect(throws: ControlProtocolError.self) { try verify(text, by: HostKey.generate().publicKey) }
        #expect(throws: Never.self) {
            try verify(text, by: key.publicKey, now: UnixTime(seconds: Self.now.seconds + 299))
        }
        #expect(throws: ControlProtocolError.self) {
            try verify(text, by: key.publicKey, now: UnixTime(seconds: Self.now.seconds + 300))
        }
    }

    @Test func aHostWhoseClockIsAMinuteAheadIsLetIn() throws {
        let key = try key()
        #expect(throws: Never.self) {
            try verify(try token(by: key), by: key.publicKey, now: UnixTime(seconds: Self.now.seconds - 60))
        }
        #expect(throws: ControlProtocolError.self) {
            try verify(try token(by: key), by: key.publicKey, now: UnixTime(seconds: Self.now.seconds - 61))
        }
    }

    @Test func p0sTokenIsSpeltAsItWasCaptured() throws {
        let key = try key()
        let text = try HostToken.signP0(subject: Self.subject, now: Self.now, by: key)
        let parts = text.split(separator: ".")
        #expect(try Base64URL.decode("header", parts[0]) == Array(#"{"alg":"ES384","typ":"JWT"}"#.utf8))
        #expect(
            try Base64URL.decode("claims", parts[1])
                == Array(
                    #"{"aud":"p0.dev","exp":1795810895,"iat":1795206095,"iss":"kd-client","sub":"acme:h-1:ssh","tunnel-id":"my-tunnel-id"}"#
                        .utf8))
        #expect(try Base64URL.decode("signature", parts[2]).count == 96)
        #expect(throws: Never.self) { try verify(text, by: key.publicKey, profile: .p0) }
        // And it is no token of the stricter kind, nor the other way round.
        #expect(throws: ControlProtocolError.self) { try verify(text, by: key.publicKey) }
        #expect(throws: ControlProtocolError.self) {
            try verify(try token(by: key), by: key.publicKey, profile: .p0)
        }
    }

    @Test func attack47_everyChangedByteOfATokenIsRefused() throws {
        let key = try key()
        let bytes = Array(try token(by: key).utf8)
        for index in bytes.indices {
            for flip: UInt8 in [0x01, 0x02, 0x20] {
                var changed = bytes
                changed[index] ^= flip
                #expect(throws: ControlProtocolError.self) {
                    try verify(String(decoding: changed, as: UTF8.self), by: key.publicKey)
                }
            }
        }
        for count in 0..<bytes.count {
            #expect(throws: ControlProtocolError.self) {
                try verify(String(decoding: bytes[..<count], as: UTF8.self), by: key.publicKey)
            }
        }
    }

    @Test(arguments: [
        (#"{"alg":"none","typ":"JWT"}"#, "{}"), (#"{"alg":"HS384","typ":"JWT"}"#, "{}"),
        (#"{"alg":"ES256","typ":"JWT"}"#, "{}"),
        (#"{"alg":"ES384","kid":"other"}"#, "{}"), (#"{"alg":"ES384"}"#, "{}"),
        (#"{"alg":"ES384","kid":"KID","crit":["x"]}"#, "{}"),
        (#"{"alg":"ES384","kid":"KID"}"#, #"{"aud":["https://ca.example.com:8443","x"]}"#),
        (#"{"alg":"ES384","kid":"KID"}"#, #"{"aud":[]}"#),
        (#"{"alg":"ES384","kid":"KID"}"#, #"{"jti":null}"#),
        (#"{"alg":"ES384","kid":"KID"}"#, #"{"iss":"somebody"}"#),
        (#"{"alg":"ES384","kid":"KID"}"#, #"{"exp":1795206396}"#),
        (#"{"alg":"ES384","kid":"KID"}"#, #"{"exp":1795206395,"nbf":1795299999}"#),
        (#"{"alg":"ES384","kid":"KID"}"#, #"{"exp":9007199254740993000}"#),
    ])
    func attack47_aTokenThatIsSignedAndSaysAnythingElseIsRefused(header: String, changes: String) throws {
        let key = try key()
        var claims: [(String, JSONValue)] = [
            ("aud", .string(Self.audience)), ("exp", 1_795_206_395), ("iat", 1_795_206_095),
            ("iss", .string(Self.subject)),
            ("jti", "t1"), ("sub", .string(Self.subject)),
        ]
        let header = header.replacing("KID", with: key.publicKey.thumbprint)
        func text() -> String { JSONValue.object(claims.map { .init($0.0, $0.1) }).text }
        let good = #"{"alg":"ES384","kid":"\#(key.publicKey.thumbprint)"}"#
        #expect(throws: Never.self) { try verify(try signed(good, text(), by: key), by: key.publicKey) }
        if case .object(let members) = try JSONValue(parsing: Array(changes.utf8), maximumBytes: 1_000) {
            for member in members {
                claims.removeAll { $0.0 == member.name }
                if member.value != .null { claims.append((member.name, member.value)) }
            }
        }
        #expect(throws: ControlProtocolError.self) {
            try verify(try signed(header, text(), by: key), by: key.publicKey)
        }
    }

    @Test func attack42_eachTokenHasANameOfItsOwn() throws {
        let key = try key()
        let one = try HostToken.sign(
            subject: Self.subject, audience: Self.audience, tokenID: "a", now: Self.now, by: key)
        let other = try HostToken.sign(
            subject: Self.subject, audience: Self.audience, tokenID: "b", now: Self.now, by: key)
        #expect(try verify(one, by: key.publicKey).tokenID != verify(other, by: key.publicKey).tokenID)
    }
}

@Suite struct JSONWebKeyTests {
    @Test func filesAreSpeltAsP0sAgentSpellsThem() throws {
        let key = try HostKey.generate()
        let text = key.publicKey.fileText
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 8)
        #expect(
            lines.prefix(5) == [
                "{", #"  "use": "sig","#, #"  "kty": "EC","#, #"  "crv": "P-384","#, #"  "alg": "ES384","#,
            ])
        #expect(!text.hasSuffix("\n"))
        #expect(try JSONWebKey(parsing: Array(text.utf8)) == key.publicKey)
        #expect(key.secretFileText.hasPrefix(text.dropLast(2)))
        #expect(try HostKey(parsing: Array(key.secretFileText.utf8)).publicKey == key.publicKey)
    }

    /// A key and its thumbprint, both made with Python's cryptography and hashlib.
    @Test func theThumbprintIsTheStandards() throws {
        let text = #"{"kty":"EC","crv":"P-384","x":"X","y":"Y"}"#
            .replacing("\"X\"", with: "\"\(Self.sampleX)\"").replacing("\"Y\"", with: "\"\(Self.sampleY)\"")
        #expect(try JSONWebKey(parsing: Array(text.utf8)).thumbprint == Self.sampleThumbprint)
    }

    static let sampleX = "bntJ3Z-atsAqWJERlnw6XpUf_LXZcJt1l1srNU2Oh8zpJdhDeNpbcrB5HW1JXx8d"
    static let sampleY = "mOqQ5kHnefmSRJNQRkrP1sx4VDamnRxnDThpcCTfu4yWBrey3SGCG3KAOZPdy71c"
    static let sampleThumbprint = "mS5QgmVO3vHVhKRPLotuDeisqwEv1XOKqF4WVHDipes"

    @Test(arguments: [
        ("EC", "RSA"), ("P-384", "P-256"), ("ES384", "ES256"), ("\"sig\"", "\"enc\""), ("\"x\"", "\"z\""),
        ("{", "["),
    ])
    func anotherKindOfKeyIsRefused(what: String, by: String) throws {
        let text = try HostKey.generate().publicKey.fileText
        #expect(throws: ControlProtocolError.self) {
            try JSONWebKey(parsing: Array(text.replacing(what, with: by).utf8))
        }
    }

    @Test func aPointThatIsNotOnTheCurveIsRefused() throws {
        let (one, other) = (try HostKey.generate().publicKey.value, try HostKey.generate().publicKey.value)
        let mixed = JSONValue.object([
            .init("kty", "EC"), .init("crv", "P-384"), .init("x", try #require(one["x"])),
            .init("y", try #require(other["y"])),
        ])
        #expect(throws: ControlProtocolError(.invalidValue, "")) { try JSONWebKey(mixed) }
    }

    @Test func halvesOfTwoKeysAreNoKey() throws {
        let (one, other) = (try HostKey.generate(), try HostKey.generate())
        let scalar = try #require(other.secretFileText.split(separator: "\"d\": ").last)
        let mixed = one.publicKey.fileText.dropLast(2) + ",\n  \"d\": \(scalar)"
        let error = try #require(throws: ControlProtocolError.self) {
            try HostKey(parsing: Array(mixed.utf8))
        }
        // The private half is not told.
        #expect(!error.reason.contains(scalar.prefix(20)))
        #expect(throws: ControlProtocolError(.missing, "")) {
            try HostKey(parsing: Array(one.publicKey.fileText.utf8))
        }
    }
}
