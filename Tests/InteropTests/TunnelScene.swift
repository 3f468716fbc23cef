// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport

    /// A control plane, a host that has joined it, whose sshd has the session hook, and somebody who may enter it.
    final class TunnelScene {
        let plane: PrivateControlPlane
        let admin: Laptop
        let alice: Laptop
        let folder: TemporaryFolder
        let server: PrivateSSHD
        private let service: PAMService
        private let program: String
        private var agent: ChildProcess?

        /// - Parameter settings: lines at the end of daypassd.yaml.
        init(settings: String = "") throws {
            plane = try PrivateControlPlane(rules: ControlScene.rules(), settings: settings)
            admin = try Laptop(withAgent: false)
            alice = try Laptop()
            folder = try TemporaryFolder()
            try admin.logIn(to: plane, key: plane.adminKey)
            try admin.daypass([
                "keys", "add", "--identity", "alice@example.com", "--group", "sre", "\(alice.key).pub",
            ]).orThrow("keys add")
            for name in ["etc", "var", "run", "var/spool", "ssh"] { try folder.makeFolder(name) }
            let hostKey = folder.path("ssh/ssh_host_ed25519_key")
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", hostKey]).orThrow(
                "host key")
            try Self.join(plane, admin, folder)
            try folder.write(try plane.folder.read("plane/user_ca.pub"), to: "etc/user_ca_keys", mode: 0o644)
            try Tool.run(
                try BuiltProduct.path("daypass"),
                [
                    "issue", "host", "--home", plane.home, "--key", "\(hostKey).pub", "--hostname",
                    "web1.example.com",
                ]
            ).orThrow("issue host")
            service = try PAMService(session: [
                "session optional \(PAMModule.path()) socket=\(folder.path("run/session.sock")) spool=\(folder.path("var/spool"))"
            ])
            // sshd's PAM service is the name that it was started by.
            program = "\(try folder.makeFolder("bin", mode: 0o755))/\(service.name)"
            try FileManager.default.copyItem(atPath: Tool.find("sshd"), toPath: program)
            server = try PrivateSSHD(
                .init(
                    trustedUserCAKeys: folder.path("etc/user_ca_keys"), hostKey: hostKey,
                    hostCertificate: "\(hostKey)-cert.pub",
                    authorizedPrincipalsFile: folder.write("\(Running.userName)@web1\n", to: "principals"),
                    authorizedKeysFile: folder.path("authorized_keys"),
                    extraLines: service.configuration + ["ExposeAuthInfo yes"], program: program))
            try startAgent()
            try alice.logIn(to: plane)
            try alice.configure(for: server)
        }

        deinit { agent?.stop() }

        /// Joins by a token, as an administrator and the host's root do it.
        private static func join(
            _ plane: PrivateControlPlane, _ admin: Laptop, _ folder: TemporaryFolder
        ) throws {
            let made = try admin.daypass([
                "hosts", "join-token", "create", "--name", "web1", "--label", "team=infra",
            ]).orThrow("join-token")
            try folder.write(made.stdoutText, to: "token", mode: 0o600)
            try Tool.run(
                try BuiltProduct.path("daypass-agent"),
                [
                    "register", "--server", plane.url, "--fingerprint", plane.fingerprint,
                    "--join-token-file", folder.path("token"), "--hostname", "web1", "--config",
                    folder.path("agent.yaml"), "--key-path", folder.path("keys"), "--host-keys",
                    folder.path("ssh"), "--config-folder", folder.path("etc"),
                ]
            ).orThrow("register")
        }

        func startAgent() throws {
            let process = try ChildProcess(
                try BuiltProduct.path("daypass-agent"),
                [
                    "start", "--config", folder.path("agent.yaml"), "--config-folder", folder.path("etc"),
                    "--state-folder", folder.path("var"), "--runtime-folder", folder.path("run"),
                    "--sshd-log", "none", "--sshd-binary", program,
                ], log: folder.path("agent.log"))
            agent = process
            try wait("the agent is connected") {
                guard process.isRunning else { throw TestSupportError("the agent ended: \(agentLog)") }
                return try admin.daypass(["hosts", "list"]).stdoutText.contains("connected")
            }
        }

        func stopAgent() {
            agent?.stop()
            agent = nil
        }

        var agentLog: String { (try? folder.readText("agent.log")) ?? "" }

        /// What the control plane knows of sessions on the host, newest last.
        func events(_ arguments: [String] = []) throws -> [HostEventInfo] {
            try admin.daypass(["sessions", "--format", "json", "--limit", "1000"] + arguments).orThrow(
                "sessions"
            )
            .stdoutText.split(separator: "\n").map {
                try HostEventInfo(json: try JSONValue(parsing: Array($0.utf8), maximumBytes: 1 << 20))
            }
        }

        /// Waits until something holds.
        func wait(_ what: String, seconds: Int = 30, _ condition: () throws -> Bool) throws {
            let end = ContinuousClock.now + .seconds(seconds)
            repeat {
                if try condition() { return }
                usleep(50_000)
            } while ContinuousClock.now < end
            throw TestSupportError("never: \(what); agent: \(agentLog); server: \(plane.log)")
        }
    }
#endif
