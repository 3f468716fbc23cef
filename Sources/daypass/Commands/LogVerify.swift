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

    private struct Report: Encodable {
        let verified: Bool
        let entries: UInt64?
        let root: String?
        let reason: String?
    }

    func run() throws {
        do {
            let head = try verifiedHead()
            guard format.format == .text else {
                return try JSONOutput.write(
                    Report(verified: true, entries: head.size, root: head.root.base64, reason: nil))
            }
            Terminal.say(
                "\(Terminal.paint("verified", "32")): \(head.size) entries, root \(head.root.base64), "
                    + "signed by \(try verifier().name)")
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
            return try JSONOutput.write(Report(verified: false, entries: nil, root: nil, reason: reason))
        }
        Terminal.complain("error", "the log does not verify: \(reason)")
        Terminal.complain(
            "hint", "keep everything as it is, and compare with a backup and with published checkpoints")
    }

    private func verifier() throws -> NoteVerifier {
        guard let logKey else { return try CAHome(home).logVerifier() }
        return try NoteVerifier(vkey: logKey, verify: isValidEd25519)
    }

    private func verifiedHead() throws -> TreeHead {
        let key = try verifier()
        let published = try checkpoint.map { try CheckpointFile.read($0, key) }
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

/// Signed checkpoints in files.
enum CheckpointFile {
    static func read(_ path: String, _ key: NoteVerifier) throws -> VerifiedCheckpoint {
        let bytes = try FileIO.read(path, maximumBytes: CAHome.maximumCheckpointBytes)
        do {
            return try VerifiedCheckpoint(try SignedNote(bytes.span), origin: key.name.string, logKeys: [key])
        } catch {
            throw CertAuthorityError(.logInconsistent, "\(path.escapedForTerminal): \(error.reason)")
        }
    }
}

/// An exported log's files.
struct TileFolder: TileSource {
    private let path: String

    init(_ path: String) { self.path = path }

    func bytes(at name: String, upTo maximumBytes: Int) throws -> [UInt8]? {
        let file = "\(path)/\(name)"
        guard FileIO.exists(file) else { return nil }
        return try FileIO.read(file, maximumBytes: maximumBytes)
    }
}

struct LogProve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove",
        abstract: "Prove that the log has an entry, or that it only ever grew.",
        discussion: """
            daypass log prove 17             for entry 17, as a file (C2SP tlog-proof)
            daypass log prove --certificate F
                                             the same for a certificate's entry
            daypass log prove --since F      checks that the log continues the
                                             checkpoint F
            daypass log prove --check PROOF --certificate F [--log-key VKEY]
            """)

    @OptionGroup var home: HomeOptions

    @Argument(help: ArgumentHelp("The entry's number.", valueName: "N"))
    var index: UInt64?

    @Option(help: ArgumentHelp("A certificate that this CA issued.", valueName: "FILE"))
    var certificate: String?

    @Option(help: ArgumentHelp("A checkpoint that was published earlier.", valueName: "FILE"))
    var since: String?

    @Option(
        help: ArgumentHelp(
            "Check this proof instead of making one; needs no CA when --log-key is given.", valueName: "PROOF"
        ))
    var check: String?

    @Option(
        help: ArgumentHelp(
            "The log's key (from `daypass ca export log`); default: this CA's.", valueName: "VKEY"))
    var logKey: String?

    func validate() throws {
        let wanted = [index != nil, certificate != nil && check == nil, since != nil, check != nil].filter {
            $0
        }.count
        guard wanted == 1 else {
            throw ValidationError("Give one of an entry's number, --certificate, --since or --check")
        }
        guard check == nil || certificate != nil else {
            throw ValidationError("--check needs the --certificate")
        }
    }

    func run() throws {
        if let check { return try checkProof(check) }
        let home = try CAHome(home)
        let ledger = try home.ledger()
        let checkpoint = try VerifiedCheckpoint(
            try ledger.checkpoint(), origin: try ledger.origin, logKeys: [try home.logVerifier()])
        if let since {
            let earlier = try CheckpointFile.read(since, try home.logVerifier())
            guard earlier.head.size <= checkpoint.head.size else {
                throw CertAuthorityError(
                    .rolledBack,
                    "the log has \(checkpoint.head.size) entries, \(since.escapedForTerminal) says \(earlier.head.size)"
                )
            }
            let proof = try ledger.withTree { tree in
                try ConsistencyProof(oldSize: earlier.head.size, newSize: checkpoint.head.size, from: tree)
            }
            try proof.verify(oldRoot: earlier.head.root, newRoot: checkpoint.head.root)
            return Terminal.say(
                "consistent: \(earlier.head.size) entries then, \(checkpoint.head.size) now, nothing was rewritten"
            )
        }
        let number = try index ?? entryIndex(ledger, readCertificate())
        guard number < checkpoint.head.size else {
            throw CertAuthorityError(
                .notFound,
                "the log has \(checkpoint.head.size) entries, counted from 0; there is no \(number)")
        }
        let proof = try ledger.withTree { tree in
            try InclusionProof(index: number, size: checkpoint.head.size, from: tree)
        }
        // The entry goes along: whoever checks needs its bytes, and compares them with the certificate.
        let entry = try ledger.entry(at: number) ?? []
        // What doesn't hold is not handed out.
        try proof.verify(leafHash: MerkleHash.leaf(entry.span), root: checkpoint.head.root)
        Terminal.write(try LoggedProof(proof, checkpoint: try ledger.checkpoint(), extra: entry).bytes)
    }

    private func readCertificate() throws -> Certificate {
        guard let certificate, case .certificate(let parsed) = try PublicKeyFile.readLine(certificate).content
        else {
            throw CertAuthorityError(
                .invalidRequest, "\((certificate ?? "").escapedForTerminal): a certificate expected")
        }
        return parsed
    }

    private func entryIndex(_ ledger: SQLiteLedger, _ certificate: Certificate) throws -> UInt64 {
        guard let index = try ledger.entryIndex(serial: certificate.fields.serial),
            try ledger.issuance(at: index).toBeSigned == [UInt8](certificate.signedBytes)
        else {
            throw CertAuthorityError(
                .notFound, "serial \(certificate.fields.serial): this certificate is not in the log",
                hint: "if this CA's key signed it, somebody else has that key")
        }
        return index
    }

    /// Checks a proof file against a certificate: what the log recorded is what the CA signed.
    private func checkProof(_ path: String) throws {
        let key =
            try logKey.map { try NoteVerifier(vkey: $0, verify: isValidEd25519) }
            ?? CAHome(home).logVerifier()
        let file = try FileIO.read(path, maximumBytes: CAHome.maximumCheckpointBytes * 4)
        let proof = try LoggedProof(file.span)
        let certificate = try readCertificate()
        let entry = proof.extra ?? []
        guard case .issuance(let record) = try LogEntry(encoded: entry.span).event,
            record.toBeSigned == [UInt8](certificate.signedBytes)
        else {
            throw Failure(ExitStatus.negative, "the proof is for another certificate")
        }
        let verified: VerifiedCheckpoint
        do {
            verified = try proof.verified(
                leafHash: MerkleHash.leaf(entry.span), origin: key.name.string, logKeys: [key])
        } catch {
            throw Failure(ExitStatus.negative, "the proof does not hold: \(error.reason)")
        }
        Terminal.say(
            "proven: entry \(proof.index) of \(verified.head.size) in \(key.name) records this certificate")
    }
}

struct LogExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the log as a folder of tiles (C2SP tlog-tiles) that others can mirror and verify.",
        discussion: "Given again, it adds what is new. Serve the folder as static files.")

    @OptionGroup var home: HomeOptions

    @Argument(help: ArgumentHelp("The folder.", valueName: "DIR"))
    var folder: String

    func run() throws {
        let home = try CAHome(home)
        let ledger = try home.ledger()
        let key = try home.logVerifier()
        let note = try ledger.checkpoint()
        let head = try VerifiedCheckpoint(note, origin: try ledger.origin, logKeys: [key]).head
        try FileIO.makeFolder(folder, mode: 0o755)
        let earlier =
            FileIO.exists(folder + "/checkpoint")
            ? try CheckpointFile.read(folder + "/checkpoint", key).head : nil
        if let earlier {
            guard earlier.size <= head.size, try ledger.root(size: earlier.size) == earlier.root else {
                throw CertAuthorityError(
                    .logInconsistent,
                    "\(folder.escapedForTerminal) holds another log, or a longer one than this CA's",
                    hint:
                        "verify both: daypass log verify, daypass log verify --tiles \(folder.escapedForTerminal)"
                )
            }
        }
        var progress = Progress("exporting", total: head.size)
        var written = 0
        for tile in try TileLayout(size: head.size).tiles(changedSince: earlier?.size ?? 0) {
            let bytes = try content(tile, ledger)
            if case .entries = tile.kind { progress.update(tile.firstPosition) }
            try FileIO.write(bytes.span, creatingFoldersIn: folder, at: tile.path)
            written += 1
        }
        progress.finish()
        // Last: a checkpoint promises that its tiles are there.
        let checkpoint = note.bytes
        try FileIO.write(checkpoint.span, to: folder + "/checkpoint", mode: 0o644)
        Terminal.say("\(folder.escapedForTerminal): \(head.size) entries, \(written) tiles written")
    }

    private func content(_ tile: Tile, _ ledger: SQLiteLedger) throws -> [UInt8] {
        guard case .entries = tile.kind else {
            return try ledger.withTree { tree in try HashTile(tile, from: tree).bytes }
        }
        let range = tile.firstPosition..<(tile.firstPosition + UInt64(tile.width))
        return try EntryBundle(tile, entries: try ledger.entries(range)).bytes
    }
}

struct LogRecover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Go on from an older database after the newest is lost.",
        discussion: """
            Records in the log that it had more entries once, and publishes a checkpoint that contradicts the old one: \
            whoever kept the old one will see it, and should. Serials do not repeat, as they follow the clock.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var passphrase: PassphraseOptions

    @Flag(help: "Confirm that the newer entries are lost and can't be put back.")
    var acceptLoss = false

    func run() async throws {
        let home = try CAHome(home)
        guard let published = try home.publishedCheckpoint() else {
            throw CertAuthorityError(
                .notFound, "no checkpoint was published beside the database, there is nothing to recover from"
            )
        }
        let key = try home.unlock([.log], passphrase).key(.log)
        let ledger = try SQLiteLedger(
            opening: home.folder.database, signer: try noteSigner(key, home.configuration.origin))
        let size = try ledger.size()
        let isIntact =
            try size >= published.head.size && ledger.root(size: published.head.size) == published.head.root
        guard !isIntact else {
            return Terminal.say(
                "nothing is lost: the database has all \(published.head.size) published entries")
        }
        guard acceptLoss else {
            throw Failure(
                ExitStatus.usage, "the database has \(size) entries, \(published.head.size) were published",
                hint: "put the newest database back if there is one; else confirm the loss with --accept-loss"
            )
        }
        _ = try ledger.verify(logKey: try home.logVerifier())
        let record = RecoveryRecord(knownSize: published.head.size, knownRoot: published.head.root.bytes)
        let receipts = try await ledger.append(
            [.recovery(record, requester: try localRequester())], at: millisecondsNow())
        try home.publishCheckpoint(ledger)
        Terminal.say("going on from \(size) entries; the loss is entry \(receipts.first?.index ?? size)")
        Terminal.complain(
            "warning",
            "certificates issued in lost entries are valid until they expire and can't be listed; revoke again what was "
                + "revoked in them")
    }
}
