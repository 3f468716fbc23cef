// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Who may enter an account of a host by certificate for good, as administrators say: what the host is to have.
public struct HostPrincipals: Sendable, Hashable {
    /// The host's id in the inventory (``ManagedHost/id``).
    public let host: String
    /// The account's name there.
    public let login: String
    /// All principals that enter it, in the order given, each once; nobody where there are none.
    public let principals: [String]

    /// The most principals of an account: an entry of the log names them all.
    public static let maximumPrincipals = 64
    /// The most accounts of a host about which something is said.
    public static let maximumAccounts = 256

    /// - Throws: `.invalidRequest` naming what is wrong: a login or principal that sshd would read otherwise than it looks,
    ///   and too many of them.
    public init(host: String, login: String, principals: [String]) throws(CertAuthorityError) {
        try checkText(host, field: "host", maximumBytes: ManagedHost.maximumIDBytes)
        try checkText(login, field: "login", maximumBytes: AccessWish.maximumLoginBytes)
        guard login.utf8.allSatisfy({ Self.isAllowed($0) }) else {
            throw CertAuthorityError(
                .invalidRequest, "login \"\(login.escapedForTerminal)\": no account's name",
                hint: "letters, digits and ._-@+$ are allowed")
        }
        var unique: [String] = []
        for principal in principals where !unique.contains(principal) { unique.append(principal) }
        guard unique.count <= Self.maximumPrincipals else {
            throw CertAuthorityError(
                .invalidRequest,
                "principals: \(unique.count), at most \(Self.maximumPrincipals) are allowed")
        }
        if !unique.isEmpty { _ = try PrincipalSet(users: unique) }
        self.host = host
        self.login = login
        self.principals = unique
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || "._-@+$".utf8.contains(byte)
    }
}
