// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import SSHWire
import TransparencyLog

/// A key that a new CA starts with.
public struct NewAuthority: Sendable {
    public let role: AuthorityRole
    public let change: AuthorityRecord.Change
    public let publicKey: PublicKey
    /// Nil when an ssh-agent keeps it.
    public let privateKey: PrivateKey?

    public init(
        role: AuthorityRole, change: AuthorityRecord.Change, publicKey: PublicKey, privateKey: PrivateKey?
    ) {
        self.role = role
        self.change = change
        self.publicKey = publicKey
        self.privateKey = privateKey
    }

    fileprivate var comment: String { "daypass \(role.name)\(role == .log ? " key" : " CA")" }
}

extension CAFolder {
    /// Refuses a folder in which there is a CA already.
    public func checkIsUnused() throws(CertAuthorityError) {
        guard !files.contains(where: FileIO.exists) else {
            throw CertAuthorityError(
                .unsafeFile, "there is a CA in \(path.escapedForTerminal) already",
                hint: "use another folder with --home; a CA is never overwritten")
        }
    }
}

extension CAHome {
    /// Makes a CA: database, keys, checkpoint and settings, or nothing at all.
    ///
    /// - Parameters:
    ///   - authorities: one key for each role; the log's must be here.
    ///   - passphrase: what the key files are encrypted with; nil leaves them to their mode.
    public static func create(
        in folder: CAFolder, _ authorities: [NewAuthority], _ configuration: CAConfiguration,
        passphrase: SecretBytes?, requester: Identity, at milliseconds: UInt64,
        randomBytes: (Int) -> [UInt8]
    ) async throws {
        guard let log = authorities.first(where: { $0.role == .log })?.privateKey else {
            throw CertAuthorityError(.key, "there is no log key")
        }
        // Refuses an origin that no checkpoint could carry before anything is on disk.
        let signer = try noteSigner(log, configuration.origin)
        try FileIO.makeSecretFolder(folder.path)
        // First the database: of two that are started at once, one fails here and has touched nothing.
        try SQLiteLedger.create(
            at: folder.database, origin: configuration.origin,
            serials: configuration.hasRandomSerials
                ? .random(key: randomBytes(SerialSequence.keyBytes)) : .sequential,
            signer: signer)
        do {
            for authority in authorities {
                if let key = authority.privateKey {
                    let file = try key.openSSHFile(passphrase: passphrase)
                    try FileIO.writeSecret(file, to: folder.privateKey(authority.role))
                }
                try PublicKeyFile.write(
                    authority.publicKey, comment: authority.comment, to: folder.publicKey(authority.role))
            }
            let ledger = try SQLiteLedger(opening: folder.database, signer: signer)
            _ = try await ledger.append(
                authorities.map {
                    .authority(
                        AuthorityRecord(change: $0.change, role: $0.role, key: $0.publicKey),
                        requester: requester)
                }, at: milliseconds)
            try FileIO.write(try ledger.checkpoint().bytes.span, to: folder.checkpoint, mode: 0o644)
            // Last: a folder without settings is no CA yet.
            try FileIO.write(configuration.yaml, to: folder.configuration, mode: 0o600)
        } catch {
            // None of them was there before, and half a CA would be neither used nor made again.
            folder.files.forEach(FileIO.remove)
            throw error
        }
    }

    /// The name of a log that was given none.
    public static func defaultOrigin(_ authorities: [NewAuthority]) -> String {
        let key = authorities.first { $0.role == .log }?.publicKey.encoded ?? []
        return "daypass.local/"
            + hexadecimal(Digest.sha256(key).prefix(8))
    }
}
