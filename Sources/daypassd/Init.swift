// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlPlane
import Foundation
import SSHWire

struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a control plane: keys, log, settings, policy and the first administrator.",
        discussion: "A folder that holds a CA already is never touched.")

    @OptionGroup var home: ServerHomeOptions

    @Option(
        name: .customLong("name"),
        help: ArgumentHelp(
            "A name or address by which clients call this server (repeatable; default: this machine's name, localhost and 127.0.0.1).",
            valueName: "NAME"))
    var names: [String] = []

    @Option(help: ArgumentHelp("Where to listen.", valueName: "ADDRESS:PORT"))
    var listen = "0.0.0.0:8443"

    @Option(help: ArgumentHelp("Who administers, for example alice@example.com.", valueName: "IDENTITY"))
    var admin: String

    @Option(
        help: ArgumentHelp("The administrator's SSH public key; it may log in at once.", valueName: "FILE"))
    var adminKey: String

    @Option(help: ArgumentHelp("The log's name in its checkpoints.", valueName: "NAME"))
    var origin: String?

    @Option(
        name: .customLong("passphrase-file"),
        help: ArgumentHelp(
            "Encrypt the CA's keys with the passphrase in this file (mode 0600).", valueName: "FILE"))
    var passphraseFile: String?

    @Flag(help: "Keep the CA's keys on disk unencrypted, protected by their mode only.")
    var noPassphrase = false

    func validate() throws {
        guard noPassphrase != (passphraseFile != nil) else {
            throw ValidationError("give --passphrase-file FILE or --no-passphrase")
        }
    }

    func run() async throws {
        let folder = home.folder
        try folder.checkIsUnused()
        let identity = try Identity(admin, field: "--admin")
        let key = try PublicKeyFile.read(adminKey)
        let secret = try passphraseFile.map(Passphrase.read)
        let called = names.isEmpty ? [ProcessInfo.processInfo.hostName, "localhost", "127.0.0.1"] : names
        var yaml = ServerConfiguration.template(listen: listen, names: called)
        if let passphraseFile {
            yaml += "# The passphrase of the CA's keys.\npassphrase_file: \"\(passphraseFile)\"\n"
        }
        // Both are read as they will be, before anything is on disk.
        _ = try ServerConfiguration(yaml: yaml, name: "daypassd.yaml")
        let policy = Self.policy(admin: identity)
        let checked = try AccessPolicy(yaml: policy, name: "policy.yaml")
        let authorities = try AuthorityRole.allCases.map { role in
            let key = try PrivateKey.generate(.ed25519, comment: "daypass \(role.name)")
            return NewAuthority(role: role, change: .created, publicKey: key.publicKey, privateKey: key)
        }
        let configuration = CAConfiguration(origin: origin ?? CAHome.defaultOrigin(authorities))
        let requester = try Identity.localAccount
        try await CAHome.create(
            in: folder, authorities, configuration, passphrase: secret, requester: requester,
            at: millisecondsNow(), randomBytes: SystemRandom.bytes)
        try FileIO.write(yaml, to: folder.path + "/daypassd.yaml", mode: 0o600)
        try FileIO.write(policy, to: folder.path + "/policy.yaml", mode: 0o600)
        try FileIO.makeSecretFolder(home.tlsFolder)
        let tls = try ServerIdentity(folder: home.tlsFolder, names: called, at: Date())
        let opened = try CAHome(folder)
        let log = try opened.unlock([.log]) { prompt in
            guard let secret else { throw CertAuthorityError(.passphrase, prompt) }
            return secret
        }
        let ledger = try opened.ledger(signing: try log.key(.log))
        _ = try await ledger.append(
            [
                .change(
                    ChangeRecord(
                        subject: .policy, isPresent: true, name: ExactText(hexadecimal(checked.digest)),
                        detail: ""),
                    requester: requester),
                .change(
                    ChangeRecord(
                        subject: .enrolledKey, isPresent: true, name: identity.text,
                        detail: ExactText(key.fingerprint)), requester: requester),
            ], at: millisecondsNow())
        try await SQLiteDirectory(ledger).add(
            try EnrolledKey(key: key, identity: identity, added: unixTimeNow()))
        try opened.publishCheckpoint(ledger)
        report(folder, identity, key, tls, called)
    }

    private func report(
        _ folder: CAFolder, _ identity: Identity, _ key: PublicKey, _ tls: ServerIdentity, _ names: [String]
    ) {
        if noPassphrase {
            Terminal.complain(
                "warning",
                "the CA's keys are not encrypted: whoever reads \(folder.path.escapedForTerminal) can be anybody"
            )
        }
        let port = listen.split(separator: ":").last.map(String.init) ?? "8443"
        Terminal.say("made a control plane in \(folder.path.escapedForTerminal)")
        Terminal.say("  administrator \(identity), by the key \(key.fingerprint)")
        Terminal.say("  certificate   \(tls.fingerprint)")
        Terminal.say("next: daypassd serve\(home.home.map { " --home \($0.escapedForTerminal)" } ?? "")")
        Terminal.say("      then, where \(identity) works:")
        Terminal.say(
            "      daypass login --server https://\(names.first ?? "localhost"):\(port) --fingerprint \(tls.fingerprint)"
        )
        Terminal.say("      daypass hosts add web1 --name web1.example.com --label team=infra")
        Terminal.say("      who may enter it says \(folder.path.escapedForTerminal)/policy.yaml")
    }

    /// A policy in which one person administers, and may enter an account of every host as an example.
    private static func policy(admin: Identity) -> String {
        """
        # Who may enter what (docs/formats/access-policy.md). Try a change first: daypass policy check policy.yaml
        version: 1

        # Who may enrol keys and hosts and end others' sessions.
        administrators:
          or:
            - user: "\(admin)"

        rules:
          - name: administrators-deploy
            hosts: [{any: true}]
            logins: [deploy]
            allow:
              or:
                - user: "\(admin)"
            certificate:
              max_lifetime: 1h
              default_lifetime: 10m

          # Nobody logs in as root by a certificate of ours.
          - name: never-root
            hosts: [{any: true}]
            deny:
              or:
                - ssh_username: root

        """
    }
}
