// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import Foundation
import SSHWire
import TransparencyLog

struct CA: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a CA, and show its keys.",
        subcommands: [CAInit.self, CAList.self, CAShow.self, CAExport.self])
}

struct CAInit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a CA: user CA, host CA, log key, settings and log.",
        discussion: """
            The keys are encrypted with one passphrase, asked for on the terminal unless --passphrase-file or \
            --no-passphrase is given. An existing CA is never touched.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var format: FormatOptions

    @Flag(help: "Keep the keys on disk unencrypted, protected by their mode only.")
    var noPassphrase = false

    @Option(
        help: ArgumentHelp(
            "Type of the two CA keys: ed25519, ecdsa-p256, ecdsa-p384 or ecdsa-p521.", valueName: "TYPE"))
    var type: CAKeyType = .ed25519

    @Option(
        name: .customLong("import"),
        help: ArgumentHelp(
            "Take this private key instead of making one; for the user CA unless it says host= or log= (repeatable).",
            valueName: "[ROLE=]FILE"))
    var imports: [String] = []

    @Option(
        name: .customLong("ca-agent"),
        help: ArgumentHelp(
            "Leave this key in the ssh-agent: a .pub file or a SHA256: fingerprint; for the user CA unless it says "
                + "host= (repeatable).", valueName: "[ROLE=]KEY"))
    var agentKeys: [String] = []

    @Option(
        help: ArgumentHelp(
            "The log's name in its checkpoints (default: daypass.local/ and the log key's hash).",
            valueName: "NAME"))
    var origin: String?

    @Option(help: ArgumentHelp("sequential or random-looking serials.", valueName: "sequential|random"))
    var serials: SerialOrder = .sequential

    func validate() throws {
        guard !(noPassphrase && passphrase.file != nil) else {
            throw ValidationError("--no-passphrase and --passphrase-file exclude each other")
        }
    }

    func run() async throws {
        let folder = try home.folder
        try folder.checkIsUnused()
        let secret =
            noPassphrase ? nil : try passphrase.obtainNew(prompt: "Passphrase for the new CA's keys: ")
        let authorities = try collectAuthorities(secret)
        var configuration = CAConfiguration(origin: origin ?? CAHome.defaultOrigin(authorities))
        configuration.hasRandomSerials = serials == .random
        configuration.agentRoles = Set(authorities.filter { $0.change == .entrusted }.map(\.role))
        try await CAHome.create(
            in: folder, authorities, configuration, passphrase: secret, requester: try localRequester(),
            at: millisecondsNow(), randomBytes: SystemRandom.bytes)
        try report(folder, authorities, configuration)
    }

    private func report(
        _ folder: CAFolder, _ authorities: [NewAuthority], _ configuration: CAConfiguration
    ) throws {
        if noPassphrase {
            Terminal.complain(
                "warning",
                "the CA's keys are not encrypted: whoever reads \(folder.path.escapedForTerminal) can be anybody"
            )
        }
        guard format.format == .text else {
            return try JSONOutput.write(
                CAReport(folder, configuration, authorities.map { ($0.role, $0.publicKey) }))
        }
        Terminal.say("made a CA in \(folder.path.escapedForTerminal)")
        for authority in authorities {
            Terminal.say(
                "  \(authority.role.name.padded(5)) \(authority.publicKey.keyType.rawValue) \(authority.publicKey.fingerprint)"
                    + (authority.privateKey == nil ? " (in the ssh-agent)" : ""))
        }
        if noPassphrase { Terminal.say("  keys are NOT encrypted (--no-passphrase)") }
        Terminal.say("  log   \(configuration.origin)")
        Terminal.say("next: let sshd trust user certificates (TrustedUserCAKeys): daypass ca export user")
        Terminal.say(
            "      then: daypass issue user --key ~/.ssh/id_ed25519.pub --identity YOU --principal ACCOUNT")
    }
}

/// The key types that a CA is made with.
enum CAKeyType: String, ExpressibleByArgument, CaseIterable {
    case ed25519 = "ed25519"
    case p256 = "ecdsa-p256"
    case p384 = "ecdsa-p384"
    case p521 = "ecdsa-p521"

    var keyType: KeyType {
        switch self {
        case .ed25519: .ed25519
        case .p256: .ecdsaP256
        case .p384: .ecdsaP384
        case .p521: .ecdsaP521
        }
    }
}

enum SerialOrder: String, ExpressibleByArgument, CaseIterable {
    case sequential
    case random
}

extension CAInit {
    /// Makes, imports or finds one key for each role.
    fileprivate func collectAuthorities(_ secret: SecretBytes?) throws -> [NewAuthority] {
        let files = try byRole(imports, "--import", AuthorityRole.allCases)
        let agents = try byRole(agentKeys, "--ca-agent", [.user, .host])
        return try AuthorityRole.allCases.map { role in
            if files[role] != nil, agents[role] != nil {
                throw Failure(ExitStatus.usage, "the \(role.name) CA key is both imported and in an agent")
            }
            if let key = agents[role] {
                return NewAuthority(
                    role: role, change: .entrusted, publicKey: try AgentKeySource.find(key), privateKey: nil)
            }
            let key: PrivateKey
            if let path = files[role] {
                key = try importKey(path, secret)
            } else {
                key = try PrivateKey.generate(
                    role == .log ? .ed25519 : type.keyType, comment: "daypass \(role.name)")
            }
            if role == .log, key.publicKey.keyType != .ed25519 {
                throw CertAuthorityError(
                    .key, "log key: \(key.publicKey.keyType.rawValue), checkpoints need Ed25519")
            }
            return NewAuthority(
                role: role, change: files[role] == nil ? .created : .imported, publicKey: key.publicKey,
                privateKey: key)
        }
    }

    private func importKey(_ path: String, _ secret: SecretBytes?) throws -> PrivateKey {
        let contents = try FileIO.readSecret(path, maximumBytes: CAHome.maximumKeyFileBytes)
        do {
            return try PrivateKeyFile.parse(contents, path: path, passphrase: nil)
        } catch let error as CertAuthorityError where error.code == .passphrase {
            if let secret, let key = try? PrivateKeyFile.parse(contents, path: path, passphrase: secret) {
                return key
            }
            let own = try Terminal.askPassphrase("Passphrase of \(path.escapedForTerminal): ")
            return try PrivateKeyFile.parse(contents, path: path, passphrase: own)
        }
    }

    private func byRole(
        _ values: [String], _ option: String, _ allowed: [AuthorityRole]
    ) throws -> [AuthorityRole: String] {
        var byRole: [AuthorityRole: String] = [:]
        for value in values {
            let role = AuthorityRole.allCases.first { value.hasPrefix("\($0.name)=") }
            let text = role.map { String(value.dropFirst($0.name.count + 1)) } ?? value
            guard allowed.contains(role ?? .user) else {
                throw Failure(
                    ExitStatus.usage,
                    "\(option) \(value.escapedForTerminal): not for the \(role?.name ?? "") key")
            }
            guard byRole.updateValue(text, forKey: role ?? .user) == nil else {
                throw Failure(ExitStatus.usage, "\(option): two keys for the \((role ?? .user).name) CA")
            }
        }
        return byRole
    }
}
