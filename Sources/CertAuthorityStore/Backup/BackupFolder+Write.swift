// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import GRDB
import SSHWire

extension BackupFolder {
    /// Backs up a control plane, which may go on meanwhile.
    ///
    /// - Parameters:
    ///   - path: a folder that isn't there; it is made, with mode 0700.
    ///   - home: what to back up.
    ///   - elsewhere: where files lie that are not in the home's folder under their names.
    ///   - includingPrivateKeys: whether key files are copied, encrypted as they are.
    /// - Throws: with nothing left at `path`.
    public static func write(
        to path: String, home: CAHome, elsewhere: [String: String], includingPrivateKeys: Bool,
        at milliseconds: UInt64
    ) throws -> BackupFolder {
        guard !FileIO.exists(path) else {
            throw CertAuthorityError(
                .file, "\(path.escapedForTerminal) is there already", hint: "name a new folder")
        }
        try FileIO.makeSecretFolder(path)
        do {
            return try fill(path, home, elsewhere, includingPrivateKeys, milliseconds)
        } catch {
            try? FileManager.default.removeItem(atPath: path)
            throw error
        }
    }

    private static func fill(
        _ path: String, _ home: CAHome, _ elsewhere: [String: String], _ includingPrivateKeys: Bool,
        _ milliseconds: UInt64
    ) throws -> BackupFolder {
        var sums: [String: String] = [:]
        for file in files where includingPrivateKeys || !file.isSecret {
            let source = elsewhere[file.name] ?? home.folder.path + "/" + file.name
            guard FileIO.exists(source) else { continue }
            if file.name.contains("/") { try FileIO.makeSecretFolder(path + "/tls") }
            sums[file.name] = try copy(file, from: source, to: path + "/" + file.name)
        }
        // Last, so that the log knows of whatever is in the other files.
        let copied = try home.ledger().copy(to: path + "/" + database, verifiedBy: try home.logVerifier())
        sums[database] = try LargeFile.sum(path + "/" + database)
        let statement = Statement(
            version: version, made: milliseconds, origin: home.configuration.origin, entries: copied.size,
            privateKeys: includingPrivateKeys, files: sums.count + 1)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        for (name, bytes) in [
            (checkpoint, copied.checkpoint), (statementFile, [UInt8](try encoder.encode(statement)) + [0x0a]),
        ] {
            try FileIO.write(bytes.span, to: path + "/" + name, mode: 0o600)
            sums[name] = hexadecimal(Digest.sha256(bytes))
        }
        // What makes it a backup: a folder without it was interrupted.
        let lines = sums.sorted { $0.key < $1.key }.map { "\($0.value)  \($0.key)\n" }
        try FileIO.write(lines.joined(), to: path + "/" + sumsFile, mode: 0o600)
        return BackupFolder(path: path, statement: statement, sums: sums)
    }

    /// Copies a small file; a secret one by way of guarded memory, and only if nobody else can read it.
    ///
    /// - Returns: its SHA-256.
    static func copy(_ file: File, from source: String, to target: String) throws -> String {
        if file.isSecret {
            let secret = try FileIO.readSecret(source, maximumBytes: CAHome.maximumKeyFileBytes)
            try FileIO.writeSecret(secret, to: target)
            return hexadecimal(secret.withSpan { Digest.sha256($0) })
        }
        let bytes = try FileIO.read(source, maximumBytes: maximumBytes)
        let isPublic = file.name.hasSuffix(".pub") || file.name.hasSuffix(".pem")
        try FileIO.write(bytes.span, to: target, mode: isPublic ? 0o644 : 0o600)
        return hexadecimal(Digest.sha256(bytes))
    }
}
