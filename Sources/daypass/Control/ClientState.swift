// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlClient
import ControlProtocol
import SSHWire

/// What this machine knows of its control plane: the server, the session, and certificates that are still good.
///
/// All of it lies in one folder with mode 0700: `$DAYPASS_STATE`, else `$XDG_STATE_HOME/daypass`, else
/// `~/.local/state/daypass`. The session's key stays in a file there, not in the ssh-agent: a forwarded agent would let
/// every host that one logs in to ask for certificates.
struct ClientState {
    let folder: String
    /// Folders above it that a new account need not have; they are made when something is first kept.
    private let parents: [String]

    /// The largest file here, in bytes.
    private static let maximumBytes = 1 << 20

    init(folder: String) {
        self.folder = folder
        parents = []
    }

    init() throws {
        if let path = environment("DAYPASS_STATE"), !path.isEmpty {
            folder = path
            parents = []
        } else if let base = environment("XDG_STATE_HOME"), base.hasPrefix("/") {
            folder = base + "/daypass"
            parents = [base]
        } else if let home = environment("HOME"), home.hasPrefix("/") {
            folder = home + "/.local/state/daypass"
            parents = [home + "/.local", home + "/.local/state"]
        } else {
            throw Failure(
                ExitStatus.usage, "neither DAYPASS_STATE nor XDG_STATE_HOME nor HOME is set")
        }
    }

    private var serverFile: String { folder + "/server.json" }
    private var rootFile: String { folder + "/root.pem" }
    private var sessionFile: String { folder + "/session.json" }
    private var sessionKeyFile: String { folder + "/session.key" }
    private var loginKeyFile: String { folder + "/login_key" }
    /// The known_hosts file with the host CA.
    var knownHosts: String { folder + "/known_hosts" }
    /// The lines for ssh that `ssh-config install` includes.
    var sshConfig: String { folder + "/ssh_config" }
    /// Keys and certificates, by what ssh calls a connection.
    var identities: String { folder + "/identities" }

    // MARK: The server

    /// The server that was logged in to, with its root certificate when it was pinned.
    struct Server {
        let address: ServerAddress
        let rootPEM: String?
        let info: ServerInfo
    }

    func server() throws -> Server {
        guard FileIO.exists(serverFile) else {
            throw Failure(
                "no control plane is known here",
                hint: "log in first: daypass login --server URL --fingerprint SHA256:…")
        }
        let json = try readJSON(serverFile)
        guard let url = json["url"]?.string, let info = json["info"] else {
            throw Failure("\(serverFile.escapedForTerminal) is damaged", hint: "log in again")
        }
        let root = FileIO.exists(rootFile) ? try text(rootFile) : nil
        return Server(
            address: try ServerAddress(url), rootPEM: root, info: try ServerInfo(json: info))
    }

    /// Makes the folder. What is missing above it is made with mode 0700, as the XDG Base Directory Specification has it.
    private func makeFolder() throws {
        for parent in parents where !FileIO.exists(parent) {
            try FileIO.makeFolder(parent, mode: 0o700)
        }
        try FileIO.makeSecretFolder(folder)
    }

    func save(_ server: Server) throws {
        try makeFolder()
        if let root = server.rootPEM {
            try FileIO.write(root, to: rootFile, mode: 0o600)
        } else {
            FileIO.remove(rootFile)
        }
        try write(
            .object([.init("url", .string(server.address.url)), .init("info", server.info.json)]),
            to: serverFile)
        // Scoped: the host CA speaks for the hosts of this authority and no others (attack row 64).
        let patterns = server.info.hostPatterns.filter(HostPattern.isUsable)
        let lines =
            patterns.isEmpty
            ? ""
            : "@cert-authority \(patterns.joined(separator: ",")) \(server.info.hostAuthority.text) daypass\n"
        try FileIO.write(lines, to: knownHosts, mode: 0o600)
    }

    // MARK: The session

    /// The session and the key that signs for it.
    struct Session {
        let info: SessionInfo
        let key: PrivateKey

        var credential: ControlClient.Credential { .init(session: info.id, key: key) }
    }

    /// The session; nil when there is none or it has ended by its own time.
    func session() throws -> Session? {
        guard FileIO.exists(sessionFile), FileIO.exists(sessionKeyFile) else { return nil }
        let info = try SessionInfo(json: try readJSON(sessionFile))
        guard info.expires > Int64(clamping: unixTimeNow().seconds) else { return nil }
        let contents = try FileIO.readSecret(sessionKeyFile, maximumBytes: Self.maximumBytes)
        return Session(
            info: info, key: try PrivateKeyFile.parse(contents, path: sessionKeyFile, passphrase: nil))
    }

    /// The session, which must be there.
    func openSession() throws -> Session {
        if let session = try session() { return session }
        _ = try server()
        throw Failure(
            FileIO.exists(sessionFile) ? "your session is over" : "you are not logged in",
            hint: "daypass login")
    }

    /// - Parameter loginKey: the fingerprint of the key that proved who one is; nil where a provider did.
    func save(_ session: Session, loginKey: String?) async throws {
        try makeFolder()
        let lock = try await StateLock(folder + "/lock")
        defer { lock.release() }
        if let loginKey { try FileIO.write(loginKey + "\n", to: loginKeyFile, mode: 0o600) }
        try FileIO.writeSecret(try session.key.openSSHFile(passphrase: nil), to: sessionKeyFile)
        try write(session.info.json, to: sessionFile)
    }

    /// The fingerprint of the key that was last logged in by, to be tried first.
    var loginKey: String? {
        (try? text(loginKeyFile)).map { String($0.prefix { !$0.isNewline }) }
    }

    func forgetSession() {
        FileIO.remove(sessionKeyFile)
        FileIO.remove(sessionFile)
    }

    // MARK: Files

    private func text(_ path: String) throws -> String {
        String(decoding: try FileIO.read(path, maximumBytes: Self.maximumBytes), as: UTF8.self)
    }

    private func readJSON(_ path: String) throws -> JSONValue {
        try JSONValue(
            parsing: try FileIO.read(path, maximumBytes: Self.maximumBytes), maximumBytes: Self.maximumBytes)
    }

    private func write(_ json: JSONValue, to path: String) throws {
        try FileIO.write(json.text + "\n", to: path, mode: 0o600)
    }
}

extension ClientState.Server {
    /// A client of this server; ends with `body`.
    func withClient<Value>(_ body: (ControlClient) async throws -> Value) async throws -> Value {
        let client = try ControlClient(address, rootPEM: rootPEM, clock: microsecondsNow)
        do {
            let value = try await body(client)
            await client.close()
            return value
        } catch {
            await client.close()
            throw error
        }
    }
}

extension ClientState {
    /// Asks the server as whoever is logged in.
    @discardableResult
    func ask(
        _ method: String, _ target: String, _ body: JSONValue? = nil, idempotencyKey: String? = nil
    ) async throws -> JSONValue {
        let session = try openSession()
        return try await server().withClient { client in
            try await client.send(
                method, target, body, by: session.credential, idempotencyKey: idempotencyKey) ?? .null
        }
    }

    /// All parts of a list.
    func list(_ target: String) async throws -> [JSONValue] {
        let session = try openSession()
        return try await server().withClient { client in
            var items: [JSONValue] = []
            let first = "\(target)\(target.contains("?") ? "&" : "?")limit=1000"
            var next: String? = first
            while let target = next {
                let page = try await client.send("GET", target, by: session.credential)
                items += page?["items"]?.array ?? []
                // Hexadecimal digits, or it is not a server of ours.
                next = page?["next"]?.string.flatMap { cursor in
                    cursor.utf8.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
                        ? "\(first)&after=\(cursor)" : nil
                }
            }
            return items
        }
    }
}

/// Patterns of host names, as a server sends them: they become parts of ssh's files.
enum HostPattern {
    /// False for what is no pattern of names, and for one that every name matches.
    static func isUsable(_ pattern: String) -> Bool {
        !pattern.isEmpty
            && pattern.utf8.allSatisfy { isNameByte($0) || ".-_:*?".utf8.contains($0) }
            && pattern.utf8.contains(where: isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte)
    }
}
