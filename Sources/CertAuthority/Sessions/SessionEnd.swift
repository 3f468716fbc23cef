// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Why a session is over. Whoever holds its key is told, and nobody else.
public enum SessionEnd: String, Sendable, Hashable, CaseIterable {
    /// By whoever had it, from here or from another of their sessions.
    case signedOut = "signed-out"
    case byAdministrator = "ended-by-administrator"
    case expired
    case enrolledKeyRemoved = "enrolled-key-removed"
    case apiKeyRemoved = "api-key-removed"
    /// Its identity may now be another account's.
    case identityFreed = "identity-freed"
    /// Newer ones of the same person took its place.
    case tooMany = "too-many-sessions"

    /// What happened, for people.
    public var reason: String {
        switch self {
        case .signedOut: "you ended it"
        case .byAdministrator: "an administrator ended it"
        case .expired: "its time is up"
        case .enrolledKeyRemoved: "the key that you logged in by was removed"
        case .apiKeyRemoved: "the API key that it was started by was removed"
        case .identityFreed: "an administrator freed your identity"
        case .tooMany: "you began more sessions than one may have"
        }
    }

    /// What to do next.
    public var hint: String {
        switch self {
        case .signedOut, .byAdministrator, .expired, .tooMany, .identityFreed: "log in again: daypass login"
        case .enrolledKeyRemoved: "log in by another key, or ask an administrator to enrol one"
        case .apiKeyRemoved: "ask an administrator for a new API key"
        }
    }
}
