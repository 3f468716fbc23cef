// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import Foundation
    import TestSupport

    /// A host that has joined a control plane: its own /etc, a real sshd with PAM and the session hook whose trust the agent
    /// installed, or will when it comes through the tunnel, and the agent with its tunnel. Settings, keys and trust lie where they
    /// lie by default.
    final class FleetHost {
        let name: String
        let system: PrivateSystem
        let port: UInt16
        private let station: PrivateNetwork.Station?
        private var address: String { station?.address ?? "127.0.0.1" }
        private var sshd: ChildProcess?
        private var agent: ChildProcess?

        /// The account that exists on every such host.
        static let account = "deploy"

        /// - Parameters:
        ///   - station: the machine of a network that it is; nil for this one.
        ///   - labels: what it has in the inventory.
        ///   - takesGrants: whether its sshd reads the keys of grants.
        ///   - installsTrust: false leaves that to the fleet's first statement.
        ///   - registering: more arguments of register.
        init(
            _ name: String, plane: PrivateControlPlane, admin: Laptop,
            on station: PrivateNetwork.Station? = nil, labels: [String] = [], takesGrants: Bool = false,
            installsTrust: Bool = true, registering more: [String] = []
        ) throws {
            self.name = name
            self.station = station
            system = try PrivateSystem()
            port = try LocalSocket.freePort()
            let folder = system.folder
            let hostKey = folder.path("ssh_host_ed25519_key")
            try Tool.run(
                "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", hostKey]
            ).orThrow("host key")
            let publicKey = try folder.readText("ssh_host_ed25519_key.pub")
            try folder.write("[\(address)]:\(port) \(publicKey)", to: "known_hosts")
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
                HostKey \(system.path("ssh_host_ed25519_key"))
                ListenAddress \(address):\(port)
                PidFile \(system.path("sshd.pid"))
                UsePAM yes
                UseDNS no
                PasswordAuthentication no
                KbdInteractiveAuthentication no

                """, to: "etc/ssh/sshd_config", mode: 0o644)
            _ = unsafe mkdir("/run/sshd", 0o755)
            try system.run(["useradd", "-m", "-s", "/bin/sh", Self.account]).orThrow("useradd")
            let token = try admin.daypass(
                ["hosts", "join-token", "create", "--name", name] + labels.flatMap { ["--label", $0] }
            ).orThrow("join-token")
            try folder.write(token.stdoutText, to: "token", mode: 0o600)
            try run(
                [
                    "register", "--server", plane.url, "--fingerprint", plane.fingerprint,
                    "--join-token-file", system.path("token"), "--hostname", name, "--host-keys",
                    system.path("."),
                ] + more, options: false
            ).orThrow("register")
            if installsTrust {
                try run(
                    [
                        "trust", "install", "--ca-keys", "\(plane.home)/user_ca.pub", "--no-session-hook",
                        "--offline", "--host-id", name, "--account", Self.account,
                    ] + (takesGrants ? ["--grants"] : [])
                ).orThrow("trust install")
            }
            try startSSHD()
            try startAgent()
        }

        deinit {
            agent?.stop()
            sshd?.stop()
        }

        func startAgent() throws {
            agent = try begin(
                [
                    try BuiltProduct.path("daypass-agent"), "start", "--sshd-log", "none",
                ] + options, "agent.log")
        }

        func stopAgent() {
            agent?.stop()
            agent = nil
        }

        /// Ends the agent as a machine that has no memory left does.
        func killAgent() { Self.kill(&agent) }

        func startSSHD() throws {
            sshd = try begin([system.path("bin/sshd"), "-D", "-e", "-f", "/etc/ssh/sshd_config"], "sshd.log")
        }

        /// Ends the sshd that listens; sessions go on.
        func killSSHD() { Self.kill(&sshd) }

        private static func kill(_ process: inout ChildProcess?) {
            process?.signal(SIGKILL)
            _ = process?.wait(for: .seconds(60))
            process = nil
        }

        private var options: [String] {
            [
                "--sshd-binary", system.path("bin/sshd"), "--state-folder", system.path("state"),
                "--runtime-folder", system.path("run"),
            ]
        }

        /// Runs a program on the host.
        func inHost(_ command: [String]) throws -> ToolResult {
            let all = inside(command)
            return try Tool.run(all[0], Array(all.dropFirst()))
        }

        /// Runs one of the agent's commands on the host.
        func run(_ arguments: [String], options isWithOptions: Bool = true) throws -> ToolResult {
            try inHost(
                [try BuiltProduct.path("daypass-agent")] + arguments + (isWithOptions ? options : []))
        }

        private func inside(_ command: [String]) -> [String] {
            let command = system.inside(command)
            return station?.inside(command) ?? command
        }

        private func begin(_ command: [String], _ log: String) throws -> ChildProcess {
            let all = inside(command)
            return try ChildProcess(all[0], Array(all.dropFirst()), log: system.path(log))
        }

        var logs: String {
            ["agent.log", "sshd.log"].map { (try? system.folder.readText($0)) ?? "" }.joined()
        }

        private func arguments(_ key: String, _ account: String, _ command: String) -> [String] {
            [
                "-F", "/dev/null", "-o", "BatchMode=yes", "-o",
                "UserKnownHostsFile=\(system.path("known_hosts"))", "-o", "IdentitiesOnly=yes", "-o",
                "IdentityAgent=none", "-o", "ControlPath=none", "-i", key, "-o",
                "CertificateFile=\(key)-cert.pub", "-p", "\(port)", "-l", account, address, command,
            ]
        }

        /// Logs in by a key with its certificate beside it.
        ///
        /// - Parameter client: where ssh runs; nil for this machine.
        func login(
            _ key: String, _ command: String = "true", as account: String = FleetHost.account,
            from client: PrivateNetwork.Station? = nil
        ) throws -> ToolResult {
            let command = [try Tool.find("ssh")] + arguments(key, account, command)
            let all = client?.inside(command) ?? command
            return try Tool.run(all[0], Array(all.dropFirst()))
        }

        /// Logs in beside the test.
        func loginBeside(
            _ key: String, _ command: String, as account: String = FleetHost.account,
            from client: PrivateNetwork.Station? = nil
        ) throws -> ChildProcess {
            let command = [try Tool.find("ssh")] + arguments(key, account, command)
            let all = client?.inside(command) ?? command
            return try ChildProcess(all[0], Array(all.dropFirst()))
        }
    }
#endif
