// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Yams

/// A CA folder's settings, as `config.yaml` holds them (docs/cli.md lists the keys).
///
/// A key that is not known is an error, so that a misspelt limit is not silently no limit.
public struct CAConfiguration: Sendable, Hashable {
    /// What may be issued.
    public var policy = IssuancePolicy()
    /// Whether new databases give out random-looking serials.
    public var hasRandomSerials = false
    /// The log's name in its checkpoints (C2SP tlog-checkpoint, "origin").
    public var origin: String
    /// The roles whose key an ssh-agent holds.
    public var agentRoles: Set<AuthorityRole> = []

    /// The largest configuration file, in bytes.
    public static let maximumBytes = 64 << 10

    public init(origin: String) { self.origin = origin }

    /// Parses a configuration file.
    ///
    /// - Parameter name: the file's name, for errors.
    /// - Throws: `.configuration`, naming the key.
    public init(yaml: String, name: String) throws(CertAuthorityError) {
        let document: Node?
        do {
            document = try Yams.compose(yaml: yaml)
        } catch {
            throw CertAuthorityError(.configuration, "\(name): \("\(error)".escapedForTerminal)")
        }
        guard let root = document?.mapping else {
            throw CertAuthorityError(.configuration, "\(name): a mapping of keys expected")
        }
        var reader = MappingReader(root, name: name)
        guard try reader.text("version") == "1" else {
            throw CertAuthorityError(.configuration, "\(name): version: 1 expected")
        }
        guard let origin = try reader.text("origin") else {
            throw CertAuthorityError(.configuration, "\(name): origin is missing")
        }
        self.init(origin: origin)
        if let order = try reader.choice("serials", ["sequential", "random"]) {
            hasRandomSerials = order == "random"
        }
        if var issuance = try reader.mapping("issuance") {
            if let span = try issuance.span("backdate") { policy.backdate = span }
            if let span = try issuance.span("postdate") { policy.maximumPostdate = span }
            if var user = try issuance.mapping("user") {
                policy.user = try user.bounds(policy.user)
                if let names = try user.list("permissions") {
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
        origin: \(origin)

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

/// Takes the keys of a YAML mapping one by one and then refuses what is left.
private struct MappingReader {
    private let mapping: Node.Mapping
    private let name: String
    private let path: String
    private var known: Set<String> = []

    init(_ mapping: Node.Mapping, name: String, path: String = "") {
        self.mapping = mapping
        self.name = name
        self.path = path
    }

    private func refuse(_ key: String, _ reason: String) -> CertAuthorityError {
        CertAuthorityError(.configuration, "\(name): \(path)\(key.escapedForTerminal): \(reason)")
    }

    private mutating func node(_ key: String) -> Node? {
        known.insert(key)
        return mapping[Node(key)]
    }

    mutating func text(_ key: String) throws(CertAuthorityError) -> String? {
        guard let node = node(key) else { return nil }
        guard let text = node.scalar?.string, !text.isEmpty else { throw refuse(key, "a value expected") }
        return text
    }

    mutating func choice(_ key: String, _ choices: [String]) throws(CertAuthorityError) -> String? {
        guard let text = try text(key) else { return nil }
        guard choices.contains(text) else {
            throw refuse(
                key, "\"\(text.escapedForTerminal)\", one of \(choices.joined(separator: ", ")) expected")
        }
        return text
    }

    mutating func span(_ key: String) throws(CertAuthorityError) -> UInt64? {
        guard let text = try text(key) else { return nil }
        do {
            return text == "0" || text == "0s" ? 0 : try parseTimeSpan(text, field: key)
        } catch {
            throw CertAuthorityError(.configuration, "\(name): \(path)\(error.reason)")
        }
    }

    mutating func list(_ key: String) throws(CertAuthorityError) -> [String]? {
        guard let node = node(key) else { return nil }
        guard let items = node.sequence?.map({ $0.scalar?.string }), !items.contains(nil) else {
            throw refuse(key, "a list of names expected")
        }
        return items.compactMap { $0 }
    }

    mutating func mapping(_ key: String) throws(CertAuthorityError) -> MappingReader? {
        guard let node = node(key) else { return nil }
        guard let mapping = node.mapping else { throw refuse(key, "a mapping of keys expected") }
        return MappingReader(mapping, name: name, path: "\(path)\(key).")
    }

    mutating func bounds(_ given: IssuancePolicy.Bounds) throws(CertAuthorityError) -> IssuancePolicy.Bounds {
        var bounds = given
        if let span = try span("default_lifetime") { bounds.defaultLifetime = span }
        if let span = try span("max_lifetime") { bounds.maximumLifetime = span }
        guard bounds.defaultLifetime > 0, bounds.maximumLifetime > 0 else {
            throw refuse("max_lifetime", "a positive time expected")
        }
        guard bounds.defaultLifetime <= bounds.maximumLifetime else {
            throw refuse("default_lifetime", "\(spell(bounds.defaultLifetime)) is over max_lifetime")
        }
        return bounds
    }

    func finish() throws(CertAuthorityError) {
        for key in mapping.keys {
            guard let text = key.scalar?.string, known.contains(text) else {
                throw refuse(
                    key.scalar?.string ?? "?",
                    "not known here (known are \(known.sorted().joined(separator: ", ")))")
            }
        }
    }
}
