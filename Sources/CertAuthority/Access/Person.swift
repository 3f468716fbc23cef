// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Somebody, or some workload, who has proved who they are.
public struct Person: Sendable, Hashable {
    /// The one name by which certificates, logs and policy know them. No two people have the same.
    public let identity: Identity
    /// Who vouches: the name of an identity provider in the configuration, ``enrolledKeys`` or ``apiKeys``.
    public let provider: String
    /// The provider's own, unchanging name for them.
    public let subject: String
    /// An e-mail address that the provider has verified.
    public let email: String?
    /// The groups that the provider puts them in.
    public let groups: [String]
    /// Everything else that the provider says: a mapping.
    public let claims: Claim
    /// When they last proved it.
    public let authenticatedAt: UnixTime

    /// The provider's name of people whose SSH keys an administrator enrolled.
    public static let enrolledKeys = "keys"
    /// The provider's name of workloads that have an API key.
    public static let apiKeys = "api-key"
    /// Names that no provider in the configuration may have.
    public static let reservedProviders: Set<String> = [enrolledKeys, apiKeys]

    public init(
        identity: Identity, provider: String, subject: String, email: String? = nil, groups: [String] = [],
        claims: Claim = .mapping([:]), authenticatedAt: UnixTime
    ) {
        self.identity = identity
        self.provider = provider
        self.subject = subject
        self.email = email
        self.groups = groups
        self.claims = claims
        self.authenticatedAt = authenticatedAt
    }
}
