// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

struct Issue: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Issue certificates from the CA in this folder.",
        subcommands: [IssueUser.self, IssueHost.self])
}

/// What both kinds of certificate are asked for with.
struct IssueOptions: ParsableArguments {
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Public keys to certify: one .pub file or many.", valueName: "FILE"))
    var key: [String] = []

    @Option(
        help: ArgumentHelp(
            "For how long: 90s, 15m, 8h, 1d12h (default and maximum are in config.yaml).", valueName: "SPAN"))
    var valid: String?

    // The next word whatever it is: -5m begins as an option does.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "From when: 2026-11-21T05:00:00Z, 20261121050000Z, @UNIX, +1h or -5m (default: now, backdated against clock skew).",
            valueName: "TIME"))
    var validFrom: String?

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp(
            "Write the certificate there; - for standard output. One key only.", valueName: "FILE"))
    var output: String?

    func validate() throws {
        guard !key.isEmpty else { throw ValidationError("Missing expected argument '--key <FILE>'") }
        guard output == nil || key.count == 1 else {
            throw ValidationError("-o takes the certificate of one key, \(key.count) are given")
        }
    }

    var lifetime: UInt64? {
        get throws {
            try valid.map { text throws(CertAuthorityError) in try parseTimeSpan(text, field: "--valid") }
        }
    }

    var start: UnixTime? {
        get throws {
            try validFrom.map { try TimeArgument.parse($0, field: "--valid-from", now: unixTimeNow()) }
        }
    }

    /// Where the certificate of the key in `path` goes: beside it, named as ssh looks for it.
    func certificatePath(_ path: String) -> String {
        output ?? (path.hasSuffix(".pub") ? String(path.dropLast(4)) : path) + "-cert.pub"
    }
}

struct IssueUser: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Issue user certificates: who may log in as what, for how long.",
        discussion: """
            The certificate lands beside the key (id_ed25519-cert.pub), where ssh finds it. Unless --permit asks for more, \
            it allows commands and a terminal, no forwarding.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var issue: IssueOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var format: FormatOptions

    @Option(help: ArgumentHelp("Whom it is for; sshd logs it with the serial.", valueName: "ID"))
    var identity: String

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("What it is good for: accounts or roles, each by itself.", valueName: "NAME"))
    var principal: [String] = []

    @Option(help: ArgumentHelp("The only command that it runs.", valueName: "COMMAND"))
    var forceCommand: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("The only addresses that it works from.", valueName: "CIDR"))
    var sourceAddress: [String] = []

    @Flag(help: "Ask the FIDO key's holder for a PIN or fingerprint at each login.")
    var verifyRequired = false

    @Option(
        help: ArgumentHelp(
            "What to allow: pty, port-forwarding, agent-forwarding, x11-forwarding, user-rc, comma-separated; none for nothing.",
            valueName: "LIST"))
    var permit = "pty"

    @Option(
        name: .customLong("extension"),
        help: ArgumentHelp("A further extension (repeatable).", valueName: "NAME[=VALUE]"))
    var extensions: [String] = []

    func run() async throws {
        let options = try UserOptions(
            forceCommand: forceCommand, sourceAddresses: try addresses(), verifyRequired: verifyRequired,
            permissions: try permissions(),
            extensions: try extensions.map { text throws(CertAuthorityError) in
                try UserOptions.parseExtension(text)
            })
        try await Issuance.run(
            home, issue, passphrase, format.format,
            Issuance.Profile(
                subject: .user(options), identity: try Identity(identity),
                principals: try PrincipalSet(users: principal)))
    }

    private func addresses() throws -> [AddressBlock] {
        do {
            return try sourceAddress.map { text throws(SSHWireError) in try AddressBlock(text) }
        } catch {
            throw CertAuthorityError(.invalidRequest, "--source-address: \(error.reason)")
        }
    }

    private func permissions() throws -> Set<Permission> {
        if permit == "none" { return [] }
        return Set(
            try permit.split(separator: ",", omittingEmptySubsequences: false).map { name in
                guard let permission = Permission(rawValue: String(name)) else {
                    throw CertAuthorityError(
                        .invalidRequest, "--permit: \"\(String(name).escapedForTerminal)\" is not known",
                        hint:
                            "known are \(Permission.allCases.map(\.rawValue).joined(separator: ", ")), and none"
                    )
                }
                return permission
            })
    }
}

struct IssueHost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host",
        abstract: "Issue host certificates: which names a host may prove.",
        discussion: "Put the certificate beside the host key and name it in sshd_config: HostCertificate.")

    @OptionGroup var home: HomeOptions
    @OptionGroup var issue: IssueOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var format: FormatOptions

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Every name and address that people type for it.", valueName: "NAME"))
    var hostname: [String] = []

    @Option(help: ArgumentHelp("What the key ID calls it (default: the first name).", valueName: "ID"))
    var identity: String?

    func run() async throws {
        let opened = try CAHome(home)
        let names = try PrincipalSet(
            hosts: hostname, allowWildcards: opened.configuration.policy.allowsHostWildcards)
        try await Issuance.run(
            home, issue, passphrase, format.format,
            Issuance.Profile(
                subject: .host, identity: try Identity(identity ?? names.names[0].string), principals: names))
    }
}
