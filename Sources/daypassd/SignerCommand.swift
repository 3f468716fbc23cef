// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

struct SignerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signer",
        abstract: "Sign what the log records: the process that holds the CA keys.",
        discussion: """
            daypassd serve starts one by itself. To run it as a service of its own, start it with the same folder and \
            account, and name its socket in daypassd.yaml (signer_socket).
            """)

    @OptionGroup var home: ServerHomeOptions

    @Option(
        help: ArgumentHelp("Where to listen (default: run/signer.sock in the folder).", valueName: "SOCKET"))
    var socket: String?

    @Flag(help: "End when standard input ends, so as not to outlive whoever started this.")
    var untilStdinEnds = false

    func run() throws {
        let opened = try CAHome(home.folder)
        let settings = try home.settings()
        let keyring = try opened.unlock([.user, .host]) { _ in try settings.passphrase(home.folder) }
        let ledger = try opened.ledger()
        let desk = SigningDesk(
            entries: ledger,
            signers: [GuardedKeySigner(try keyring.key(.user)), GuardedKeySigner(try keyring.key(.host))],
            policy: opened.configuration.policy)
        let path = socket ?? home.signerSocket
        let listener = try SignerListener(path: path)
        if untilStdinEnds { SignerListener.endWithStandardInput() }
        Terminal.note("signer: ready at \(path.escapedForTerminal)")
        dropStartupPages()
        try listener.serve { order in
            do throws(CertAuthorityError) {
                return .success(try desk.sign(order.indexes, at: unixTimeNow()))
            } catch {
                return .failure(error)
            }
        }
    }
}
