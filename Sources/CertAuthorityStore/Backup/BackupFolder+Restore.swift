// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import Foundation
public import SSHWire
import TransparencyLog

extension BackupFolder {
    /// What a restoration did.
    public struct Restoration: Sendable {
        /// The entries of the backup's log.
        public let entries: UInt64
        /// How many entries the newest known checkpoint had beyond them.
        public let lost: UInt64
        public let endedSessions: Int
        /// Private keys that were found nowhere, by their names.
        public let missingKeys: [String]
    }

    /// Makes a control plane of this backup, in a folder where nothing is.
    ///
    /// The log admits the restoration, in an entry; serials go on beyond all that may have been given out since.
    ///
    /// - Parameters:
    ///   - keys: a folder with the private keys, where the backup has none.
    ///   - checkpoints: files with checkpoints that were published.
    ///   - passphrase: asked for when the log's key needs one.
    /// - Throws: with nothing left in the folder; `.rolledBack` when the clock is behind the backup.
    public func restore(
        to folder: CAFolder, keys: String?, checkpoints: [String], requester: Identity,
        at milliseconds: UInt64, passphrase: () throws -> SecretBytes
    ) async throws -> Restoration {
        guard milliseconds >= statement.made else {
            throw CertAuthorityError(
                .rolledBack, "the clock is behind the moment at which the backup was made",
                hint: "set the clock: serials follow it, and one that is behind would use some twice")
        }
        if FileIO.exists(folder.path) {
            guard try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty else {
                throw CertAuthorityError(
                    .unsafeFile, "\(folder.path.escapedForTerminal): there is something in it already",
                    hint: "a control plane is never overwritten: name a new folder with --home")
            }
        }
        try FileIO.makeSecretFolder(folder.path)
        do {
            let missing = try copyFiles(to: folder, keys: keys)
            return try await goOn(folder, checkpoints, requester, milliseconds, missing, passphrase)
        } catch {
            // Nothing of it was there before.
            for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
                try? FileManager.default.removeItem(atPath: folder.path + "/" + name)
            }
            throw error
        }
    }

    /// Copies all but the settings, whose presence makes a folder a CA.
    ///
    /// - Returns: the private keys that were not found.
    private func copyFiles(to folder: CAFolder, keys: String?) throws -> [String] {
        var missing: [String] = []
        try FileIO.makeSecretFolder(folder.path + "/tls")
        for file in Self.files where file.name != "config.yaml" {
            let target = folder.path + "/" + file.name
            if let sum = sums[file.name] {
                try check(file.name, try Self.copy(file, from: path + "/" + file.name, to: target), sum)
            } else if file.isSecret, let source = keys.map({ $0 + "/" + file.name }), FileIO.exists(source) {
                _ = try Self.copy(file, from: source, to: target)
            } else if file.isSecret {
                missing.append(file.name)
            }
        }
        // A root without its key would keep the server from starting; without both it makes another.
        if missing.contains("tls/root.key") { FileIO.remove(folder.path + "/tls/root.pem") }
        guard let sum = sums[Self.database] else { return missing }
        try check(
            Self.database,
            try LargeFile.copy(path + "/" + Self.database, to: folder.database, mode: 0o600), sum)
        return missing
    }

    /// Again, as it was copied: between the first look and now it could have been changed.
    private func check(_ name: String, _ sum: String, _ expected: String) throws {
        guard sum == expected else {
            throw CertAuthorityError(.file, "\(path.escapedForTerminal): \(name) changed while it was read")
        }
    }

    private func goOn(
        _ folder: CAFolder, _ checkpoints: [String], _ requester: Identity, _ milliseconds: UInt64,
        _ missing: [String], _ passphrase: () throws -> SecretBytes
    ) async throws -> Restoration {
        let settings = try FileIO.read(path + "/config.yaml", maximumBytes: CAConfiguration.maximumBytes)
        let configuration = try CAConfiguration(
            yaml: String(decoding: settings, as: UTF8.self), name: "config.yaml")
        let log = try logKey(folder, passphrase)
        let ledger = try SQLiteLedger(
            opening: folder.database, signer: try noteSigner(log, configuration.origin))
        let verifier = try noteVerifier(try PublicKeyFile.read(folder.publicKey(.log)), configuration.origin)
        let known = try checkpoints.map { file in
            let bytes = try FileIO.read(file, maximumBytes: CAHome.maximumCheckpointBytes)
            return try VerifiedCheckpoint(
                try SignedNote(bytes.span), origin: configuration.origin, logKeys: [verifier]
            ).head
        }
        let size = try ledger.size()
        // All of it: what goes on from here is vouched for by our signature. Newer heads can only be admitted.
        let head = try ledger.verify(logKey: verifier, published: known.filter { $0.size <= size })
        let newest = known.filter { $0.size > size }.max { $0.size < $1.size } ?? head
        let ended = try await ledger.goOn(from: newest, requester: requester, at: milliseconds)
        try FileIO.write(try ledger.checkpoint().bytes.span, to: folder.checkpoint, mode: 0o644)
        try FileIO.write(settings.span, to: folder.configuration, mode: 0o600)
        return Restoration(
            entries: size, lost: newest.size - size, endedSessions: ended, missingKeys: missing)
    }

    private func logKey(_ folder: CAFolder, _ passphrase: () throws -> SecretBytes) throws -> PrivateKey {
        let file = folder.privateKey(.log)
        guard FileIO.exists(file) else {
            throw CertAuthorityError(
                .key, "the log's key is not in the backup, and the log can't go on without",
                hint: "name the folder with the keys with --keys")
        }
        let contents = try FileIO.readSecret(file, maximumBytes: CAHome.maximumKeyFileBytes)
        let key: PrivateKey
        do {
            key = try PrivateKeyFile.parse(contents, path: file, passphrase: nil)
        } catch let error as CertAuthorityError where error.code == .passphrase {
            key = try PrivateKeyFile.parse(contents, path: file, passphrase: try passphrase())
        }
        guard key.publicKey == (try PublicKeyFile.read(folder.publicKey(.log))) else {
            throw CertAuthorityError(
                .key, "the private log key is not the one of the backup's log",
                hint: "name the folder with this control plane's keys with --keys")
        }
        return key
    }
}
