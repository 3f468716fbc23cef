// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What somebody has proved who they are by, as far as it is kept here.
public enum LoginCredential: Sendable {
    /// What an identity provider says.
    case provider
    /// The same, and they have said on a page of this server that the session's key is theirs.
    case page(browser: IPAddress?)
    case enrolledKey(PublicKey)
    case apiKey(APIKey)

    /// ``LoginSession/credential``.
    var credential: String? {
        switch self {
        case .provider, .page: nil
        case .enrolledKey(let key): key.fingerprint
        case .apiKey(let key): key.credential
        }
    }

    /// When what was proved ends.
    var end: UnixTime {
        if case .apiKey(let key) = self { key.expires ?? .forever } else { .forever }
    }

    /// For the log.
    var reason: String {
        switch self {
        case .provider: ""
        case .page(let browser): "approved in a browser at \(browser?.description ?? "an unknown address")"
        case .enrolledKey(let key): "key \(key.fingerprint)"
        case .apiKey(let key): "API key \(key.id)"
        }
    }

    /// What a session is told that goes with it.
    var removal: SessionEnd {
        if case .apiKey = self { .apiKeyRemoved } else { .enrolledKeyRemoved }
    }
}

extension AccessAuthority.State {
    /// Whether the key is still there; a provider isn't asked again.
    func has(_ proof: LoginCredential) -> Bool {
        switch proof {
        case .provider, .page: true
        case .enrolledKey(let key): keys[key] != nil
        case .apiKey(let key): apiKeys[key.id] == key
        }
    }
}
