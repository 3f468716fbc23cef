// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import Foundation
import SSHWire

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a control plane from a backup.",
        discussion: """
            Checks every file's sum and the whole log first. The log gets an entry that admits the restoration, serials \
            go on beyond all that may have been given out since the backup, and everybody has to log in again. Make sure \
            that the old control plane is gone for good: two would fork the log.
            """)

    @Argument(help: ArgumentHelp("The backup.", valueName: "folder"))
    var backup: String

    @Option(help: ArgumentHelp("Where to: a folder with nothing in it.", valueName: "DIR"))
    var home: String

    @Option(
        help: ArgumentHelp("A folder with the private keys, where the backup has none.", valueName: "DIR"))
    var keys: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Checkpoints that were published; a file called checkpoint beside the backup is one.",
            valueName: "FILE"))
    var checkpoint: [String] = []

    @Option(
        help: ArgumentHelp(
            "The passphrase of the log's key (default: passphrase_file in the backup's daypassd.yaml).",
            valueName: "FILE"))
    var passphraseFile: String?

    func run() async throws {
        let source = try BackupFolder(opening: backup)
        let beside =
            URL(filePath: backup).standardizedFileURL.deletingLastPathComponent().path + "/checkpoint"
        let folder = CAFolder(home)
        let restored = try await source.restore(
            to: folder, keys: keys, checkpoints: checkpoint + (FileIO.exists(beside) ? [beside] : []),
            requester: try Identity.localAccount, at: millisecondsNow()
        ) {
            if let passphraseFile { return try Passphrase.read(passphraseFile) }
            return try settings().passphrase(folder)
        }
        try report(restored, source)
    }

    private func settings() throws -> ServerConfiguration {
        let path = backup + "/daypassd.yaml"
        guard FileIO.exists(path) else { return ServerConfiguration() }
        let bytes = try FileIO.read(path, maximumBytes: ServerConfiguration.maximumBytes)
        return try ServerConfiguration(
            yaml: String(decoding: bytes, as: UTF8.self), name: path.escapedForTerminal)
    }

    private func report(_ restored: BackupFolder.Restoration, _ source: BackupFolder) throws {
        let made = UnixTime(seconds: source.statement.made / 1_000)
        Terminal.say(
            "restored \(restored.entries) entries, as they were at \(made), to \(home.escapedForTerminal)")
        Terminal.say("  the log admits it in entry \(restored.entries)")
        Terminal.say("  \(restored.endedSessions) sessions ended: everybody logs in again")
        if restored.lost > 0 {
            Terminal.complain(
                "warning",
                "\(restored.lost) entries are lost that a published checkpoint vouches for: certificates issued in them "
                    + "are valid until they expire and can't be listed")
        }
        Terminal.complain(
            "warning",
            "whatever was revoked, removed or added after \(made) is not: revoke it again, and look through the keys "
                + "and hosts")
        if !restored.missingKeys.isEmpty {
            Terminal.complain(
                "warning", "not found, put them into place: \(restored.missingKeys.joined(separator: ", "))")
        }
        if restored.missingKeys.contains("tls/root.key") {
            Terminal.complain(
                "warning",
                "without tls/root.key the server makes a new root, and clients have to pin its fingerprint anew"
            )
        }
        let wanted = try settings()
        for (what, name, path) in [
            ("the policy is", "policy.yaml", wanted.policyFile),
            ("the fleet's root keys are", "fleet_roots", wanted.fleetRootsFile ?? "fleet_roots"),
        ] where path != name {
            Terminal.complain(
                "warning",
                "\(what) in \(name), daypassd.yaml names \(path.escapedForTerminal): put them there")
        }
    }
}
