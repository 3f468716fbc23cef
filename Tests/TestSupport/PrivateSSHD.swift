// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A real OpenSSH server of one test's own, on a loopback port that the kernel chose.
///
/// It reads nothing of the machine's own SSH configuration. Root's can let in any account; an ordinary user's lets
/// in only that user. It ends, with every connection, when the last reference goes or ``stop()`` is called.
public final class PrivateSSHD: Sendable {
    /// What the server is told. A path that is `nil` leaves its line out.
    ///
    /// `AuthorizedKeysFile` and `AuthorizedPrincipalsFile` are read with the rights of the account that logs in:
    /// for an account other than the one that runs the tests, the files and the folders above them must be open
    /// to it.
    public struct Options: Sendable {
        /// The public keys whose user certificates are trusted.
        public var trustedUserCAKeys: String?
        /// A KRL, or a text file of keys.
        public var revokedKeys: String?
        /// The private host key; `nil` makes a new Ed25519 key.
        public var hostKey: String?
        /// A certificate for ``hostKey``.
        public var hostCertificate: String?
        /// The names that may log in; sshd's tokens such as `%u` are allowed.
        public var authorizedPrincipalsFile: String?
        /// The plain keys that may log in; `nil` is none.
        public var authorizedKeysFile: String?
        /// Lines of sshd_config(5), which win over all others.
        public var extraLines: [String]
        /// A program and its arguments that becomes sshd, which follows them: `unshare -m …`. sshd logs to syslog then,
        /// and ``PrivateSSHD/log`` holds only what it could not say there.
        public var launcher: [String] = []
        /// The absolute path of the server; `nil` is the installed one. Its name is PAM's service up to 9.7.
        public var program: String?

        public init(
            trustedUserCAKeys: String? = nil, revokedKeys: String? = nil, hostKey: String? = nil,
            hostCertificate: String? = nil, authorizedPrincipalsFile: String? = nil,
            authorizedKeysFile: String? = nil, extraLines: [String] = [], program: String? = nil
        ) {
            self.trustedUserCAKeys = trustedUserCAKeys
            self.revokedKeys = revokedKeys
            self.hostKey = hostKey
            self.hostCertificate = hostCertificate
            self.authorizedPrincipalsFile = authorizedPrincipalsFile
            self.authorizedKeysFile = authorizedKeysFile
            self.extraLines = extraLines
            self.program = program
        }
    }

    /// The address that it listens on.
    public static let address = "127.0.0.1"
    /// How often a port that somebody else took first is replaced by another one.
    private static let maximumAttempts = 5
    private static let startTimeout = Duration.seconds(20)

    /// The loopback port that it listens on.
    public let port: UInt16
    /// The private host key's path; the public half is beside it with `.pub` when the server made it.
    public let hostKey: String
    /// A known_hosts file that names the host key, absent when ``Options/hostKey`` has no `.pub` beside it.
    public let knownHosts: String
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// Starts a server and waits until it answers with its own banner.
    ///
    /// - Throws: ``TestSupportError`` with the server's log when it does not come up.
    public init(_ options: Options = Options()) throws {
        let folder = try TemporaryFolder()
        let sshd = try options.program ?? Tool.find("sshd")
        self.folder = folder
        if let given = options.hostKey {
            hostKey = given
        } else {
            hostKey = folder.path("host_key")
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", hostKey])
                .orThrow("make a host key")
        }
        knownHosts = folder.path("known_hosts")
        try Self.makePrivilegeSeparationFolder()

        var attempt = 1
        while true {
            let port = try LocalSocket.freePort()
            // The banner carries a mark of this run: an answer without it comes from a stranger on our port.
            let mark = "daypass-test-\(UInt64.random(in: .min ... .max))"
            try folder.write(
                Self.configuration(options, hostKey: hostKey, port: port, mark: mark, sshd: sshd),
                to: "config")
            let arguments = ["-D"] + (options.launcher.isEmpty ? ["-e"] : []) + ["-f", folder.path("config")]
            let command = options.launcher + [sshd] + arguments
            let process = try ChildProcess(
                command[0], Array(command.dropFirst()), in: folder.path, log: folder.path("log"))
            if Self.isUp(process, port: port, mark: mark) {
                self.port = port
                self.process = process
                break
            }
            process.stop()
            let log = try folder.readText("log")
            guard attempt < Self.maximumAttempts, log.contains("Address already in use") else {
                throw TestSupportError("sshd does not come up: \(log)")
            }
            attempt += 1
        }
        if let publicKey = try? String(decoding: readWholeFile("\(hostKey).pub"), as: UTF8.self) {
            try folder.write("[\(Self.address)]:\(port) \(publicKey)", to: "known_hosts")
        }
    }

    deinit { stop() }

    /// The listening process.
    public var pid: Int32 { process.pid }

    /// All that the server has logged; it writes on its own time, so ``waitForLog(_:timeout:)`` comes first.
    public var log: String { (try? folder.readText("log")) ?? "(the log cannot be read)" }

    /// Waits until the log holds `text`.
    ///
    /// - Returns: the whole log.
    /// - Throws: ``TestSupportError`` with the log when `timeout` passes first.
    @discardableResult
    public func waitForLog(_ text: String, timeout: Duration = .seconds(10)) throws -> String {
        let deadline = Deadline(after: timeout)
        while true {
            let log = self.log
            if log.contains(text) { return log }
            guard process.wait(for: .milliseconds(5)) == nil, !deadline.hasPassed else {
                throw TestSupportError("sshd's log lacks \"\(text)\": \(log)")
            }
        }
    }

    /// Ends the server and all its connections by their process numbers. May be called again.
    public func stop() { process.stop() }

    /// Waits for the banner in short steps, until the process ends or the time is over.
    private static func isUp(_ process: ChildProcess, port: UInt16, mark: String) -> Bool {
        let deadline = Deadline(after: startTimeout)
        repeat {
            if let greeting = LocalSocket.greeting(port: port, timeout: .seconds(5)) {
                return greeting.hasPrefix("SSH-2.0-") && greeting.contains(mark)
            }
        } while process.wait(for: .milliseconds(5)) == nil && !deadline.hasPassed
        return false
    }

    /// Root's sshd wants this folder, which a machine that never ran one since it started does not have.
    private static func makePrivilegeSeparationFolder() throws {
        guard Running.asRoot else { return }
        #if os(Linux)
            guard unsafe mkdir("/run/sshd", 0o755) == 0 || errno == EEXIST else {
                throw TestSupportError.system("mkdir /run/sshd")
            }
        #endif
    }
}
