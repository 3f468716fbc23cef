// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Foundation
import SSHWire
import Synchronization
import TestSupport

/// A CA, a user's certificate, an sshd whose PAM service has the session hook, and room for an agent.
final class SessionScene: Sendable {
    let folder: TemporaryFolder
    let key: String
    let service: PAMService
    let server: PrivateSSHD
    let layout: HostLayout
    /// sshd's program, which no other test's sshd is: the agent tells them apart by it.
    let program: String
    private let agent = Mutex<ChildProcess?>(nil)
    private let beside = Mutex<[ChildProcess]>([])

    /// - Parameter accounts: names that exist on this sshd's host only, each an ordinary account with /bin/sh.
    init(accounts: [String] = [], extraLines: [String] = [], keyID: String = "alice@example.org#7") throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        for name in ["ca", "user", "static"] {
            try Tool.run(
                "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "\(name) key", "-f", folder.path(name)]
            ).orThrow("make a key")
        }
        key = folder.path("user")
        try Tool.run(
            "ssh-keygen",
            [
                "-q", "-s", folder.path("ca"), "-I", keyID, "-n", ([Running.userName] + accounts).joined(separator: ","), "-z", "7",
                "-V", "-1m:+1h", "\(key).pub",
            ]
        ).orThrow("sign")
        layout = HostLayout(
            configuration: try folder.makeFolder("etc"), state: try folder.makeFolder("var"),
            runtime: try folder.makeFolder("run"))
        try folder.makeFolder("var/spool")
        try folder.write(try folder.read("ca.pub"), to: "etc/user_ca_keys", mode: 0o644)
        try folder.write(try folder.read("static.pub"), to: "authorized_keys", mode: 0o644)
        service = try PAMService(session: [
            "session optional \(PAMModule.path()) socket=\(layout.sessionSocket) spool=\(layout.spool)"
        ])
        // sshd's PAM service is the name that it was started by.
        program = "\(try folder.makeFolder("bin", mode: 0o755))/\(service.name)"
        try FileManager.default.copyItem(atPath: Tool.find("sshd"), toPath: program)
        let starter = try accounts.isEmpty ? program : Self.starter(folder, program, accounts)
        server = try PrivateSSHD(
            .init(
                trustedUserCAKeys: layout.userCAKeys, authorizedKeysFile: folder.path("authorized_keys"),
                extraLines: extraLines + service.configuration + ["ExposeAuthInfo yes", "MaxStartups 500"],
                program: starter))
        if !accounts.isEmpty { try folder.setMode(0o711, of: ".") }
    }

    /// A script that starts sshd in a mount namespace of its own, in which the accounts exist.
    private static func starter(_ folder: TemporaryFolder, _ program: String, _ accounts: [String]) throws -> String {
        let passwd = try String(contentsOfFile: "/etc/passwd", encoding: .utf8)
        let added = accounts.enumerated().map { "\($1):x:\(54_321 + $0):\(54_321 + $0)::/:/bin/sh\n" }
        try folder.write(passwd + added.joined(), to: "passwd", mode: 0o644)
        let script = """
            #!/bin/sh
            [ "$1" = -V ] && exec \(program) "$@"
            exec unshare -m sh -c 'mount --bind \(folder.path("passwd")) /etc/passwd && exec \(program) "$@"' sh "$@"

            """
        return try folder.write(script, to: "sshd-with-accounts", mode: 0o755)
    }

    deinit { stopAgent(SIGKILL) }

    private var folders: [String] {
        [
            "--config-folder", layout.configuration, "--state-folder", layout.state, "--runtime-folder",
            layout.runtime,
        ]
    }

    /// Starts the agent and waits until it listens. Other tests' sshd is none of its business.
    func startAgent(_ arguments: [String] = [], through launcher: [String] = []) throws {
        let command = launcher + [try BuiltProduct.path("daypass-agent"), "run", "--host-id", "web1"] + folders + arguments
        let process = try ChildProcess(
            command[0],
            Array(command[1...]) + ["--sshd-binary", program],
            log: folder.path("agent.log"))
        agent.withLock { $0 = process }
        try wait("the agent to listen") {
            guard process.isRunning else { throw TestSupportError("the agent ended: \(try folder.readText("agent.log"))") }
            return SessionSocket.isAnswering(layout.sessionSocket)
        }
    }

    /// Ends the agent, and waits until it is gone.
    @discardableResult
    func stopAgent(_ signal: Int32 = SIGTERM) -> ProcessEnd? {
        guard let process = agent.withLock({ $0.take() }) else { return nil }
        process.signal(signal)
        return process.wait(for: .seconds(20)) ?? process.stop()
    }

    var agentPID: Int32? { agent.withLock { $0?.pid } }

    func login(_ command: String = "true", user: String? = nil, key: String? = nil, options: [String] = []) throws
        -> ToolResult
    {
        try server.login(user: user, identity: key ?? self.key, extraOptions: options, command: command)
    }

    /// Logs in beside the test, with a command that goes on; it ends with the scene.
    func loginBeside(_ command: String, user: String? = nil) throws {
        let arguments = [
            "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=\(server.knownHosts)", "-o",
            "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "ControlPath=none", "-i", key, "-p", "\(server.port)", "-l",
            user ?? Running.userName, PrivateSSHD.address, command,
        ]
        let client = try ChildProcess(Tool.find("ssh"), arguments)
        beside.withLock { $0.append(client) }
    }

    /// Runs one of the agent's commands.
    func run(_ arguments: [String]) throws -> ToolResult {
        try Tool.run(BuiltProduct.path("daypass-agent"), arguments + folders)
    }

    /// All records, in their order.
    func records() throws -> [SessionRecord] {
        let files = RecordFiles(folder: layout.sessions)
        let names = try files.names()
        var records: [SessionRecord] = []
        for name in names.full + (names.current.map { [$0] } ?? []) {
            try files.forEachRecord(name) { if let record = $0 { records.append(record) } }
        }
        return records
    }

    func events(_ kind: SessionEvent.Kind) throws -> [SessionEvent] { try records().map(\.event).filter { $0.kind == kind } }

    /// Waits until there are `count` events of a kind.
    @discardableResult
    func wait(for kind: SessionEvent.Kind, count: Int, seconds: Int = 20) throws -> [SessionEvent] {
        var found: [SessionEvent] = []
        try wait("\(count) of \(kind.rawValue)", seconds: seconds) {
            found = try events(kind)
            return found.count >= count
        }
        return found
    }

    func wait(_ what: String, seconds: Int = 20, until condition: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while try !condition() {
            guard ContinuousClock.now < end else { throw TestSupportError("waited in vain for \(what)") }
            usleep(10_000)
        }
    }
}

/// The agent's socket as a client sees it.
enum SessionSocket {
    /// Sends a packet and waits for the answer; nil when nobody listens or answers.
    static func ask(_ path: String, _ packet: [UInt8], seconds: Int = 10) -> [UInt8]? {
        guard let number = connect(path) else { return nil }
        defer { close(number) }
        var size = Int32(packet.count * 2 + 4_096)
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_SNDBUFFORCE, &size, 4)
        guard unsafe send(number, packet, packet.count, Int32(MSG_NOSIGNAL)) == packet.count else { return nil }
        var polled = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&polled, 1, Int32(seconds * 1_000)) == 1 else { return nil }
        var answer = [UInt8](repeating: 0, count: 8 << 10)
        let count = unsafe recv(number, &answer, answer.count, 0)
        return count > 0 ? Array(answer[..<count]) : nil
    }

    static func isAnswering(_ path: String) -> Bool {
        guard let number = connect(path) else { return false }
        close(number)
        return true
    }

    /// A connection that says nothing.
    static func connect(_ path: String) -> Int32? {
        let number = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8).prefix(107)) }
        let connected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else {
            close(number)
            return nil
        }
        return number
    }
}
