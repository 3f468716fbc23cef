// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// A host that has joined: the key by which its agent is known, and what it is in the inventory.
public struct EnrolledHost: Sendable, Hashable {
    /// Its id in the inventory (``ManagedHost/id``).
    public let id: String
    /// What its agent calls itself in tokens: `<organisation>:<host>:ssh`.
    public let clientID: String
    /// Its agent's key, P-384.
    public let key: PublicKey
    /// sshd's own keys as the agent reported them when it joined.
    public let hostKeys: [PublicKey]
    public let joined: UnixTime
    /// Whether it joined as Daypass's own agents do. P0's tokens, which are good for a week and any number of times, are not
    /// taken from such a host: it never makes one.
    public let isOwnAgent: Bool

    /// The most host keys: sshd has one of each type.
    public static let maximumHostKeys = 16

    public init(
        id: String, clientID: String, key: PublicKey, hostKeys: [PublicKey], joined: UnixTime,
        isOwnAgent: Bool = false
    ) {
        self.id = id
        self.clientID = clientID
        self.key = key
        self.hostKeys = hostKeys
        self.joined = joined
        self.isOwnAgent = isOwnAgent
    }
}
