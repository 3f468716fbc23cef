// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

struct SignerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signer",
        abstract: "Sign what the log records: the process that holds the CA keys.",
        discussion: """
            daypassd serve starts one by itself, in its own account. As a service of another account (daypassd split), it \
            takes --keys, its folder of keys and bounds, and of the control plane's folder it reads the database alone; \
            $DAYPASSD_PASSPHRASE_FILE is its passphrase then.
            """)

    @OptionGroup var home: ServerHomeOptions

    @Option(
        help: ArgumentHelp("Where to listen (default: run/signer.sock in the folder).", valueName: "SOCKET"))
    var socket: String?

    @Option(
        help: ArgumentHelp(
            "The signer's own folder: keys, and config.yaml with its bounds (default: the control plane's folder).",
            valueName: "DIR"))
    var keys: String?

    @Option(
        help: ArgumentHelp(
            "The account that may connect, by name or number, and no other (default: the signer's own).",
            valueName: "USER"))
    var serverUser: String?

    @Flag(help: "End when standard input ends, so as not to outlive whoever started this.")
    var untilStdinEnds = false

    func validate() throws {
        guard keys == nil || socket != nil else {
            throw ValidationError(
                "--keys goes with --socket: the control plane's folder is not the signer's to write")
        }
    }

    func run() throws {
        let client = try serverUser.map { try SystemAccount($0).userID } ?? geteuid()
        let (opened, keyring) = try unlock()
        let entries = LedgerFile(home.folder.database)
        do {
            try entries.open()
        } catch {
            // Of another account: while the server hasn't run, the database may not open yet. The first order needs it.
            guard keys != nil else { throw error }
            Terminal.note("signer: the log can't be read yet: \(error.reason)")
        }
        let desk = SigningDesk(
            entries: entries,
            signers: [GuardedKeySigner(try keyring.key(.user)), GuardedKeySigner(try keyring.key(.host))],
            policy: opened.configuration.policy)
        let path = socket ?? home.signerSocket
        let listener = try SignerListener(path: path, client: client)
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

    /// The keys, with the bounds that lie beside them. From a folder of the signer's own nothing of the control plane's
    /// settings is read: whoever can write those is whom the keys are kept from.
    private func unlock() throws -> (CAHome, Keyring) {
        guard let keys else {
            let opened = try CAHome(home.folder)
            let settings = try home.settings()
            return (
                opened,
                try opened.unlock(KeySeparation.roles) { _ in try settings.passphrase(home.folder) }
            )
        }
        let folder = CAFolder(keys)
        guard FileIO.exists(folder.configuration) else {
            throw CertAuthorityError(
                .notFound, "there are no keys and bounds in \(keys.escapedForTerminal)",
                hint: "give them to the signer with: sudo daypassd split")
        }
        try FileIO.checkSecretFolder(keys)
        let opened = try CAHome(folder)
        let keyring = try opened.unlock(KeySeparation.roles) { _ in
            guard let file = environment("DAYPASSD_PASSPHRASE_FILE"), !file.isEmpty else {
                throw CertAuthorityError(
                    .passphrase,
                    "the keys in \(keys.escapedForTerminal) are encrypted, and no passphrase is given",
                    hint: "name its file, or a systemd credential, in $DAYPASSD_PASSPHRASE_FILE")
            }
            return try Passphrase.read(file)
        }
        return (opened, keyring)
    }
}
