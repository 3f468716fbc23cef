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

struct Split: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give the CA keys to an account of their own, which the server's can't read.",
        discussion: """
            For root, once after init, and again after restore. The keys move to the signer's folder with a copy of \
            config.yaml, whose bounds count there; the database becomes readable for the server's group, in which the \
            signer runs; daypassd.yaml gets the signer's socket. What is done already stays as it is.
            """)

    @OptionGroup var home: ServerHomeOptions

    @Option(
        help: ArgumentHelp(
            "The signer's account, by name or number. It must have nothing else.", valueName: "USER"))
    var signerUser: String

    @Option(help: ArgumentHelp("The signer's folder.", valueName: "DIR"))
    var keys = "/var/lib/daypassd-signer"

    @Option(help: ArgumentHelp("Where the signer will listen.", valueName: "SOCKET"))
    var socket = "/run/daypassd-signer/signer.sock"

    func validate() throws {
        guard keys.hasPrefix("/"), socket.hasPrefix("/") else {
            throw ValidationError("--keys and --socket take absolute paths")
        }
    }

    func run() throws {
        guard geteuid() == 0 else {
            throw CertAuthorityError(
                .file, "only root can give files to another account",
                hint: "sudo daypassd split --signer-user \(signerUser.escapedForTerminal)")
        }
        let separation = try KeySeparation(
            home: home.folder, keys: CAFolder(keys), signer: try SystemAccount(signerUser))
        let differs = try separation.copy()
        // Before the keys go: a server that is started meanwhile asks whoever has them.
        let isNamed = try separation.server.run { try nameSocket() }
        let removed = try separation.removeOriginals()
        Terminal.say("the CA keys are in \(keys.escapedForTerminal), of user \(separation.signer.userID)")
        if !removed.isEmpty {
            Terminal.say(
                "  removed from \(home.folder.path.escapedForTerminal): \(removed.joined(separator: ", "))")
            Terminal.complain(
                "warning",
                "user \(separation.server.userID) could read them until now, and backups and snapshots may still have them"
            )
        }
        if !isNamed {
            Terminal.complain(
                "warning",
                "\(home.configurationFile.escapedForTerminal) is left as it is: set signer_socket: \"\(socket)\" there"
            )
        }
        if differs {
            Terminal.complain(
                "warning",
                "\(keys.escapedForTerminal)/config.yaml, whose bounds count for the signer, is not the control plane's: compare them"
            )
        }
        Terminal.say("next: systemctl enable --now daypassd-signer && systemctl restart daypassd")
    }

    /// Names the socket in the control plane's own settings.
    ///
    /// - Returns: false when another socket is named, or the settings lie elsewhere: what somebody else owns is not
    ///   rewritten with these rights.
    private func nameSocket() throws -> Bool {
        let path = home.configurationFile
        let bytes = try FileIO.read(path, maximumBytes: ServerConfiguration.maximumBytes)
        let yaml = String(decoding: bytes, as: UTF8.self)
        let settings = try ServerConfiguration(yaml: yaml, name: path.escapedForTerminal)
        if let known = settings.signerSocket { return known == socket }
        guard path.hasPrefix(home.folder.path + "/") else { return false }
        let added = """
            \(yaml.hasSuffix("\n") ? "" : "\n")
            # The process that holds the CA keys, in an account of its own.
            signer_socket: "\(socket)"

            """
        _ = try ServerConfiguration(yaml: yaml + added, name: path.escapedForTerminal)
        try FileIO.write(yaml + added, to: path, mode: 0o600)
        return true
    }
}
