// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The places of a CA folder (`ca-keys.example/README.md` shows one).
public struct CAFolder: Sendable, Hashable {
    /// The folder's path, mode 0700.
    public let path: String

    public init(_ path: String) { self.path = path }

    /// The CA's settings, YAML, 0600.
    public var configuration: String { path + "/config.yaml" }
    /// The database: log, serials, revocations; 0600.
    public var database: String { path + "/ledger.sqlite" }
    /// The log's last checkpoint, a signed note; published beside the database so that an older database that is put
    /// back is noticed.
    public var checkpoint: String { path + "/checkpoint" }

    /// The private key of a role, openssh-key-v1, 0600; not there when an ssh-agent holds it.
    public func privateKey(_ role: AuthorityRole) -> String { path + "/" + Self.keyName(role) }
    /// The public key of a role, one line as ssh-keygen writes it.
    public func publicKey(_ role: AuthorityRole) -> String { privateKey(role) + ".pub" }

    /// Every file that may be there, SQLite's own beside the database among them.
    public var files: [String] {
        AuthorityRole.allCases.flatMap { [privateKey($0), publicKey($0)] }
            + [configuration, database, database + "-wal", database + "-shm", checkpoint]
    }

    private static func keyName(_ role: AuthorityRole) -> String {
        switch role {
        case .user: "user_ca"
        case .host: "host_ca"
        case .log: "log_key"
        }
    }
}
