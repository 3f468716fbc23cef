// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Access that somebody who is logged in asks others to approve.
public struct GrantWish: Sendable {
    /// Which hosts.
    public enum Target: Sendable {
        /// One, by its id, a name or an address.
        case host(String)
        /// Those that have all of these labels now, and whose rule asks for approval.
        case labels([String: String])
    }

    public var target: Target
    public var login: String
    /// In seconds; nil for the longest that the rule grants.
    public var duration: UInt64?
    public var wantsSudo: Bool
    public var permissions: Set<Permission>?
    public var forceCommand: String?
    public var key: PublicKey?
    public var reason: String
    public var ticket: String?
    public var isBreakGlass: Bool

    /// - Throws: `.invalidRequest` naming the field.
    public init(
        target: Target, login: String, duration: UInt64? = nil, wantsSudo: Bool = false,
        permissions: Set<Permission>? = nil, forceCommand: String? = nil, key: PublicKey? = nil,
        reason: String, ticket: String? = nil, isBreakGlass: Bool = false
    ) throws(CertAuthorityError) {
        switch target {
        case .host(let name):
            try checkText(name, field: "host", maximumBytes: AccessWish.maximumHostBytes)
        case .labels(let labels):
            guard (1...ManagedHost.maximumNames).contains(labels.count) else {
                throw CertAuthorityError(
                    .invalidRequest,
                    "labels: \(labels.count), 1 to \(ManagedHost.maximumNames) expected where no host is named")
            }
        }
        try checkText(login, field: "login", maximumBytes: AccessRequest.maximumAccountBytes)
        try checkText(reason, field: "reason", maximumBytes: AccessWish.maximumReasonBytes)
        if let ticket {
            try checkText(ticket, field: "ticket", maximumBytes: GrantRequest.maximumTicketBytes)
        }
        if let forceCommand {
            try checkText(forceCommand, field: "force-command", maximumBytes: UserOptions.maximumTextBytes)
        }
        if let duration, duration == 0 {
            throw CertAuthorityError(.invalidRequest, "duration: 0 seconds, a positive time expected")
        }
        self.target = target
        self.login = login
        self.duration = duration
        self.wantsSudo = wantsSudo
        self.permissions = permissions
        self.forceCommand = forceCommand
        self.key = key
        self.reason = reason
        self.ticket = ticket
        self.isBreakGlass = isBreakGlass
    }
}
