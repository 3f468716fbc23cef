// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

struct FleetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet",
        abstract: "Say which CAs the hosts take, by a key that no server has.",
        subcommands: [FleetInit.self, FleetTrust.self, FleetShow.self])
}

struct FleetInit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make the fleet's root key.",
        discussion: """
            Hosts pin it when they join; from then on only its signature changes which CAs they take. It is needed for \
            that alone: keep it offline. A key in a FIDO token or an ssh-agent will do as well: then there is nothing to \
            make, and fleet trust --key names it.
            """)

    @Argument(help: ArgumentHelp("Where the key goes; its public half beside it.", valueName: "FILE"))
    var file = "fleet_root"

    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var format: FormatOptions

    @Flag(help: "Keep the key unencrypted, protected by its mode only.")
    var noPassphrase = false

    func validate() throws {
        guard !(noPassphrase && passphrase.file != nil) else {
            throw ValidationError("--no-passphrase and --passphrase-file exclude each other")
        }
    }

    func run() throws {
        for path in [file, file + ".pub"] where FileIO.exists(path) {
            throw CertAuthorityError(
                .unsafeFile, "\(path.escapedForTerminal) is there already",
                hint: "name another file; a root key is never overwritten")
        }
        let secret =
            noPassphrase ? nil : try passphrase.obtainNew(prompt: "Passphrase for the fleet's root key: ")
        let comment = "daypass fleet root"
        let key = try PrivateKey.generate(.ed25519, comment: comment)
        try FileIO.writeSecret(try key.openSSHFile(passphrase: secret), to: file)
        try PublicKeyFile.write(key.publicKey, comment: comment, to: file + ".pub")
        if noPassphrase {
            Terminal.complain(
                "warning",
                "the root key is not encrypted: whoever reads \(file.escapedForTerminal) says whom all hosts trust"
            )
        }
        guard format.format == .text else {
            return try JSONOutput.write(
                FleetRootReport(file: file, fingerprint: key.publicKey.fingerprint, key: key.publicKey.text))
        }
        Terminal.say("made the fleet's root key in \(file.escapedForTerminal)")
        Terminal.say("  root  \(key.publicKey.fingerprint)")
        Terminal.say("next: daypass fleet trust --key \(file.escapedForTerminal) --ca user_ca.pub")
        Terminal.say(
            "      then let hosts join; daypass-agent register --fleet-root \(key.publicKey.fingerprint)")
        Terminal.say("      keep \(file.escapedForTerminal) and a copy of it where no server reaches them")
    }
}

private struct FleetRootReport: Encodable {
    let file: String
    let fingerprint: String
    let key: String
}
