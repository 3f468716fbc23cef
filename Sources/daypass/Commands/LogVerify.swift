// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire
import TransparencyLog

struct LogVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Recompute the log and compare it with every checkpoint that is known.",
        discussion: """
            Verifies the CA's database, or with --tiles an exported log, for which --log-key is all that is needed of the \
            CA. An entry that was changed or dropped, and a database that was put back behind a published checkpoint, are \
            named. Exits 0 when all is well, 3 when it isn't.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var format: FormatOptions

    @Option(help: ArgumentHelp("Verify this folder, made by `daypass log export`.", valueName: "DIR"))
    var tiles: String?

    @Option(
        help: ArgumentHelp(
            "The log's key (from `daypass ca export log`); default: this CA's.", valueName: "VKEY"))
    var logKey: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Checkpoints that were published and must still hold.", valueName: "FILE"))
    var checkpoint: [String] = []

    @Option(
        help: ArgumentHelp(
            "Keys of hosts that cosign checkpoints, one a line: say who stands behind those of --checkpoint.",
            valueName: "FILE"))
    var witnesses: String?

    @Option(
        help: ArgumentHelp(
            "Fail unless so many witnesses stand behind each checkpoint of --checkpoint.", valueName: "N"))
    var atLeast: Int?

    /// Who stands behind a checkpoint.
    fileprivate struct Cosigned: Encodable {
        struct Witness: Encodable {
            let name: String
            let time: String
        }
        let entries: UInt64
        let witnesses: [Witness]
        let known: Int
    }

    private struct Report: Encodable {
        let verified: Bool
        var entries: UInt64? = nil
        var root: String? = nil
        var reason: String? = nil
        var cosigned: [Cosigned]? = nil
    }

    func validate() throws {
        guard witnesses == nil || !checkpoint.isEmpty else {
            throw ValidationError(
                "--witnesses: --checkpoint is needed too (daypass log witnesses --checkpoint prints the newest)"
            )
        }
        if let atLeast, atLeast < 1 || witnesses == nil {
            throw ValidationError("--at-least: a number over 0, with --witnesses")
        }
    }

    func run() throws {
        do {
            let key = try verifier()
            let keys = try witnesses.map { try WitnessKeys.read($0) }
            let published = try checkpoint.map { try CheckpointFile.read($0, key, witnesses: keys ?? []) }
            let head = try verifiedHead(key, published)
            let cosigned = keys.map { keys in published.map { Cosigned($0, of: keys.count) } }
            if let atLeast, let weak = cosigned?.first(where: { $0.witnesses.count < atLeast }) {
                try tell(
                    "\(weak.witnesses.count) of \(weak.known) witnesses stand behind the checkpoint of "
                        + "\(weak.entries) entries, \(atLeast) are asked for")
                throw ExitCode(ExitStatus.negative)
            }
            guard format.format == .text else {
                return try JSONOutput.write(
                    Report(verified: true, entries: head.size, root: head.root.base64, cosigned: cosigned))
            }
            Terminal.say(
                "\(Terminal.paint("verified", "32")): \(head.size) entries, root \(head.root.base64), "
                    + "signed by \(key.name)")
            for checkpoint in cosigned ?? [] {
                Terminal.say(
                    "checkpoint of \(checkpoint.entries) entries: \(checkpoint.witnesses.count) of "
                        + "\(checkpoint.known) witnesses stand behind it")
                for witness in checkpoint.witnesses {
                    Terminal.say("  \(witness.name.escapedForTerminal)  since \(witness.time)")
                }
            }
        } catch let error as CertAuthorityError where [.logInconsistent, .rolledBack].contains(error.code) {
            try tell(error.reason)
            throw ExitCode(ExitStatus.negative)
        } catch let error as TransparencyLogError {
            try tell(error.reason)
            throw ExitCode(ExitStatus.negative)
        }
    }

    private func tell(_ reason: String) throws {
        guard format.format == .text else {
            return try JSONOutput.write(Report(verified: false, reason: reason))
        }
        Terminal.complain("error", "the log does not verify: \(reason)")
        Terminal.complain(
            "hint", "keep everything as it is, and compare with a backup and with published checkpoints")
    }

    private func verifier() throws -> NoteVerifier {
        guard let logKey else { return try CAHome(home).logVerifier() }
        return try NoteVerifier(vkey: logKey, verify: isValidEd25519)
    }

    private func verifiedHead(_ key: NoteVerifier, _ published: [VerifiedCheckpoint]) throws -> TreeHead {
        var progress = Progress("verifying", total: 0)
        defer { progress.finish() }
        if let tiles {
            let folder = TileFolder(tiles)
            let stated = try CheckpointFile.read(tiles + "/checkpoint", key)
            progress = Progress("verifying", total: stated.head.size)
            try LogVerifier.verify(tiles: folder, checkpoint: stated, published: published) { done, _ in
                progress.update(done)
            }
            return stated.head
        }
        let home = try CAHome(home)
        let ledger = try home.ledger()
        let known = try [home.publishedCheckpoint()].compactMap { $0 } + published
        progress = Progress("verifying", total: try ledger.size())
        return try ledger.verify(logKey: key, published: known.map(\.head)) { done, _ in progress.update(done)
        }
    }
}

extension LogVerify.Cosigned {
    fileprivate init(_ checkpoint: VerifiedCheckpoint, of known: Int) {
        self.init(
            entries: checkpoint.head.size,
            witnesses: checkpoint.witnessSignatures.map {
                Witness(name: $0.name.string, time: "\(UnixTime(seconds: $0.timestamp ?? 0))")
            }, known: known)
    }
}
