// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import TransparencyLog

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
