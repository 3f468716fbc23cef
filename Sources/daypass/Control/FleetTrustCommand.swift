// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlProtocol
import Foundation
import SSHWire

struct FleetTrust: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust",
        abstract: "Sign which CAs the hosts take from now on, and send it to them (administrators).",
        discussion: """
            The CAs that are given are all that hosts take: those that are left out are refused once a host has the \
            statement. To change a CA, first give both, wait until daypass fleet show says that every host has them, and \
            then give the new one alone.
            """)

    @Option(
        name: .customLong("ca"), parsing: .singleValue,
        help: ArgumentHelp("Public keys of CAs, one a line (repeatable).", valueName: "FILE"))
    var authorities: [String]

    @Option(
        help: ArgumentHelp(
            "The fleet's root: a private key file, or a .pub file whose key the ssh-agent holds.",
            valueName: "FILE"))
    var key: String

    @Option(
        name: .customLong("statement-version"),
        help: ArgumentHelp("The statement's number (default: the next one).", valueName: "N"))
    var number: UInt64?

    @OptionGroup var passphrase: PassphraseOptions

    @Flag(help: "Show what would change; sign and send nothing.")
    var dryRun = false

    @Flag(name: .shortAndLong, help: "Don't ask.")
    var yes = false

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let keys = try authorities.flatMap(FleetStatements.authorities)
        let state = try ClientState()
        let present = try FleetTrustInfo(json: try await state.ask("GET", "/v1/fleet/trust"))
        let statement = try TrustStatement(
            version: number ?? (present.current?.statement.version ?? 0) + 1, authorities: keys)
        if let newest = present.current?.statement.version, statement.version <= newest {
            throw Failure("version \(statement.version): the control plane has \(newest) already")
        }
        try announce(statement, present, try state.server().info.userAuthority)
        if dryRun {
            return Terminal.say(format.format == .json ? statement.text : "dry run: nothing is signed")
        }
        guard yes || Terminal.askForYes("sign this? ") else { throw Failure("nothing is signed") }
        let signer = try LoginKey.signer(key, passphrase)
        if !present.roots.isEmpty, !present.roots.contains(signer.publicKey) {
            throw Failure(
                "\(key.escapedForTerminal) is \(signer.publicKey.fingerprint), and the fleet's root is "
                    + present.roots.map(\.fingerprint).joined(separator: " or "))
        }
        let signature = try signer.sign(Array(statement.text.utf8), namespace: TrustStatement.namespace)
        // What a token or an agent gave back is read before anybody else does.
        try signature.verify(Array(statement.text.utf8), namespace: TrustStatement.namespace)
        let answer = try await state.ask(
            "PUT", "/v1/fleet/trust", FleetTrustRequest(statement: statement, signature: signature).json,
            idempotencyKey: UUID().uuidString.lowercased())
        if format.format == .json { return Terminal.say(answer.text) }
        Terminal.say("statement \(statement.version), signed by \(signer.publicKey.fingerprint)")
        FleetStatements.print(try FleetTrustInfo(json: answer).hosts)
    }

    /// What will be otherwise.
    private func announce(
        _ statement: TrustStatement, _ present: FleetTrustInfo, _ own: PublicKey
    ) throws {
        let earlier = present.current?.statement
        let changes = statement.changes(from: earlier)
        Terminal.note(
            "statement \(statement.version)\(earlier.map { ", after \($0.version)" } ?? ", the first"), for \(present.hosts.count) hosts"
        )
        for authority in statement.authorities {
            let isNew = changes.added.contains { $0.key == authority.key }
            Terminal.note("  \(isNew ? "+" : " ") \(FleetStatements.words(authority))")
        }
        for authority in changes.removed { Terminal.note("  - \(FleetStatements.words(authority))") }
        if !changes.removed.isEmpty {
            let late = present.hosts.filter { $0.state != .acknowledged }.map(\.host)
            if !late.isEmpty {
                Terminal.complain(
                    "warning",
                    "\(late.count) hosts do not have statement \(earlier?.version ?? 0) yet: "
                        + late.prefix(5).map(\.escapedForTerminal).joined(separator: " "))
            }
        }
        if !statement.authorities.contains(where: { $0.key == own }) {
            Terminal.complain(
                "warning",
                "the control plane's own user CA \(own.fingerprint) is not among them: hosts will refuse what it issues"
            )
        }
    }
}

struct FleetShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show which CAs the hosts take, and which host has it (administrators).")

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let answer = try await ClientState().ask("GET", "/v1/fleet/trust")
        if format.format == .json { return Terminal.say(answer.text) }
        let info = try FleetTrustInfo(json: answer)
        guard let current = info.current else {
            Terminal.say("there is no statement yet: hosts take what daypass-agent trust install gave them")
            for root in info.roots { Terminal.say("  root  \(root.fingerprint)") }
            return FleetStatements.print(info.hosts)
        }
        let statement = current.statement
        let signer = try current.signature.signer.plainKey("signature")
        // Hosts check it too; whoever reads this should not have to believe the server.
        try current.signature.verify(Array(statement.text.utf8), namespace: TrustStatement.namespace)
        Terminal.say("statement \(statement.version), signed by \(signer.fingerprint)")
        for authority in statement.authorities { Terminal.say("  \(FleetStatements.words(authority))") }
        FleetStatements.print(info.hosts)
    }
}

enum FleetStatements {
    /// The CAs of a file, one a line.
    static func authorities(_ path: String) throws -> [TrustStatement.Authority] {
        try PublicKeyFile.readAll(path, "CA key", maximumBytes: 1 << 20).map {
            TrustStatement.Authority($0.key, comment: $0.comment)
        }
    }

    static func words(_ authority: TrustStatement.Authority) -> String {
        "\(authority.key.keyType.rawValue) \(authority.key.fingerprint)"
            + (authority.comment.isEmpty ? "" : " \(authority.comment.string.escapedForTerminal)")
    }

    static func print(_ hosts: [FleetTrustInfo.Host]) {
        guard !hosts.isEmpty else { return Terminal.say("no host has joined yet") }
        Table(
            ["HOST", "STATE", "WHY"],
            hosts.map {
                [$0.host.escapedForTerminal, $0.state.rawValue, ($0.reason ?? "").escapedForTerminal]
            }
        ).print()
    }
}

extension LoginKey {
    /// The key of a file or, by its .pub file, of the ssh-agent.
    ///
    /// - Parameter passphrase: where the passphrase of a private key file comes from.
    static func signer(_ path: String, _ passphrase: PassphraseOptions) throws -> LoginKey {
        guard let key = try candidates(path, first: nil, passphrase: passphrase).first else {
            throw Failure("\(path.escapedForTerminal): no key")
        }
        return key
    }
}
