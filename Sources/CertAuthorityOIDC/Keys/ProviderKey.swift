// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import JWTKit

/// A public key of a provider, good for the signatures of certain algorithms and no others.
struct ProviderKey: Sendable {
    /// Its name, if it has one.
    let keyID: String?
    /// What verifies, by algorithm: an RSA key whose algorithm isn't named is good for six.
    let verifiers: [TokenAlgorithm: any JWTAlgorithm]

    /// The longest RSA modulus, in bytes: verifying takes time with its square (CVE-2026-39829).
    static let maximumModulusBytes = 1_024
    /// The longest RSA exponent, in bytes: 65537 has three.
    static let maximumExponentBytes = 4

    /// Reads one key of a set (RFC 7517, RFC 7518 section 6, RFC 8037).
    ///
    /// - Returns: nil for what isn't meant to verify signatures, or not supported; it is no reason to refuse the others.
    init?(_ key: JSONValue) async {
        // "enc" is a key that others encrypt to us with; without a use it is good for both.
        guard key["use"] == nil || key["use"] == "sig" else { return nil }
        if let operations = key["key_ops"] {
            guard let operations = operations.array, operations.contains("verify") else { return nil }
        }
        // A private key that is published is anybody's, and the symmetric kind ("k") is nothing else.
        guard key["d"] == nil, key["k"] == nil else { return nil }
        if let id = key["kid"] {
            guard let text = id.string, (1...TokenHeader.maximumNameBytes).contains(text.utf8.count) else {
                return nil
            }
            keyID = text
        } else {
            keyID = nil
        }
        var verifiers = await Self.verifiers(key)
        if let named = key["alg"] {
            guard let algorithm = named.string.flatMap(TokenAlgorithm.init(rawValue:)) else { return nil }
            verifiers = verifiers.filter { $0.key == algorithm }
        }
        guard !verifiers.isEmpty else { return nil }
        self.verifiers = verifiers
    }

    private static func verifiers(_ key: JSONValue) async -> [TokenAlgorithm: any JWTAlgorithm] {
        switch (key["kty"]?.string, key["crv"]?.string) {
        case ("EC", "P-256"):
            guard let point = point(key, bytes: 32),
                let key = try? ES256PublicKey(parameters: point)
            else { return [:] }
            return await collect([.es256: JWTKeyCollection().add(ecdsa: key)])
        case ("EC", "P-384"):
            guard let point = point(key, bytes: 48),
                let key = try? ES384PublicKey(parameters: point)
            else { return [:] }
            return await collect([.es384: JWTKeyCollection().add(ecdsa: key)])
        case ("EC", "P-521"):
            guard let point = point(key, bytes: 66),
                let key = try? ES512PublicKey(parameters: point)
            else { return [:] }
            return await collect([.es512: JWTKeyCollection().add(ecdsa: key)])
        case ("OKP", "Ed25519"):
            guard let x = text(key["x"], bytes: 32...32),
                let key = try? EdDSA.PublicKey(x: x, curve: .ed25519)
            else { return [:] }
            return await collect([.eddsa: JWTKeyCollection().add(eddsa: key)])
        case ("RSA", _):
            guard let modulus = text(key["n"], bytes: 256...maximumModulusBytes),
                let exponent = text(key["e"], bytes: 1...maximumExponentBytes),
                let key = try? Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent)
            else { return [:] }
            return await collect([
                .rs256: JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256),
                .rs384: JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha384),
                .rs512: JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha512),
                .ps256: JWTKeyCollection().add(pss: key, digestAlgorithm: .sha256),
                .ps384: JWTKeyCollection().add(pss: key, digestAlgorithm: .sha384),
                .ps512: JWTKeyCollection().add(pss: key, digestAlgorithm: .sha512),
            ])
        default: return [:]
        }
    }

    /// jwt-kit hands out what verifies from a collection alone. Each has one key: in a larger one, a key that isn't there
    /// is silently another.
    private static func collect(_ collections: [TokenAlgorithm: JWTKeyCollection]) async
        -> [TokenAlgorithm: any JWTAlgorithm]
    {
        var verifiers: [TokenAlgorithm: any JWTAlgorithm] = [:]
        for (algorithm, collection) in collections {
            if let verifier = try? await collection.getKey(), verifier.name == algorithm.rawValue {
                verifiers[algorithm] = verifier
            }
        }
        return verifiers
    }

    private static func point(_ key: JSONValue, bytes: Int) -> ECDSAParameters? {
        guard let x = text(key["x"], bytes: bytes...bytes), let y = text(key["y"], bytes: bytes...bytes)
        else {
            return nil
        }
        return (x, y)
    }

    /// A number's text when it is strict base64url of a length in the range.
    private static func text(_ value: JSONValue?, bytes range: ClosedRange<Int>) -> String? {
        guard let text = value?.string, let bytes = try? Base64URL.decode("key", text),
            range.contains(bytes.count)
        else { return nil }
        return text
    }
}
