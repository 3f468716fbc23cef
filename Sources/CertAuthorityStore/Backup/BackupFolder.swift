// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Foundation
import SSHWire

/// A backup of a control plane (docs/formats/backup.md): its state at one moment, in a folder whose every file has its
/// SHA-256 in `SHA256SUMS`.
public struct BackupFolder: Sendable {
    /// The folder's path, mode 0700.
    public let path: String
    /// What the backup says of itself.
    public let statement: Statement
    /// The SHA-256 of each file by its name, in hexadecimal.
    let sums: [String: String]

    /// `backup.json`.
    public struct Statement: Codable, Sendable, Hashable {
        /// The version of this format: 1.
        public let version: Int
        /// When it was made, in milliseconds since 1970.
        public let made: UInt64
        /// The log's name.
        public let origin: String
        /// How many entries the log has.
        public let entries: UInt64
        /// Whether private keys are in it.
        public let privateKeys: Bool
        /// How many files there are beside this one: sums that were cut short are noticed by it.
        public let files: Int

        enum CodingKeys: String, CodingKey {
            case version, made, origin, entries, files
            case privateKeys = "private_keys"
        }
    }

    /// A file of the control plane's folder by its name there.
    public struct File: Sendable, Hashable {
        public let name: String
        /// Whether it holds a private key: 0600, read into guarded memory, and in a backup only when asked for.
        public let isSecret: Bool
    }

    /// Everything that is in a backup beside the database, its checkpoint and what describes it. Nothing else is taken
    /// out of one, whatever its sums list.
    public static let files: [File] =
        AuthorityRole.allCases.flatMap { role in
            let folder = CAFolder("")
            return [
                File(name: String(folder.privateKey(role).dropFirst()), isSecret: true),
                File(name: String(folder.publicKey(role).dropFirst()), isSecret: false),
            ]
        } + [
            File(name: "daypassd.yaml", isSecret: false), File(name: "policy.yaml", isSecret: false),
            File(name: "fleet_roots", isSecret: false), File(name: "tls/root.pem", isSecret: false),
            File(name: "tls/root.key", isSecret: true),
            File(name: "config.yaml", isSecret: false),
        ]

    static let database = "ledger.sqlite"
    static let checkpoint = "checkpoint"
    static let statementFile = "backup.json"
    static let sumsFile = "SHA256SUMS"
    /// The largest file beside the database, in bytes; policies are the largest.
    static let maximumBytes = 4 << 20
    static let version = 1

    init(path: String, statement: Statement, sums: [String: String]) {
        self.path = path
        self.statement = statement
        self.sums = sums
    }

    /// Opens a backup and compares every file in it with its sum.
    ///
    /// - Throws: `.notFound` for what is no complete backup, `.file` naming the first file that is not as it was
    ///   written.
    public init(opening path: String) throws {
        let name = path.escapedForTerminal
        guard FileIO.exists(path + "/" + Self.sumsFile) else {
            throw CertAuthorityError(
                .notFound, "\(name): no complete backup, \(Self.sumsFile) is missing",
                hint: "a backup that was interrupted has none: use another one")
        }
        let text = try FileIO.read(path + "/" + Self.sumsFile, maximumBytes: Self.maximumBytes)
        sums = try Self.parse(String(decoding: text, as: UTF8.self), name)
        for (file, sum) in sums.sorted(by: { $0.key < $1.key }) {
            guard try LargeFile.sum(path + "/" + file) == sum else {
                throw CertAuthorityError(
                    .file, "\(name): \(file) is not as it was written",
                    hint: "the backup is damaged or was changed: use another one")
            }
        }
        for needed in [Self.database, Self.checkpoint, Self.statementFile, "config.yaml", "log_key.pub"] {
            guard sums[needed] != nil else {
                throw CertAuthorityError(.file, "\(name): \(needed) is not in the backup")
            }
        }
        let json = try FileIO.read(path + "/" + Self.statementFile, maximumBytes: Self.maximumBytes)
        guard let statement = try? JSONDecoder().decode(Statement.self, from: Data(json)),
            statement.version == Self.version
        else {
            throw CertAuthorityError(
                .file, "\(name): \(Self.statementFile) can't be read, or is of a newer version",
                hint: "use the version of daypassd that made the backup, or a newer one")
        }
        guard statement.files == sums.count - 1 else {
            throw CertAuthorityError(
                .file,
                "\(name): \(Self.sumsFile) lists \(sums.count - 1) files beside \(Self.statementFile), which says "
                    + "\(statement.files)", hint: "the backup is damaged or was changed: use another one")
        }
        self.path = path
        self.statement = statement
    }

    /// The lines of `sha256sum`; names are those that a backup may hold, so none leads out of the folder.
    private static func parse(_ text: String, _ name: String) throws -> [String: String] {
        guard text.hasSuffix("\n") else {
            throw CertAuthorityError(.file, "\(name): \(sumsFile) is cut short")
        }
        let known = Set(files.map(\.name) + [database, checkpoint, statementFile])
        var sums: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let (sum, file) = (String(line.prefix(64)), String(line.dropFirst(66)))
            guard line.dropFirst(64).hasPrefix("  "), sum.count == 64, known.contains(file),
                sums.updateValue(sum, forKey: file) == nil
            else {
                throw CertAuthorityError(
                    .file,
                    "\(name): \(sumsFile): \"\(String(line).escapedForTerminal)\" is no line of a backup's")
            }
        }
        return sums
    }
}
