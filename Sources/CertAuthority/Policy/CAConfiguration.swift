// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TransparencyLog
import Yams

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
    /// The most brackets, braces and question marks in a configuration file, comments counted.
    private static let maximumIndicators = 64

    public init(origin: String) { self.origin = origin }

    /// Parses a configuration file.
    ///
    /// - Parameter name: the file's name, for errors.
    /// - Throws: `.configuration`, naming the key.
    public init(yaml: String, name: String) throws(CertAuthorityError) {
        try Self.checkForm(yaml, name)
        let document: Node?
        do {
            document = try Yams.compose(yaml: yaml)
        } catch {
            throw CertAuthorityError(.configuration, "\(name): \("\(error)".escapedForTerminal)")
        }
        guard let root = document?.mapping else {
            throw CertAuthorityError(.configuration, "\(name): a mapping of keys expected")
        }
        var reader = try MappingReader(root, name: name)
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

    /// Refuses what costs a YAML reader more than its length: Yams compares mapping keys by everything inside them,
    /// which aliases make grow without bound, and nested keys with the square of their number.
    private static func checkForm(_ yaml: String, _ name: String) throws(CertAuthorityError) {
        guard yaml.utf8.count <= maximumBytes else {
            throw CertAuthorityError(
                .configuration, "\(name): \(yaml.utf8.count) bytes, at most \(maximumBytes) are allowed")
        }
        var previous: UInt8 = 0
        var indicators = 0
        var holdsAnchor = false
        var holdsAlias = false
        for byte in yaml.utf8 {
            if "[{?".utf8.contains(byte) { indicators += 1 }
            let isName = byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || isLetterOrDigit(byte)
            if isName, previous == UInt8(ascii: "&") { holdsAnchor = true }
            if isName, previous == UInt8(ascii: "*") { holdsAlias = true }
            previous = byte
        }
        guard !holdsAnchor || !holdsAlias else {
            throw CertAuthorityError(
                .configuration, "\(name): anchors and aliases (&name, *name) are not read here")
        }
        guard indicators <= maximumIndicators else {
            throw CertAuthorityError(
                .configuration,
                "\(name): \(indicators) brackets, braces and question marks, at most \(maximumIndicators) are allowed"
            )
        }
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

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
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

/// Takes the keys of a YAML mapping one by one and then refuses what is left.
private struct MappingReader {
    /// By the keys' text alone: Yams' own lookup also compares tags, and would not find a key that has one.
    private var values: [String: Node] = [:]
    private let name: String
    private let path: String
    private var known: Set<String> = []

    init(_ mapping: Node.Mapping, name: String, path: String = "") throws(CertAuthorityError) {
        self.name = name
        self.path = path
        for (key, value) in mapping {
            guard let text = key.scalar?.string else { throw refuse("?", "not known here, a name expected") }
            guard values.updateValue(value, forKey: text) == nil else {
                throw refuse(text, "given twice")
            }
        }
    }

    private func refuse(_ key: String, _ reason: String) -> CertAuthorityError {
        CertAuthorityError(.configuration, "\(name): \(path)\(key.escapedForTerminal): \(reason)")
    }

    private mutating func node(_ key: String) -> Node? {
        known.insert(key)
        return values[key]
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
        return try MappingReader(mapping, name: name, path: "\(path)\(key).")
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
        for key in values.keys.sorted() where !known.contains(key) {
            throw refuse(key, "not known here (known are \(known.sorted().joined(separator: ", ")))")
        }
    }
}
