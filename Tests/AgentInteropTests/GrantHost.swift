// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Foundation
import SSHWire
import Synchronization
import TestSupport

/// A host with its own /etc and /home, a real sshd with PAM and the session hook, and an agent, which trusts a CA and reads
/// the keys of grants.
final class GrantHost: Sendable {
    let system: PrivateSystem
    let port: UInt16
    private let processes = Mutex<[ChildProcess]>([])

    init() throws {
        system = try PrivateSystem()
        port = try LocalSocket.freePort()
        let folder = system.folder
        for key in ["host_key", "ca", "user", "other"] {
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", folder.path(key)])
                .orThrow("make \(key)")
        }
        try folder.write("[127.0.0.1]:\(port) \(try folder.readText("host_key.pub"))", to: "known_hosts")
        // sshd's PAM service has the name that it was started by; no other test's sshd is this program.
        try folder.makeFolder("bin", mode: 0o755)
        try FileManager.default.copyItem(atPath: Tool.find("sshd"), toPath: folder.path("bin/sshd"))
        try folder.write(
            """
            auth required pam_deny.so
            account required pam_unix.so
            session optional \(try PAMModule.path()) socket=\(system.path("run"))/session.sock spool=\(system.path("state"))/spool

            """, to: "etc/pam.d/sshd", mode: 0o644)
        try folder.write(
            """
            HostKey \(system.path("host_key"))
            ListenAddress 127.0.0.1:\(port)
            PidFile \(system.path("sshd.pid"))
            UsePAM yes
            UseDNS no
            PasswordAuthentication no
            KbdInteractiveAuthentication no

            """, to: "etc/ssh/sshd_config", mode: 0o644)
        _ = unsafe mkdir("/run/sshd", 0o755)
        try agent([
            "trust", "install", "--ca-keys", system.path("ca.pub"), "--no-session-hook", "--offline",
            "--grants",
        ])
        .orThrow("trust install")
    }

    deinit { for process in processes.withLock({ $0 }) { process.stop() } }

    private var options: [String] {
        [
            "--sshd-binary", system.path("bin/sshd"), "--state-folder", system.path("state"),
            "--runtime-folder",
            system.path("run"),
        ]
    }

    /// Runs one of the agent's commands on the host.
    func agent(_ arguments: [String]) throws -> ToolResult {
        try system.run([try BuiltProduct.path("daypass-agent")] + arguments + options)
    }

    /// Does an operation by `daypass-agent command`.
    func perform(_ command: String, _ data: String) throws -> ToolResult {
        try agent(["command", "--command", command, "--data", data])
    }

    func start() throws {
        try begin([system.path("bin/sshd"), "-D", "-e", "-f", "/etc/ssh/sshd_config"], log: "sshd.log")
        try begin(
            [try BuiltProduct.path("daypass-agent"), "run", "--host-id", "web1", "--sshd-log", "none"]
                + options,
            log: "agent.log")
        try wait("sshd and the agent") {
            SessionSocket.isAnswering(system.path("run/session.sock"))
                && LocalSocket.greeting(port: port, timeout: .seconds(5))?.hasPrefix("SSH-2.0-") == true
        }
    }

    private func begin(_ command: [String], log: String) throws {
        let all = system.inside(command)
        let process = try ChildProcess(all[0], Array(all.dropFirst()), log: system.path(log))
        processes.withLock { $0.append(process) }
    }

    private func sshArguments(_ user: String, _ key: String, _ certificate: String?, _ command: String)
        -> [String]
    {
        [
            "-F", "/dev/null", "-o", "BatchMode=yes", "-o",
            "UserKnownHostsFile=\(system.path("known_hosts"))", "-o",
            "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "ControlPath=none", "-i",
            system.path(key),
        ] + (certificate.map { ["-o", "CertificateFile=\(system.path($0))"] } ?? []) + [
            "-p", "\(port)", "-l", user, "127.0.0.1", command,
        ]
    }

    func login(_ user: String, key: String = "user", certificate: String? = nil, _ command: String) throws
        -> ToolResult
    {
        try Tool.run("ssh", sshArguments(user, key, certificate, command))
    }

    /// Logs in beside the test.
    func loginBeside(_ user: String, key: String = "user", _ command: String) throws -> ChildProcess {
        let client = try ChildProcess(Tool.find("ssh"), sshArguments(user, key, nil, command))
        processes.withLock { $0.append(client) }
        return client
    }

    /// A certificate of the CA for the user's key.
    func certificate(_ principal: String) throws -> String {
        try system.folder.write(try system.folder.read("user.pub"), to: "\(principal).pub")
        try Tool.run(
            "ssh-keygen",
            [
                "-q", "-s", system.path("ca"), "-I", "\(principal)#7", "-n", principal, "-V", "-1m:+10m",
                "-z", "7",
                system.path("\(principal).pub"),
            ]
        ).orThrow("sign")
        return "\(principal)-cert.pub"
    }

    func publicKey(_ name: String) throws -> String {
        try system.folder.readText("\(name).pub").split(separator: "\n").joined()
    }

    func events(_ kind: SessionEvent.Kind) throws -> [SessionEvent] {
        let files = RecordFiles(folder: system.path("state/sessions"))
        var events: [SessionEvent] = []
        try files.forEachRecord(RecordFiles.current) { if let record = $0 { events.append(record.event) } }
        return events.filter { $0.kind == kind }
    }

    func wait(_ what: String, seconds: Int = 30, until condition: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while try !condition() {
            guard ContinuousClock.now < end else {
                let logs = ["agent.log", "sshd.log"].map { (try? system.folder.readText($0)) ?? "" }
                throw TestSupportError("waited in vain for \(what): \(logs.joined())")
            }
            usleep(20_000)
        }
    }
}
