// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol

/// Claims as policy sees them.
enum ClaimMapping {
    /// What is about the token and not about whom it names: policy can't use it, and logs need not have it.
    private static let tokensOwn: Set<String> = [
        "exp", "nbf", "iat", "auth_time", "nonce", "jti", "at_hash", "c_hash", "s_hash", "sid",
    ]

    /// All claims but those about the token itself, and an address that nobody verified: a rule about `email` must not
    /// let in who only says that it is theirs.
    ///
    /// - Throws: `.form` when two names are the same letters in two spellings: which of them counted would be chance.
    static func claims(of claims: TokenClaims) throws(SignInError) -> Claim {
        guard case .mapping(let all) = try claim(claims.all) else { return .mapping([:]) }
        return .mapping(
            all.filter { !tokensOwn.contains($0.key) && (claims.isEmailVerified || $0.key != "email") })
    }

    private static func claim(_ value: JSONValue) throws(SignInError) -> Claim {
        switch value {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .number(let number): return .number(number)
        case .string(let text): return .text(text)
        case .array(let values):
            var claims: [Claim] = []
            for value in values { claims.append(try claim(value)) }
            return .list(claims)
        case .object(let members):
            var claims: [String: Claim] = [:]
            for member in members {
                // The reader compares bytes, a dictionary letters: a trap for `Dictionary(uniqueKeysWithValues:)`.
                let isNew = claims.updateValue(try claim(member.value), forKey: member.name) == nil
                guard isNew else { throw SignInError(.form, "token: a claim's name in two spellings") }
            }
            return .mapping(claims)
        }
    }
}
