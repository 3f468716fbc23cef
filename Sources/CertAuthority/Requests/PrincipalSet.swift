// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// The names that a certificate will be good for: at least one, each once, in the order given.
///
/// There is no empty set, so a certificate that is good for "anybody" (as Vault once issued and older sshds accepted)
/// cannot be asked for.
public struct PrincipalSet: Sendable, Hashable {
    /// 1 to 256 names.
    public let names: [ExactText]

    /// The longest account or role name, in bytes.
    public static let maximumUserBytes = 255
    /// The longest host name, in bytes (RFC 1035, section 2.3.4).
    public static let maximumHostBytes = 253

    /// The principals of a user certificate.
    ///
    /// Allowed are ASCII letters, digits and `. _ - + @ = : /`, not starting with `-`: a principal is compared
    /// byte by byte, and lands in principals files, sshd's configuration and other people's scripts.
    public init(users names: [String]) throws(CertAuthorityError) {
        try self.init(names, field: "principal", maximumBytes: Self.maximumUserBytes) {
            name throws(CertAuthorityError) in
            try Self.checkCharacters(name, field: "principal", extra: "._-+@=:/")
        }
    }

    /// The names of a host certificate: DNS names and addresses in lower case, as ssh compares them.
    ///
    /// - Parameter allowWildcards: whether policy lets `*` and `?` in.
    public init(hosts names: [String], allowWildcards: Bool) throws(CertAuthorityError) {
        try self.init(names, field: "host name", maximumBytes: Self.maximumHostBytes) {
            name throws(CertAuthorityError) in
            guard allowWildcards || !name.contains(where: { "*?".contains($0) }) else {
                throw CertAuthorityError(
                    .invalidRequest,
                    "host name \"\(name.escapedForTerminal)\": wildcards are not allowed by policy",
                    hint:
                        "set issuance.host.wildcards in config.yaml if a certificate for many hosts is wanted"
                )
            }
            try Self.checkCharacters(name, field: "host name", extra: "._-:*?")
            guard name == name.lowercased() else {
                throw CertAuthorityError(
                    .invalidRequest,
                    "host name \"\(name)\": capitals never match, ssh compares names in lower case",
                    hint: "write \(name.lowercased())")
            }
        }
    }

    /// The same principals of a user certificate and one more.
    func adding(_ name: String) throws(CertAuthorityError) -> PrincipalSet {
        try PrincipalSet(users: names.map(\.string) + [name])
    }

    private init(
        _ names: [String], field: String, maximumBytes: Int,
        _ check: (String) throws(CertAuthorityError) -> Void
    ) throws(CertAuthorityError) {
        guard !names.isEmpty else {
            throw CertAuthorityError(
                .invalidRequest, "no \(field): a certificate without one is good for nobody")
        }
        guard names.count <= Limits.principals else {
            throw CertAuthorityError(
                .invalidRequest, "\(names.count) \(field)s: at most \(Limits.principals) are allowed")
        }
        var seen: Set<ExactText> = []
        for name in names {
            try checkText(name, field: field, maximumBytes: maximumBytes)
            try check(name)
            guard seen.insert(ExactText(name)).inserted else {
                throw CertAuthorityError(.invalidRequest, "\(field) \"\(name)\" is given twice")
            }
        }
        self.names = names.map { ExactText($0) }
    }

    private static func checkCharacters(
        _ name: String, field: String, extra: String
    ) throws(CertAuthorityError) {
        let stranger = name.unicodeScalars.first { scalar in
            !("a"..."z").contains(scalar) && !("A"..."Z").contains(scalar) && !("0"..."9").contains(scalar)
                && !extra.unicodeScalars.contains(scalar)
        }
        if let stranger {
            throw CertAuthorityError(
                .invalidRequest,
                "\(field) \"\(name.escapedForTerminal)\": \"\(String(stranger).escapedForTerminal)\" is not allowed",
                hint: stranger == "," ? "give each \(field) by itself" : "letters, digits and \(extra) are")
        }
        guard !name.hasPrefix("-") else {
            throw CertAuthorityError(.invalidRequest, "\(field) \"\(name)\": starts with -, like an option")
        }
    }
}
