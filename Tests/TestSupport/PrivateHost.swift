// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A host's SSH server with a configuration of its own, of which things are changed while it runs.
///
/// Its folder holds `sshd_config`, which includes `sshd_config.d/*.conf`, a host key, `admin` (a static key that root
/// lets in, and every further account), and what the agent makes in `etc`, `state` and `run`. Needs root.
public final class PrivateHost: Sendable {
    /// An account that only this host's processes know.
    public struct Account: Sendable {
        public let name: String
        public let id: UInt32
        public let shell: String

        public init(_ name: String, id: UInt32, shell: String = "/bin/sh") {
            self.name = name
            self.id = id
            self.shell = shell
        }
    }

    public let folder: TemporaryFolder
    public let port: UInt16
    private let launcher: [String]
    private static let address = "127.0.0.1"

    /// Writes everything; starts nothing.
    ///
    /// - Parameters:
    ///   - accounts: the server and what ``inside(_:)`` runs see them in /etc/passwd, in a mount namespace of their own.
    ///   - lines: of sshd_config(5), behind the Include.
    ///   - refusesOften: for tests with so many refused logins that sshd (9.8 and later) would shut out their address.
    public init(accounts: [Account] = [], lines: [String] = [], refusesOften: Bool = false) throws {
        var lines = lines
        if refusesOften, let version = PrivateSSHD.version(of: try Tool.find("sshd")), version >= (9, 8) {
            lines.append("PerSourcePenalties no")
        }
        let folder = try TemporaryFolder()
        self.folder = folder
        // Accounts read their authorized_keys with their own rights.
        try folder.setMode(0o755, of: ".")
        port = try LocalSocket.freePort()
        try folder.makeFolder("sshd_config.d", mode: 0o755)
        for key in ["host_key", "admin"] {
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder.path(key)])
                .orThrow("make \(key)")
        }
        let host = try folder.readText("host_key.pub")
        try folder.write("[\(Self.address)]:\(port) \(host)", to: "known_hosts")
        try folder.write(try folder.read("admin.pub"), to: "authorized_keys", mode: 0o644)
        let text =
            ["# the administrator's own file", "Include \(folder.path)/sshd_config.d/*.conf"] + lines + [
                "HostKey \(folder.path)/host_key", "ListenAddress \(Self.address):\(port)",
                "PidFile \(folder.path)/sshd.pid", "AuthorizedKeysFile \(folder.path)/authorized_keys",
                "StrictModes no", "UseDNS no", "PermitRootLogin prohibit-password", "LogLevel VERBOSE",
                "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PrintMotd no",
                "MaxStartups 200", "Subsystem sftp internal-sftp", "",
            ]
        try folder.write(text.joined(separator: "\n"), to: "sshd_config", mode: 0o640)
        try folder.write("Banner none\n", to: "sshd_config.d/50-local.conf", mode: 0o644)
        launcher = try accounts.isEmpty ? [] : Self.writeAccounts(accounts, folder)
        guard unsafe mkdir("/run/sshd", 0o755) == 0 || errno == EEXIST else {
            throw TestSupportError.system("mkdir /run/sshd")
        }
    }

    public func path(_ name: String) -> String { folder.path(name) }

    /// The folder options of `daypass-agent` for this host.
    public var agentOptions: [String] {
        [
            "--sshd-config", path("sshd_config"), "--config-folder", path("etc"), "--state-folder",
            path("state"), "--runtime-folder", path("run"),
        ]
    }

    /// A program and its arguments, as they are started where the accounts are known.
    public func inside(_ command: [String]) -> [String] { launcher + command }

    /// Starts sshd and waits until it answers; it ends with the value that is returned.
    public func start() throws -> ChildProcess {
        let command = inside([try Tool.find("sshd"), "-D", "-e", "-f", path("sshd_config")])
        let process = try ChildProcess(
            command[0], Array(command.dropFirst()), in: folder.path, log: path("log"))
        let deadline = Deadline(after: .seconds(20))
        while !deadline.hasPassed, process.isRunning {
            if LocalSocket.greeting(port: port, timeout: .seconds(5))?.hasPrefix("SSH-2.0-") == true {
                return process
            }
            _ = process.wait(for: .milliseconds(5))
        }
        throw TestSupportError("sshd does not come up: \((try? folder.readText("log")) ?? "")")
    }

    /// Runs stock `ssh`, `sftp` or `scp` with nothing but these keys.
    ///
    /// - Parameter rest: the program's own arguments behind the options; `HOST` is replaced by the server's address.
    public func client(
        _ program: String = "ssh", identity: String, options: [String] = [], _ rest: [String],
        stdin: [UInt8]? = nil
    ) throws -> ToolResult {
        var arguments = ["-F", "/dev/null"]
        for option in options + [
            "BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=\(path("known_hosts"))",
            "GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "IdentityAgent=none",
            "PreferredAuthentications=publickey", "ControlPath=none", "Port=\(port)",
        ] { arguments += ["-o", option] }
        arguments += ["-i", identity]
        arguments += rest.map { $0.replacing("HOST", with: Self.address) }
        return try Tool.run(program, arguments, stdin: stdin)
    }

    /// True when the administrator's static key lets root in.
    public func letsAdministratorIn() throws -> Bool {
        try client(identity: path("admin"), ["-l", "root", "HOST", "true"]).succeeded
    }

    /// Every file below some names of the folder, with its mode, owner and content.
    public func tree(_ names: [String] = ["sshd_config", "sshd_config.d", "etc"]) throws -> [String: [UInt8]]
    {
        var tree: [String: [UInt8]] = [:]
        var pending = names
        while let name = pending.popLast() {
            var status = stat()
            guard unsafe lstat(path(name), &status) == 0 else { continue }
            var entry = Array("\(status.st_mode) \(status.st_uid) \(status.st_gid) ".utf8)
            if status.st_mode & S_IFMT == S_IFDIR {
                for child in try Self.list(path(name)) { pending.append("\(name)/\(child)") }
            } else {
                entry += try folder.read(name)
            }
            tree[name] = entry
        }
        return tree
    }

    private static func list(_ path: String) throws -> [String] {
        guard let folder = unsafe opendir(path) else { throw TestSupportError.system("opendir \(path)") }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Copies of the account files with further accounts, and what starts a program over them.
    private static func writeAccounts(_ accounts: [Account], _ folder: TemporaryFolder) throws -> [String] {
        for file in ["passwd", "group", "shadow"] {
            var text = String(decoding: try readWholeFile("/etc/\(file)"), as: UTF8.self)
            for account in accounts {
                let home = folder.path("home-\(account.name)")
                switch file {
                case "passwd":
                    text += "\(account.name):x:\(account.id):\(account.id)::\(home):\(account.shell)\n"
                    try folder.makeFolder("home-\(account.name)", mode: 0o755)
                    guard unsafe chown(home, account.id, account.id) == 0 else {
                        throw TestSupportError.system("chown \(home)")
                    }
                case "group": text += "\(account.name):x:\(account.id):\n"
                // No password fits, and sshd doesn't take the account for locked.
                default: text += "\(account.name):*:20000:0:99999:7:::\n"
                }
            }
            try folder.write(text, to: file, mode: file == "shadow" ? 0o640 : 0o644)
        }
        let script = """
            #!/bin/sh
            set -e
            mount --make-rprivate /
            for file in passwd group shadow; do mount --bind "\(folder.path)/$file" "/etc/$file"; done
            exec "$@"
            """
        try folder.write(script + "\n", to: "inside", mode: 0o755)
        return [try Tool.find("unshare"), "-m", folder.path("inside")]
    }
}
