// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import JWTKit

/// The keys that a provider publishes (RFC 7517, section 5).
struct KeySet: Sendable {
    let keys: [ProviderKey]

    /// The most keys that are looked at: providers have two to ten.
    static let maximumKeys = 256

    /// Reads a set; keys that are not for us are left out.
    ///
    /// - Throws: `.provider` when it isn't a set.
    init(parsing bytes: [UInt8], from url: ProviderURL) async throws(SignInError) {
        let value: JSONValue
        do {
            value = try JSONValue(
                parsing: bytes, maximumBytes: HTTPReply.maximumBytes, maximumDepth: 8, otherNumbers: .null)
        } catch {
            throw SignInError(.provider, "\(url): keys: \(error.reason)")
        }
        guard let published = value["keys"]?.array, published.count <= Self.maximumKeys else {
            throw SignInError(.provider, "\(url): keys: at most \(Self.maximumKeys) keys expected")
        }
        var keys: [ProviderKey] = []
        for value in published {
            if let key = await ProviderKey(value) { keys.append(key) }
        }
        self.keys = keys
    }

    /// What verifies a token with this header.
    ///
    /// A token need not name its key when there is one alone that it can be (OpenID Connect Core, section 10.1).
    ///
    /// - Throws: `.key` when there is no such key, or more than one; `.algorithm` when the key is for others.
    func verifier(for header: TokenHeader, algorithm: TokenAlgorithm) throws(SignInError) -> any JWTAlgorithm
    {
        guard let keyID = header.keyID else {
            let candidates = keys.compactMap { $0.verifiers[algorithm] }
            guard candidates.count == 1 else {
                throw SignInError(
                    .key,
                    "token: it does not name its key, and \(candidates.count) keys of the provider could be it"
                )
            }
            return candidates[0]
        }
        let named = keys.filter { $0.keyID?.utf8.elementsEqual(keyID.utf8) ?? false }
        guard !named.isEmpty else {
            throw SignInError(.key, "token: signed by a key that the provider does not publish")
        }
        let candidates = named.compactMap { $0.verifiers[algorithm] }
        guard let candidate = candidates.first else {
            throw SignInError(.algorithm, "token: its key is not for \(algorithm.rawValue)")
        }
        guard candidates.count == 1 else {
            throw SignInError(.key, "token: \(candidates.count) keys of the provider have its key's name")
        }
        return candidate
    }
}
