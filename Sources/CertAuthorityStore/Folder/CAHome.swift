// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
public import SSHWire
public import TransparencyLog

/// A CA folder in use: its settings, its public keys, and its private ones where a command needs them.
public struct CAHome: Sendable {
    public let folder: CAFolder
    public let configuration: CAConfiguration

    /// The largest key file, in bytes: RSA-16384 in PEM stays under 16 KiB.
    public static let maximumKeyFileBytes = 64 << 10
    /// The largest published checkpoint, in bytes (C2SP tlog-checkpoint with a few witnesses stays far under it).
    public static let maximumCheckpointBytes = 64 << 10

    /// Opens the folder.
    ///
    /// - Throws: `.notFound` when it is no CA folder, saying how to make one.
    public init(_ folder: CAFolder) throws {
        self.folder = folder
        guard FileIO.exists(folder.configuration) else {
            throw CertAuthorityError(
                .notFound, "there is no CA in \(folder.path.escapedForTerminal)",
                hint: "make one with: daypass ca init --home \(folder.path.escapedForTerminal)")
        }
        let bytes = try FileIO.read(folder.configuration, maximumBytes: CAConfiguration.maximumBytes)
        guard let yaml = String(validating: bytes, as: UTF8.self) else {
            throw CertAuthorityError(.configuration, "\(folder.configuration.escapedForTerminal): not UTF-8")
        }
        configuration = try CAConfiguration(yaml: yaml, name: folder.configuration.escapedForTerminal)
    }

    /// A role's public key.
    public func publicKey(_ role: AuthorityRole) throws -> PublicKey {
        try PublicKeyFile.read(folder.publicKey(role))
    }

    /// The log's key as whoever verifies needs it.
    public func logVerifier() throws -> NoteVerifier {
        try noteVerifier(try publicKey(.log), configuration.origin)
    }

    /// The ledger for reading.
    public func ledger() throws -> SQLiteLedger { try SQLiteLedger(opening: folder.database, signer: nil) }

    /// The ledger for reading, after making sure that it continues what was published: for what hosts will act on.
    public func currentLedger() throws -> SQLiteLedger {
        let ledger = try ledger()
        try checkAgainstPublished(ledger)
        return ledger
    }

    /// The private keys of `roles`.
    ///
    /// - Parameter passphrase: asked for once at most, with a prompt for people, when a key needs one.
    public func unlock(
        _ roles: [AuthorityRole], passphrase: (_ prompt: String) throws -> SecretBytes
    ) throws -> Keyring {
        var known: SecretBytes?
        var keys: [AuthorityRole: PrivateKey] = [:]
        for role in roles {
            let path = folder.privateKey(role)
            guard FileIO.exists(path) else {
                throw CertAuthorityError(
                    .key, "there is no \(path.escapedForTerminal)",
                    hint: role == .log
                        ? "put the key back: nothing is recorded without it"
                        : "where the signer has an account of its own, only the control plane issues; else put the key back"
                )
            }
            let contents = try FileIO.readSecret(path, maximumBytes: Self.maximumKeyFileBytes)
            do {
                keys[role] = try PrivateKeyFile.parse(contents, path: path, passphrase: known)
            } catch let error as CertAuthorityError where error.code == .passphrase && known == nil {
                known = try passphrase("Passphrase of the CA in \(folder.path.escapedForTerminal): ")
                keys[role] = try PrivateKeyFile.parse(contents, path: path, passphrase: known)
            }
            guard keys[role]?.publicKey == (try publicKey(role)) else {
                throw CertAuthorityError(
                    .key,
                    "\(path.escapedForTerminal) is not the private half of \(folder.publicKey(role).escapedForTerminal)",
                    hint: "put the right pair back: certificates would come from a key that no host trusts")
            }
        }
        return Keyring(keys: keys)
    }

    /// The ledger for writing, after making sure that it continues what was published.
    public func ledger(signing log: PrivateKey) throws -> SQLiteLedger {
        let ledger = try SQLiteLedger(
            opening: folder.database, signer: try noteSigner(log, configuration.origin))
        try checkAgainstPublished(ledger)
        return ledger
    }

    /// The checkpoint that lies beside the database, nil when there is none.
    public func publishedCheckpoint() throws -> VerifiedCheckpoint? {
        guard FileIO.exists(folder.checkpoint) else { return nil }
        let bytes = try FileIO.read(folder.checkpoint, maximumBytes: Self.maximumCheckpointBytes)
        return try VerifiedCheckpoint(
            try SignedNote(bytes.span), origin: configuration.origin, logKeys: [try logVerifier()])
    }

    /// Refuses a database that has fewer entries than were published, or other ones.
    private func checkAgainstPublished(_ ledger: SQLiteLedger) throws {
        guard try ledger.origin == configuration.origin else {
            throw CertAuthorityError(
                .logInconsistent,
                "the database's log is \(try ledger.origin.escapedForTerminal), config.yaml says \(configuration.origin)"
            )
        }
        guard let published = try publishedCheckpoint() else { return }
        let size = try ledger.size()
        guard size >= published.head.size else {
            throw CertAuthorityError(
                .rolledBack,
                "the database has \(size) entries, but a checkpoint of \(published.head.size) was published: an older "
                    + "database was put back",
                hint: "put the newest database back; if it is lost, admit it with: daypass log recover")
        }
        guard try ledger.root(size: published.head.size) == published.head.root else {
            throw CertAuthorityError(
                .logInconsistent,
                "the database's first \(published.head.size) entries are not those that were published",
                hint: "find out where the change is with: daypass log verify")
        }
    }

    /// Puts the newest checkpoint beside the database.
    public func publishCheckpoint(_ ledger: SQLiteLedger) throws {
        try FileIO.write(try ledger.checkpoint().bytes.span, to: folder.checkpoint, mode: 0o644)
    }
}

/// Private keys that are loaded.
public struct Keyring: Sendable {
    private let keys: [AuthorityRole: PrivateKey]

    public init(keys: [AuthorityRole: PrivateKey]) { self.keys = keys }

    public func key(_ role: AuthorityRole) throws -> PrivateKey {
        guard let key = keys[role] else {
            throw CertAuthorityError(.key, "the \(role.name) key is not loaded")
        }
        return key
    }
}

/// Signs the log's checkpoints with an Ed25519 key.
public func noteSigner(_ key: PrivateKey, _ origin: String) throws -> NoteSigner {
    guard case .ed25519(let bytes) = key.publicKey.material else {
        throw CertAuthorityError(
            .key, "log key: an Ed25519 key expected, it is \(key.publicKey.keyType.rawValue)")
    }
    return try NoteSigner(name: try KeyName(origin), publicKey: bytes) { message in
        try key.sign(message.span).blob
    }
}

/// Verifies the log's checkpoints.
func noteVerifier(_ key: PublicKey, _ origin: String) throws -> NoteVerifier {
    guard case .ed25519(let bytes) = key.material else {
        throw CertAuthorityError(
            .key, "log key: an Ed25519 key expected, it is \(key.keyType.rawValue)")
    }
    return try NoteVerifier(name: try KeyName(origin), publicKey: bytes, verify: isValidEd25519)
}
