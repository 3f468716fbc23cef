// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import Foundation
import SSHWire

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy everything that is needed to run into a new folder, while the control plane runs.",
        discussion: """
            The database is copied as it is at one moment. Private keys are left out unless --with-keys is given; keep \
            them elsewhere, and the passphrase somewhere else again. A certificate of your own (tls in daypassd.yaml) \
            is not in a backup either.
            """)

    @OptionGroup var home: ServerHomeOptions

    @Argument(
        help: ArgumentHelp(
            "A folder that isn't there yet (default: daypass-backup-TIME).", valueName: "folder"))
    var folder: String?

    @Flag(help: "Copy the private keys too, encrypted as they are.")
    var withKeys = false

    @Option(
        help: ArgumentHelp(
            "The signer's folder, for --with-keys where it has an account of its own.", valueName: "DIR"))
    var keys: String?

    func validate() throws {
        guard keys == nil || withKeys else { throw ValidationError("--keys goes with --with-keys") }
    }

    func run() throws {
        let opened = try CAHome(home.folder)
        let settings = try home.settings()
        let now = millisecondsNow()
        let path = folder ?? "daypass-backup-\(Self.fileName(UnixTime(seconds: now / 1_000)))"
        var elsewhere = [
            "daypassd.yaml": home.configurationFile, "policy.yaml": home.path(settings.policyFile),
        ]
        if let file = settings.fleetRootsFile { elsewhere["fleet_roots"] = home.path(file) }
        for role in KeySeparation.roles {
            let (own, given) = (home.folder.privateKey(role), keys.map { CAFolder($0).privateKey(role) })
            if let given { elsewhere[String(own.dropFirst(home.folder.path.utf8.count + 1))] = given }
            guard withKeys, !FileIO.exists(given ?? own) else { continue }
            Terminal.complain(
                "warning",
                "the \(role.name) CA's private key is not in it: it is not at \((given ?? own).escapedForTerminal)"
            )
            Terminal.complain(
                "hint", "where the signer has an account of its own, root names its folder with --keys")
        }
        let backup = try BackupFolder.write(
            to: path, home: opened, elsewhere: elsewhere, includingPrivateKeys: withKeys, at: now)
        if !withKeys {
            Terminal.complain(
                "warning",
                "no private key is in it: keep user_ca, host_ca, log_key and tls/root.key elsewhere")
        }
        Terminal.say("\(path.escapedForTerminal): \(backup.statement.entries) entries")
    }

    /// A time without what file systems dislike.
    private static func fileName(_ time: UnixTime) -> String {
        "\(time)".filter { $0 != "-" && $0 != ":" && $0 != " " }
    }
}
