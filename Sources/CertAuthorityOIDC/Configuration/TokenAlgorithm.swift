// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// How a token may be signed (RFC 7518 section 3.1, RFC 8037). There is no `none` and no HMAC: a shared secret would let
/// us, and whoever reads our settings, sign for the provider; and a public key taken for such a secret is everybody's.
public enum TokenAlgorithm: String, Sendable, Hashable, CaseIterable {
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    /// Ed25519 alone.
    case eddsa = "EdDSA"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"

    /// What is allowed unless the configuration says otherwise: what providers use by default.
    public static let usual: Set<TokenAlgorithm> = [.es256, .es384, .eddsa, .ps256, .rs256]
}
