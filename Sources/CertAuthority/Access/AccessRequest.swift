// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Who wants to reach what, from where, with which key: everything that policy may look at.
public struct AccessRequest: Sendable {
    /// Who asks; nil when nobody has logged in.
    public var person: Person?
    /// The key to certify.
    public var key: PublicKey
    /// The account on the host.
    public var login: String
    /// The host.
    public var host: ManagedHost
    /// Where the request came from.
    public var sourceAddress: IPAddress?
    /// When it came.
    public var now: UnixTime
    /// The lifetime that was asked for, in seconds; nil for the rule's default.
    public var lifetime: UInt64?
    /// The permissions that were asked for; nil for all that the rule gives.
    public var permissions: Set<Permission>?
    /// The command that was asked to be the only one.
    public var forceCommand: String?
    /// Why, in the person's words.
    public var reason: String?

    public init(
        person: Person?, key: PublicKey, login: String, host: ManagedHost, sourceAddress: IPAddress? = nil,
        now: UnixTime, lifetime: UInt64? = nil, permissions: Set<Permission>? = nil,
        forceCommand: String? = nil, reason: String? = nil
    ) {
        self.person = person
        self.key = key
        self.login = login
        self.host = host
        self.sourceAddress = sourceAddress
        self.now = now
        self.lifetime = lifetime
        self.permissions = permissions
        self.forceCommand = forceCommand
        self.reason = reason
    }
}
