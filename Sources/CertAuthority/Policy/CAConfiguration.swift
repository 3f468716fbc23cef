// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TransparencyLog

/// A CA folder's settings, as `config.yaml` holds them (docs/cli.md lists the keys).
///
/// A key that is not known is an error, so that a misspelt limit is not silently no limit.
public struct CAConfiguration: Sendable, Hashable {
    /// What may be issued.
    public var policy = IssuancePolicy()
    /// Whether new databases give out random-looking serials.
    public var hasRandomSerials = false
    /// The log's name in its checkpoints (C2SP tlog-checkpoint, "origin"), and its key's: a ``TransparencyLog/KeyName``.
    public var origin: String
    /// The roles whose key an ssh-agent holds.
    public var agentRoles: Set<AuthorityRole> = []

    /// The largest configuration file, in bytes.
    public static let maximumBytes = 64 << 10
    /// A configuration file has few brackets, braces and question marks, comments counted: 64 at most.
    private static let form = YAMLForm(maximumBytes: maximumBytes, maximumIndicators: 64)
    /// The most names in a list of permissions: each of the five may be there once.
    private static let maximumPermissions = 64

    public init(origin: String) { self.origin = origin }

    /// Parses a configuration file.
    ///
    /// - Parameter name: the file's name, for errors.
    /// - Throws: `.configuration`, naming the key.
    public init(yaml: String, name: String) throws(CertAuthorityError) {
        var reader = try Self.form.mapping(yaml, name: name)
        guard try reader.text("version") == "1" else {
            throw CertAuthorityError(.configuration, "\(name): version: 1 expected")
        }
        guard let origin = try reader.text("origin") else {
            throw CertAuthorityError(.configuration, "\(name): origin is missing")
        }
        do {
            _ = try KeyName(origin)
        } catch {
            throw CertAuthorityError(.configuration, "\(name): origin: \(error.reason)")
        }
        self.init(origin: origin)
        if let order = try reader.choice("serials", ["sequential", "random"]) {
            hasRandomSerials = order == "random"
        }
        if var issuance = try reader.mapping("issuance") {
            if let span = try issuance.spanOrZero("backdate") { policy.backdate = span }
            if let span = try issuance.spanOrZero("postdate") { policy.maximumPostdate = span }
            if var user = try issuance.mapping("user") {
                policy.user = try user.bounds(policy.user)
                if let names = try user.list("permissions", maximum: Self.maximumPermissions) {
                    policy.permissions = try Self.permissions(names, name)
                }
                try user.finish()
            }
            if var host = try issuance.mapping("host") {
                policy.host = try host.bounds(policy.host)
                if let choice = try host.choice("wildcards", ["true", "false"]) {
                    policy.allowsHostWildcards = choice == "true"
                }
                try host.finish()
            }
            try issuance.finish()
        }
        if var custody = try reader.mapping("custody") {
            for role in [AuthorityRole.user, .host] {
                if try custody.choice(role.name, ["file", "agent"]) == "agent" { agentRoles.insert(role) }
            }
            try custody.finish()
        }
        try reader.finish()
    }

    private static func permissions(_ names: [String], _ file: String) throws(CertAuthorityError) -> Set<
        Permission
    > {
        var permissions: Set<Permission> = []
        for name in names {
            guard let permission = Permission(rawValue: name) else {
                throw CertAuthorityError(
                    .configuration,
                    "\(file): issuance.user.permissions: \"\(name.escapedForTerminal)\" is not known",
                    hint: "known are \(Permission.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            permissions.insert(permission)
        }
        return permissions
    }

    /// The file that reads back as these settings.
    public var yaml: String {
        """
        # Settings of this CA. Unknown keys are refused; times are like 90s, 15m, 8h or 30d.
        version: 1

        # The log's name in its checkpoints. It can't be changed once the log has entries.
        origin: \(quotedYAML(origin))

        # sequential: by time, which packs into the smallest revocation lists. random: says nothing about how many
        # certificates there are. Decided when the database is made.
        serials: \(hasRandomSerials ? "random" : "sequential")

        issuance:
          # How far a certificate's start is set back against clocks that are late.
          backdate: \(spell(policy.backdate))
          # How far ahead a certificate may start.
          postdate: \(spell(policy.maximumPostdate))
          user:
            default_lifetime: \(spell(policy.user.defaultLifetime))
            max_lifetime: \(spell(policy.user.maximumLifetime))
            # What --permit may ask for.
            permissions: [\(policy.permissions.map(\.rawValue).sorted().joined(separator: ", "))]
          host:
            default_lifetime: \(spell(policy.host.defaultLifetime))
            max_lifetime: \(spell(policy.host.maximumLifetime))
            # Whether a host certificate may hold * and ?.
            wildcards: \(policy.allowsHostWildcards)

        # Where the CA keys live: in this folder (file) or in an ssh-agent (agent).
        custody:
          user: \(agentRoles.contains(.user) ? "agent" : "file")
          host: \(agentRoles.contains(.host) ? "agent" : "file")

        """
    }
}

/// A text as a YAML scalar: as it is when it can only be read as such, else in double quotes.
private func quotedYAML(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { isLetterOrDigit($0) || "._/-".utf8.contains($0) }
    if isPlain, let first = text.utf8.first, isLetterOrDigit(first) { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": quoted += "\\\(scalar)"
        case " "..."~": quoted.unicodeScalars.append(scalar)
        default:
            let digits = String(scalar.value, radix: 16)
            quoted += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
        }
    }
    return quoted + "\""
}

extension YAMLMapping {
    fileprivate mutating func bounds(
        _ given: IssuancePolicy.Bounds
    ) throws(CertAuthorityError) -> IssuancePolicy.Bounds {
        var bounds = given
        if let span = try spanOrZero("default_lifetime") { bounds.defaultLifetime = span }
        if let span = try spanOrZero("max_lifetime") { bounds.maximumLifetime = span }
        guard bounds.defaultLifetime > 0, bounds.maximumLifetime > 0 else {
            throw refuse("max_lifetime", "a positive time expected")
        }
        guard bounds.defaultLifetime <= bounds.maximumLifetime else {
            throw refuse("default_lifetime", "\(spell(bounds.defaultLifetime)) is over max_lifetime")
        }
        return bounds
    }
}
