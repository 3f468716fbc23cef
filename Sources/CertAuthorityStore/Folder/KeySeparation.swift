// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import SSHWire

/// Gives the CA keys of a control plane to the signer's own account (docs/decisions/0006-the-control-plane.md).
///
/// Nothing is overwritten and nothing lost at whatever step it ends: what is copied is removed last. Done again it goes on,
/// and mends modes. Each side is touched with the rights of the account that it belongs to.
public struct KeySeparation: Sendable {
    /// The control plane's folder, whose owner is the server's account.
    public let home: CAFolder
    /// The signer's folder, 0700: its keys, their public halves and the bounds that it holds certificates against.
    public let keys: CAFolder
    public let server: SystemAccount
    public let signer: SystemAccount

    /// The keys that only the signer may have; the log's signs what the server records.
    public static let roles: [AuthorityRole] = [.user, .host]

    /// What the signer gets.
    private struct Parts {
        var keys: [(role: AuthorityRole, publicKey: PublicKeyLine, file: SecretBytes?)] = []
        var configuration: [UInt8] = []
    }

    /// - Throws: `.unsafeFile` when the accounts could not keep the keys apart: the server's is root's, or both are one.
    public init(home: CAFolder, keys: CAFolder, signer: SystemAccount) throws(CertAuthorityError) {
        server = try SystemAccount(owning: home.path)
        (self.home, self.keys, self.signer) = (home, keys, signer)
        guard server.userID != 0 else {
            throw CertAuthorityError(
                .unsafeFile, "\(home.path.escapedForTerminal): owned by root, from whom no key can be kept",
                hint:
                    "run the server in an account of its own and give it the folder: chown -R daypassd:daypassd \(home.path.escapedForTerminal)"
            )
        }
        guard signer.userID != 0, signer.userID != server.userID else {
            throw CertAuthorityError(
                .unsafeFile,
                "the signer's account is \(signer.userID == 0 ? "root's" : "the one that owns \(home.path.escapedForTerminal)")",
                hint: "name one that has nothing else: --signer-user daypassd-signer")
        }
        let (one, other) = (home.path + "/", keys.path + "/")
        guard !one.hasPrefix(other), !other.hasPrefix(one) else {
            throw CertAuthorityError(
                .unsafeFile,
                "\(keys.path.escapedForTerminal): whoever owns the folder above could put another in its place",
                hint: "name a folder elsewhere with --keys, for example /var/lib/daypassd-signer")
        }
    }

    /// Copies keys and bounds into the signer's folder, and lets the signer read the database.
    ///
    /// - Returns: whether the signer's bounds, which are never replaced, now differ from the control plane's.
    /// - Throws: `.conflict` when the folder has another CA's keys, `.key` when a key is in neither folder.
    public func copy() throws -> Bool {
        let parts = try server.run { try read() }
        try FileIO.makeSecretFolder(keys.path, of: signer, group: server.groupID)
        let differs = try signer.run(group: server.groupID) { try write(parts) }
        try server.run { try letSignerRead() }
        return differs
    }

    /// Removes from the control plane's folder the keys that the signer has.
    ///
    /// - Returns: the names of what was removed.
    public func removeOriginals() throws -> [String] {
        let held = try signer.run { Self.roles.filter { FileIO.isReadable(keys.privateKey($0)) } }
        return try server.run {
            held.map(home.privateKey).filter(FileIO.exists).map { path in
                FileIO.remove(path)
                return String(path.dropFirst(home.path.utf8.count + 1))
            }
        }
    }

    private func read() throws -> Parts {
        var parts = Parts()
        for role in Self.roles {
            let path = home.privateKey(role)
            let file =
                FileIO.exists(path)
                ? try FileIO.readSecret(path, maximumBytes: CAHome.maximumKeyFileBytes) : nil
            parts.keys.append((role, try PublicKeyFile.readLine(home.publicKey(role)), file))
        }
        parts.configuration = try FileIO.read(
            home.configuration, maximumBytes: CAConfiguration.maximumBytes)
        return parts
    }

    private func write(_ parts: Parts) throws -> Bool {
        for (role, line, file) in parts.keys {
            let (path, publicPath) = (keys.privateKey(role), keys.publicKey(role))
            if FileIO.exists(publicPath) {
                guard try PublicKeyFile.read(publicPath) == line.content.plainKey("CA key") else {
                    throw CertAuthorityError(
                        .conflict, "\(publicPath.escapedForTerminal) is another CA's",
                        hint: "name an empty folder with --keys; nothing was changed")
                }
            }
            if !FileIO.exists(path) {
                guard let file else {
                    throw CertAuthorityError(
                        .key,
                        "the \(role.name) CA's private key is neither in \(home.path.escapedForTerminal) nor in "
                            + keys.path.escapedForTerminal,
                        hint: "put it into one of them, with its owner and mode 0600")
                }
                try FileIO.writeSecret(file, to: path)
            }
            if !FileIO.exists(publicPath) {
                try FileIO.write(line.text + "\n", to: publicPath, mode: 0o644)
            }
        }
        if FileIO.exists(keys.configuration) {
            return try FileIO.read(keys.configuration, maximumBytes: CAConfiguration.maximumBytes)
                != parts.configuration
        }
        try FileIO.write(parts.configuration.span, to: keys.configuration, mode: 0o600)
        return false
    }

    /// The database to the group that the signer runs in, and the way to it, but no list of what else is there.
    ///
    /// SQLite gives the files that it makes beside the database its mode (os_unix.c, `findCreateFileMode`).
    private func letSignerRead() throws {
        for file in [home.database, home.database + "-wal", home.database + "-shm"] {
            try FileIO.setAccess(file, group: server.groupID, mode: 0o640)
        }
        try FileIO.setAccess(home.path, group: server.groupID, mode: 0o710)
    }
}
