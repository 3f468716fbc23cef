// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What sshd on a host is to trust: the desired state, from which a plan is made.
public struct TrustSettings: Sendable {
    /// A CA's key and what its line said behind it.
    public struct AuthorityKey: Sendable, Hashable {
        public let key: PublicKey
        public let comment: ExactText

        public init(_ key: PublicKey, comment: ExactText = "") {
            self.key = key
            self.comment = comment
        }
    }

    /// What `RevokedKeys` names.
    public enum Revocations: Sendable, Hashable {
        /// The list that is installed; a valid one that revokes nothing where there is none.
        case installed
        /// This list, as it was read and found good.
        case given(RevocationFile)
    }

    /// A host key that sshd offers, and the certificate for it.
    public struct HostIdentity: Sendable, Hashable {
        /// The private key's absolute path; it stays where it is.
        public let keyPath: String
        /// nil installs none.
        public let certificate: Certificate?

        /// - Throws: `.invalidRequest` for a certificate that is no host's, or is for another key.
        public init(keyPath: String, key: PublicKey, certificate: Certificate?) throws(AgentError) {
            try checkPath(keyPath, "host key")
            if let certificate {
                guard certificate.fields.kind == .host else {
                    throw AgentError(.invalidRequest, "host certificate: this is a user's certificate")
                }
                guard certificate.fields.key == key else {
                    throw AgentError(
                        .invalidRequest,
                        "host certificate: it is for the key \(certificate.fields.key.fingerprint), not for "
                            + "\(keyPath.escapedForTerminal), which is \(key.fingerprint)")
                }
            }
            self.keyPath = keyPath
            self.certificate = certificate
        }
    }

    /// How logins come to be known.
    public enum SessionHook: Sendable, Hashable {
        /// By sshd's messages alone, because that is what was asked for.
        case none
        /// By sshd's messages alone, because the module is not installed.
        case missingModule
        /// By a module in a PAM service file, both absolute paths; left out, and said so, where one of them is missing
        /// or sshd runs without PAM.
        case pam(serviceFile: String, module: String)
    }

    /// The CAs whose user certificates are taken, each once.
    public let authorities: [AuthorityKey]
    /// What is revoked.
    public var revocations: Revocations = .installed
    /// Who may enter which account; accounts that are not listed keep the file that they have, or none.
    public var principals: [AccountPrincipals] = []
    /// A host key or host certificate to offer.
    public var hostIdentity: HostIdentity?
    /// What is forbidden for every login, whatever its certificate permits.
    public var restrictions: [ForwardingRestriction] = []
    /// How logins come to be known.
    public var sessionHook: SessionHook = .none
    /// The program that sshd asks for an account's principals, instead of reading its file; nil to read the file.
    public var onlineCheck: OnlineCheck?
    /// The files that sshd reads static keys from, the one of the grants among them (``TrustPlanner/keyFiles(withGrantsOf:host:sshd:)``);
    /// empty leaves `AuthorizedKeysFile` as it is.
    public var keyFiles: [String] = []
    /// Takes the keys of an administrator's own `TrustedUserCAKeys` into ours; else such a line is a conflict.
    public var adoptsAuthorities = false
    /// Takes what an administrator's own `RevokedKeys` revokes into our list; else such a line is a conflict.
    public var adoptsRevocations = false
    /// Who owns what is made; root, but in tests.
    public var owner: UInt32 = 0
    public var group: UInt32 = 0
    /// The time, in seconds since 1970: when a list that is made here was made.
    public var unixSeconds: UInt64 = 0

    /// The most CAs of one host: sshd reads the whole list at each login.
    public static let maximumAuthorities = 256

    /// - Throws: `.invalidRequest` without a CA, or with too many.
    public init(authorities: [AuthorityKey]) throws(AgentError) {
        var unique: [AuthorityKey] = []
        for authority in authorities where !unique.contains(where: { $0.key == authority.key }) {
            unique.append(authority)
        }
        guard !unique.isEmpty else {
            throw AgentError(
                .invalidRequest, "no CA key to trust",
                hint: "--ca-keys names a file of public keys, one a line")
        }
        guard unique.count <= Self.maximumAuthorities else {
            throw AgentError(
                .invalidRequest, "\(unique.count) CA keys, at most \(Self.maximumAuthorities) are allowed")
        }
        self.authorities = unique
    }
}

/// An account and the principals that may enter it.
public struct AccountPrincipals: Sendable, Hashable {
    public let account: AccountName
    public let principals: [ExactText]
    /// False for principals that are written only where the account has none yet.
    public let replacesExisting: Bool

    /// - Throws: `.invalidRequest` for no principal, over 4,096 ones, and names that may be no user's principal:
    ///   patterns, and what sshd would cut or part.
    public init(_ account: AccountName, _ principals: [ExactText], replacesExisting: Bool) throws(AgentError)
    {
        guard !principals.isEmpty else {
            throw AgentError(.invalidRequest, "account \(account): no principals")
        }
        guard principals.count <= Self.maximumCount else {
            throw AgentError(
                .invalidRequest,
                "account \(account): \(principals.count) principals, at most \(Self.maximumCount) are allowed"
            )
        }
        for principal in principals { try Self.check(principal) }
        self.account = account
        self.principals = principals
        self.replacesExisting = replacesExisting
    }

    /// sshd reads the whole file at each login.
    static let maximumCount = 4_096

    /// Refuses what may not stand in a principals file.
    static func check(_ principal: ExactText) throws(AgentError) {
        do throws(SSHWireError) {
            _ = try AuthorizedPrincipal(principal)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
        // sshd compares byte by byte; whoever writes a pattern expects more.
        guard !principal.string.utf8.contains(where: { "*?".utf8.contains($0) }) else {
            throw AgentError(
                .invalidRequest,
                "principal \"\(principal.string.escapedForTerminal)\": a pattern, and a principal is one name"
            )
        }
    }
}

/// A setting of sshd that forbids forwarding, said outright: `DisableForwarding` left tunnels open until 10.4.
public struct ForwardingRestriction: Sendable, Hashable {
    /// As sshd_config(5) writes it.
    public let keyword: String
    public let value: String

    /// The keywords and the values that each may have.
    private static let allowed: [(keyword: String, values: [String])] = [
        ("AllowTcpForwarding", ["no", "local", "remote", "yes"]),
        ("AllowStreamLocalForwarding", ["no", "local", "remote", "yes"]),
        ("AllowAgentForwarding", ["no", "yes"]),
        ("X11Forwarding", ["no", "yes"]),
        ("PermitTunnel", ["no", "point-to-point", "ethernet", "yes"]),
        ("GatewayPorts", ["no", "clientspecified", "yes"]),
    ]

    /// - Throws: `.invalidRequest` for another keyword, or a value that it has not.
    public init(_ keyword: String, _ value: String) throws(AgentError) {
        guard let known = Self.allowed.first(where: { $0.keyword.lowercased() == keyword.lowercased() })
        else {
            throw AgentError(
                .invalidRequest, "\"\(keyword.escapedForTerminal)\" is no setting of forwarding",
                hint: Self.allowed.map(\.keyword).joined(separator: ", "))
        }
        guard known.values.contains(value.lowercased()) else {
            throw AgentError(
                .invalidRequest, "\(known.keyword): \"\(value.escapedForTerminal)\" is none of its values",
                hint: known.values.joined(separator: ", "))
        }
        self.init(unchecked: known.keyword, value.lowercased())
    }

    private init(unchecked keyword: String, _ value: String) {
        self.keyword = keyword
        self.value = value
    }

    /// Each way of forwarding, forbidden.
    public static let all = allowed.map { ForwardingRestriction(unchecked: $0.keyword, "no") }
}

/// Refuses paths that would need quotes or tokens of sshd_config(5), which its versions read differently.
func checkPath(_ path: String, _ field: StaticString) throws(AgentError) {
    guard path.hasPrefix("/"), path.utf8.count < 1_024,
        path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"\"'#%\\*?[],;".utf8.contains($0) })
    else {
        throw AgentError(
            .invalidRequest,
            "\(field) \(path.escapedForTerminal): an absolute path of plain ASCII expected, without blanks, quotes, #, %"
        )
    }
}
