// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire
import TransparencyLog

/// A CA as programs read it.
struct CAReport: Encodable {
    struct Key: Encodable {
        let role: String
        let type: String
        let fingerprint: String
        let custody: String
        let publicKey: String
    }

    let home: String
    let origin: String
    let keys: [Key]

    init(
        _ folder: CAFolder, _ configuration: CAConfiguration, _ keys: [(role: AuthorityRole, key: PublicKey)]
    ) throws {
        home = folder.path
        origin = configuration.origin
        self.keys = try keys.map { role, key in
            Key(
                role: role.name, type: key.keyType.rawValue, fingerprint: key.fingerprint,
                custody: configuration.agentRoles.contains(role) ? "agent" : "file",
                publicKey: try PublicKeyLine(.key(key)).text)
        }
    }
}

extension CAHome {
    /// The CA as programs read it.
    func report() throws -> CAReport {
        try CAReport(folder, configuration, AuthorityRole.allCases.map { ($0, try publicKey($0)) })
    }
}

struct CAList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the CA's keys.")

    @OptionGroup var home: HomeOptions
    @OptionGroup var format: FormatOptions

    func run() throws {
        let report = try CAHome(home).report()
        guard format.format == .text else { return try JSONOutput.write(report) }
        Table(
            ["ROLE", "TYPE", "KEPT IN", "FINGERPRINT"],
            report.keys.map { [$0.role, $0.type, $0.custody, $0.fingerprint] }
        )
        .print()
    }
}

struct CAShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show the CA's keys, limits and the state of its log.")

    @OptionGroup var home: HomeOptions
    @OptionGroup var format: FormatOptions

    private struct Report: Encodable {
        let ca: CAReport
        let entries: UInt64
        let published: UInt64?
        let userMaximumLifetime: UInt64
        let hostMaximumLifetime: UInt64
        let permissions: [String]
        let serials: String
    }

    func run() throws {
        let home = try CAHome(home)
        let policy = home.configuration.policy
        let report = Report(
            ca: try home.report(), entries: try home.ledger().size(),
            published: try home.publishedCheckpoint()?.head.size,
            userMaximumLifetime: policy.user.maximumLifetime,
            hostMaximumLifetime: policy.host.maximumLifetime,
            permissions: policy.permissions.map(\.rawValue).sorted(),
            serials: home.configuration.hasRandomSerials ? "random" : "sequential")
        guard format.format == .text else { return try JSONOutput.write(report) }
        Terminal.say("CA in \(report.ca.home.escapedForTerminal)")
        for key in report.ca.keys {
            Terminal.say("  \(key.role.padded(5)) \(key.type) \(key.fingerprint) (\(key.custody))")
        }
        Terminal.say(
            "  user certificates live \(spell(policy.user.defaultLifetime)), at most \(spell(policy.user.maximumLifetime))"
        )
        Terminal.say(
            "  host certificates live \(spell(policy.host.defaultLifetime)), at most \(spell(policy.host.maximumLifetime))"
        )
        Terminal.say("  may be permitted: \(report.permissions.joined(separator: ", "))")
        Terminal.say("  serials \(report.serials)")
        Terminal.say("  log \(report.ca.origin), \(report.entries) entries")
    }
}

struct CAExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print what hosts and clients need to trust a CA key.",
        discussion: """
            daypass ca export user            for sshd's TrustedUserCAKeys
            daypass ca export user --authorized-keys deploy
                                              for one account's authorized_keys
            daypass ca export host --known-hosts '*.example.com'
                                              for known_hosts
            daypass ca export log             for whoever verifies the log
            """)

    @OptionGroup var home: HomeOptions

    @Argument(help: "user, host or log.")
    var role: Role

    /// The roles as arguments.
    enum Role: String, ExpressibleByArgument, CaseIterable {
        case user
        case host
        case log
    }

    @Option(
        help: ArgumentHelp(
            "As known_hosts line for these names (comma-separated, with a domain).", valueName: "PATTERNS"))
    var knownHosts: String?

    @Option(help: ArgumentHelp("As authorized_keys line for this principal.", valueName: "PRINCIPAL"))
    var authorizedKeys: String?

    func run() throws {
        let home = try CAHome(home)
        switch role {
        case .user:
            let key = try home.publicKey(.user)
            guard knownHosts == nil else {
                throw Failure(ExitStatus.usage, "--known-hosts is for the host CA")
            }
            let line = try PublicKeyLine(.key(key), comment: "daypass user CA").text
            guard let authorizedKeys else { return Terminal.say(line) }
            let principal = try PrincipalSet(users: [authorizedKeys]).names[0]
            Terminal.say("cert-authority,principals=\"\(principal)\" \(line)")
        case .host:
            let key = try home.publicKey(.host)
            guard authorizedKeys == nil else {
                throw Failure(ExitStatus.usage, "--authorized-keys is for the user CA")
            }
            let line = try PublicKeyLine(.key(key), comment: "daypass host CA").text
            guard let knownHosts else { return Terminal.say(line) }
            Terminal.say("@cert-authority \(try checkedPatterns(knownHosts)) \(line)")
        case .log:
            guard knownHosts == nil, authorizedKeys == nil else {
                throw Failure(ExitStatus.usage, "--known-hosts and --authorized-keys are not for the log key")
            }
            Terminal.say(try home.logVerifier().vkey)
        }
    }

    /// Refuses patterns that would make the CA trusted for every host there is.
    private func checkedPatterns(_ text: String) throws -> String {
        for pattern in text.split(separator: ",", omittingEmptySubsequences: false) {
            let allowed = pattern.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"\"\\#".utf8.contains($0) }
            guard allowed, !pattern.isEmpty else {
                throw Failure(
                    ExitStatus.usage,
                    "pattern \"\(String(pattern).escapedForTerminal)\": a host name pattern expected")
            }
            guard pattern.contains(where: { $0 != "*" && $0 != "?" && $0 != "." && $0 != "!" }) else {
                throw Failure(
                    ExitStatus.usage,
                    "pattern \"\(pattern)\" would trust this CA for every host in the world",
                    hint: "name the domain of your hosts: '*.example.com'")
            }
        }
        return text
    }
}
