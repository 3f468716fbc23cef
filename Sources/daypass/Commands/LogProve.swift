// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire
import TransparencyLog

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
