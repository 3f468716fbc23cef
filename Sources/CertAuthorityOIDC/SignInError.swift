// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol

/// Why nobody is signed in, and what to do next.
///
/// Two errors are equal when their codes are. Neither tokens, codes nor secrets are in a reason; what it quotes of a
/// provider is escaped.
public struct SignInError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; new codes may be added.
    public enum Code: String, Sendable, CaseIterable {
        /// The provider can't be reached, does not answer in time, or says that it is broken.
        case unreachable
        /// The provider says what it must not say, or lacks what is needed.
        case provider
        /// The provider refuses: the client, the code, the request.
        case refused
        /// A token is not in the one form that is taken, or a claim not of its type.
        case form
        /// A token is signed by an algorithm that is not allowed, or not its key's.
        case algorithm
        /// The provider has no such key.
        case key
        /// A token's signature does not verify.
        case signature
        /// A token is somebody else's.
        case issuer
        /// A token is for somebody else.
        case audience
        /// A token has ended, has not begun, or who it is about signed in too long ago.
        case time
        /// A token belongs to another attempt to sign in.
        case nonce
        /// An answer belongs to another attempt to sign in, or to none that is still open.
        case state
        /// Whom the token names can't be somebody here: an address that isn't verified, a foreign domain, no rule.
        case identity
        /// The identity belongs to another account.
        case identityTaken
        /// The token was used before.
        case replay
        /// What must be recorded can't be.
        case store
    }

    public let code: Code
    /// What happened and why: one line, lower case, no full stop.
    public let reason: String
    /// What to do next.
    public let hint: String?

    public init(_ code: Code, _ reason: String, hint: String? = nil) {
        self.code = code
        self.reason = reason
        self.hint = hint
    }

    public var description: String { reason }
}

extension SignInError: Equatable {
    public static func == (one: SignInError, other: SignInError) -> Bool { one.code == other.code }
}
