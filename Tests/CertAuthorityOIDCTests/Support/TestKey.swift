// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import FoundationEssentials
import JWTKit
import TestSupport

/// A provider's key pair, which signs whatever a test writes.
struct TestKey: Sendable {
    let algorithm: any JWTAlgorithm
    /// The public half as a member list, without `kid`, `use` and `alg`.
    let members: String
    let id: String

    /// The public half as a provider publishes it.
    var published: String { #"{"kid":"\#(id)","use":"sig","alg":"\#(algorithm.name)",\#(members)}"# }

    static func es256(_ id: String = "es") async throws -> TestKey {
        let key = ES256PrivateKey()
        return try await make(id, JWTKeyCollection().add(ecdsa: key), curve: "P-256", key.parameters)
    }

    static func es384(_ id: String = "es384") async throws -> TestKey {
        let key = ES384PrivateKey()
        return try await make(id, JWTKeyCollection().add(ecdsa: key), curve: "P-384", key.parameters)
    }

    static func ed25519(_ id: String = "ed") async throws -> TestKey {
        let key = try EdDSA.PrivateKey()
        let x = Base64URL.encode([UInt8](key.publicKey.rawRepresentation))
        return TestKey(
            algorithm: try await JWTKeyCollection().add(eddsa: key).getKey(),
            members: #""kty":"OKP","crv":"Ed25519","x":"\#(x)""#, id: id)
    }

    static func rsa(_ id: String = "rsa", pss: Bool = false, pem: String? = nil) async throws -> TestKey {
        let key = try Insecure.RSA.PrivateKey(pem: try pem ?? rsaPEM(bits: 2_048))
        let numbers = try key.publicKey.getKeyPrimitives()
        let n = Base64URL.encode([UInt8](numbers.modulus))
        let e = Base64URL.encode([UInt8](numbers.publicExponent))
        let keys = JWTKeyCollection()
        if pss {
            await keys.add(pss: key, digestAlgorithm: .sha256)
        } else {
            await keys.add(rsa: key, digestAlgorithm: .sha256)
        }
        return TestKey(
            algorithm: try await keys.getKey(), members: #""kty":"RSA","n":"\#(n)","e":"\#(e)""#, id: id)
    }

    /// A private key made by openssl.
    static func rsaPEM(bits: Int) throws -> String {
        try Tool.run(
            "openssl", ["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:\(bits)"]
        ).orThrow("openssl genpkey").stdoutText
    }

    private static func make(_ id: String, _ keys: JWTKeyCollection, curve: String, _ point: ECDSAParameters?)
        async throws -> TestKey
    {
        guard let point else { throw TestSupportError("a key without a point") }
        // jwt-kit writes coordinates in plain base64.
        func url(_ text: String) -> String {
            String(
                text.compactMap { character -> Character? in
                    switch character {
                    case "+": "-"
                    case "/": "_"
                    case "=": nil
                    default: character
                    }
                })
        }
        return TestKey(
            algorithm: try await keys.getKey(),
            members: #""kty":"EC","crv":"\#(curve)","x":"\#(url(point.x))","y":"\#(url(point.y))""#, id: id)
    }

    /// A header that fits the key.
    var header: String { #"{"alg":"\#(algorithm.name)","typ":"JWT","kid":"\#(id)"}"# }

    /// A token of any header and claims, signed.
    func sign(header: String? = nil, _ claims: String) throws -> String {
        let signed = Self.signed(header: header ?? self.header, claims)
        return "\(signed).\(Base64URL.encode(try algorithm.sign(Array(signed.utf8))))"
    }

    func sign(header: String? = nil, _ claims: TestClaims) throws -> String {
        try sign(header: header, claims.json)
    }

    static func signed(header: String, _ claims: String) -> String {
        "\(Base64URL.encode(Array(header.utf8))).\(Base64URL.encode(Array(claims.utf8)))"
    }
}

/// Claims as written text, so that tests can write what no encoder would.
struct TestClaims: Sendable {
    var members: [(name: String, json: String)]

    /// What the fake provider says about alice.
    static let alice = TestClaims(members: [
        ("iss", #""https://id.example.com""#), ("aud", #""daypass""#), ("sub", #""248289761001""#),
        ("exp", "1800000300"), ("iat", "1800000000"), ("nonce", #""n-0S6_WzA2Mj""#),
        ("email", #""alice@example.com""#), ("email_verified", "true"), ("groups", #"["sre","dba"]"#),
    ])

    /// The same with one claim replaced or added, or removed for nil.
    func with(_ name: String, _ json: String?) -> TestClaims {
        var changed = self
        if let index = changed.members.firstIndex(where: { $0.name == name }) {
            if let json { changed.members[index].json = json } else { changed.members.remove(at: index) }
        } else if let json {
            changed.members.append((name, json))
        }
        return changed
    }

    var json: String { "{" + members.map { "\"\($0.name)\":\($0.json)" }.joined(separator: ",") + "}" }
}
