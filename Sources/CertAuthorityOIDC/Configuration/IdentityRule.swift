// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What of a token becomes somebody's identity. ``IdentityProvider`` documents how each is checked and spelt.
public enum IdentityRule: Sendable, Hashable {
    /// The e-mail address that the provider says it has verified: `alice@example.com`.
    case email
    /// A claim of the token that is a text, like `preferred_username`: `alice`.
    case claim(String)
    /// The provider's own name for them: `248289761001@corp`.
    case subject
}
