// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

/// `daypass-agent trust install` and `trust remove` beside a real sshd with PAM, and stock clients.
@Suite("Trust on a host", .enabled(if: Running.asRoot, "needs root"))
struct TrustInstallTests {
    private let host: PrivateHost
    private let agent: String

    init() throws {
        host = try PrivateHost(
            accounts: [.init("alice", id: 60_101), .init("bob", id: 60_102), .init("deploy", id: 60_103)],
            lines: ["UsePAM yes"])
        agent = try BuiltProduct.path("daypass-agent")
        for name in ["ca", "other-ca", "user"] {
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", host.path(name)])
                .orThrow("make \(name)")
        }
    }

    private func agent(_ arguments: [String]) throws -> ToolResult {
        let command = host.inside([agent] + arguments)
        return try Tool.run(command[0], Array(command.dropFirst()))
    }

    private func install(_ arguments: [String] = []) throws -> ToolResult {
        try agent(
            ["trust", "install"] + host.agentOptions + [
                "--ca-keys", host.path("ca.pub"), "--no-session-hook", "--account", "alice", "--account",
                "bob",
                "--account", "deploy",
            ] + arguments)
    }

    /// Signs a certificate for the user's key; returns the options that make ssh offer it.
    private func certificate(
        _ name: String, by ca: String = "ca", _ principals: String, serial: Int = 7,
        valid: String = "-1m:+10m"
    ) throws -> [String] {
        let key = "\(name)-key.pub"
        try host.folder.write(try host.folder.read("user.pub"), to: key)
        try Tool.run(
            "ssh-keygen",
            [
                "-q", "-s", host.path(ca), "-I", name, "-n", principals, "-V", valid, "-z", "\(serial)",
                host.path(key),
            ]
        ).orThrow("sign \(name)")
        return ["CertificateFile=\(host.path("\(name)-key-cert.pub"))"]
    }

    @Test func certificatesEnterByEveryStockClientAndRemovalLeavesEveryFileAsItWas() throws {
        let server = try host.start()
        let before = try host.tree()
        let result = try install(["--format", "json"])
        #expect(result.succeeded, "\(result)")
        #expect(result.stdoutText.contains("\"outcome\":\"done\""))
        #expect(result.stdoutText.contains("a login as root@127.0.0.1 by certificate succeeded"))
        #expect(server.isRunning)

        let user = host.path("user")
        for account in ["alice", "bob", "deploy"] {
            let certificate = try certificate(account, account)
            let said = try host.client(
                identity: user, options: certificate, ["-l", account, "HOST", "id -un"])
            #expect(said.stdoutText == "\(account)\n", "\(said)")
        }
        let alice = try certificate("alice", "alice")
        let terminal = try host.client(
            identity: user, options: alice, ["-tt", "-l", "alice", "HOST"],
            stdin: Array("tty; exit\n".utf8))
        #expect(terminal.stdoutText.contains("/dev/pts/"), "\(terminal)")
        try host.folder.write("carried\n", to: "load", mode: 0o644)
        let copied = try host.client(
            "scp", identity: user, options: alice, [host.path("load"), "alice@HOST:by-scp"])
        #expect(copied.succeeded, "\(copied)")
        let transferred = try host.client(
            "sftp", identity: user, options: alice, ["-b", "-", "alice@HOST"],
            stdin: Array("put \(host.path("load")) by-sftp\n".utf8))
        #expect(transferred.succeeded, "\(transferred)")
        for name in ["by-scp", "by-sftp"] {
            #expect(try host.folder.readText("home-alice/\(name)") == "carried\n")
        }
        let forwarded = try host.client(
            identity: user, options: alice, ["-W", "127.0.0.1:\(host.port)", "-l", "alice", "HOST"])
        #expect(forwarded.stdoutText.hasPrefix("SSH-2.0-"), "\(forwarded)")

        let refused = [
            ("another account's", try certificate("alice-for-bob", "alice"), "bob"),
            ("another CA's", try certificate("foreign", by: "other-ca", "alice"), "alice"),
            ("an old", try certificate("old", "alice", valid: "-2h:-1h"), "alice"),
            ("no", [], "alice"),
        ]
        for (what, options, account) in refused {
            let said = try host.client(
                identity: user, options: options, ["-l", account, "HOST", "true"])
            #expect(said.status == 255, "\(what) certificate: \(said)")
            #expect(said.stderrText.contains("Permission denied"), "\(what) certificate: \(said)")
        }
        #expect(try host.letsAdministratorIn())

        let removed = try agent(["trust", "remove"] + host.agentOptions)
        #expect(removed.succeeded, "\(removed)")
        #expect(try host.tree() == before)
        let late = try host.client(identity: user, options: alice, ["-l", "alice", "HOST", "true"])
        #expect(late.status == 255, "\(late)")
        #expect(try host.letsAdministratorIn())
        #expect(server.isRunning)
    }

    @Test func whatIsInstalledTwiceIsInstalledOnce() throws {
        let server = try host.start()
        try install().orThrow("install")
        let installed = try host.tree()
        let again = try install()
        #expect(again.stdoutText.contains("nothing to do"), "\(again)")
        #expect(try host.tree() == installed)
        withExtendedLifetime(server) {}
    }

    @Test func aDryRunChangesNothing() throws {
        let before = try host.tree(["sshd_config", "sshd_config.d", "etc", "state", "run"])
        let result = try install(["--dry-run"])
        #expect(result.succeeded, "\(result)")
        #expect(
            result.stdoutText.contains("+TrustedUserCAKeys")
                || result.stdoutText.contains("+ TrustedUserCAKeys"))
        #expect(try host.tree(["sshd_config", "sshd_config.d", "etc", "state", "run"]) == before)
    }

    @Test func withoutARunningServerNothingIsChangedUnlessItIsSaidSo() throws {
        let before = try host.tree()
        let refused = try install()
        #expect(refused.status == 1)
        #expect(refused.stderrText.contains("sshd does not run"), "\(refused)")
        #expect(refused.stderrText.contains("--offline"))
        #expect(try host.tree() == before)
        let image = try install(["--offline"])
        #expect(image.succeeded, "\(image)")
        try agent(["trust", "remove", "--offline"] + host.agentOptions).orThrow("remove")
        #expect(try host.tree() == before)
    }

    @Test func aReloadThatFailsIsTakenBack() throws {
        let server = try host.start()
        let before = try host.tree()
        let result = try install(["--reload-command", "/bin/false"])
        #expect(result.status == 1)
        #expect(
            result.stderrText.contains("the reload command failed with status 1; nothing has changed"),
            "\(result)")
        #expect(try host.tree() == before)
        #expect(!host.folder.contains("state/trust.journal"))
        #expect(try host.letsAdministratorIn())
        withExtendedLifetime(server) {}
    }

    @Test func aServerThatNeverReadsItsNewConfigurationFailsTheProof() throws {
        let server = try host.start()
        let before = try host.tree()
        let result = try install(["--reload-command", "/bin/true", "--deadline", "3"])
        #expect(result.status == 1)
        #expect(result.stderrText.contains("no login as root by a good certificate"), "\(result)")
        #expect(result.stderrText.contains("nothing has changed"))
        #expect(try host.tree() == before)
        #expect(!host.folder.contains("run/proof"))
        #expect(try host.letsAdministratorIn())
        withExtendedLifetime(server) {}
    }

    @Test func aServerThatLetsBadCertificatesInFailsTheProof() throws {
        // Plans with settings that could do so are refused, so a client plays it that gets in whatever it offers.
        try host.folder.write(
            "#!/bin/sh\necho 'Authenticated to 127.0.0.1 ([127.0.0.1]:22) using \"publickey\".' >&2\n",
            to: "ssh-gets-in", mode: 0o755)
        let server = try host.start()
        let before = try host.tree()
        let result = try install(["--ssh-binary", host.path("ssh-gets-in")])
        #expect(result.status == 1)
        #expect(result.stderrText.contains("sshd let a certificate in that it must refuse"), "\(result)")
        #expect(result.stderrText.contains("nothing has changed"))
        #expect(try host.tree() == before)
        withExtendedLifetime(server) {}
    }

    @Test func theProofTakesAnAccountThatMayLogIn() throws {
        try host.folder.write("PermitRootLogin no\n", to: "sshd_config.d/10-root.conf", mode: 0o644)
        let server = try host.start()
        let result = try install()
        #expect(result.succeeded, "\(result)")
        #expect(
            result.stdoutText.contains("a login as alice@127.0.0.1 by certificate succeeded"), "\(result)")
        withExtendedLifetime(server) {}
    }

    @Test func theProofGoesWhereItIsTold() throws {
        let port = host.port
        try host.folder.write(
            "ListenAddress 127.0.0.77:\(port)\n", to: "sshd_config.d/10-address.conf", mode: 0o644)
        let server = try host.start()
        let before = try host.tree()
        // Nobody listens there.
        let silent = try install(["--prove-at", "127.0.0.78:\(port)", "--deadline", "3"])
        #expect(silent.status == 1)
        #expect(silent.stderrText.contains("127.0.0.78 port \(port): Connection refused"), "\(silent)")
        #expect(silent.stderrText.contains("nothing has changed"))
        #expect(try host.tree() == before)
        // No address of this host.
        let foreign = try install(["--prove-at", "192.0.2.1:\(port)", "--deadline", "3"])
        #expect(foreign.status == 1)
        #expect(foreign.stderrText.contains("nothing has changed"), "\(foreign)")
        #expect(try host.tree() == before)
        // Here the kernel would choose 127.0.0.1 to come from, from where the certificates are not good.
        let result = try install(["--prove-at", "127.0.0.77:\(port)"])
        #expect(result.succeeded, "\(result)")
        #expect(
            result.stdoutText.contains("a login as root@127.0.0.77 by certificate succeeded"), "\(result)")
        withExtendedLifetime(server) {}
    }

    @Test(arguments: ["web1:22", "127.0.0.1", "127.0.0.1:0", "::1:22", "-x"])
    func whatIsNoAddressAndPortIsAWrongArgument(text: String) throws {
        let result = try install(["--prove-at=\(text)"])
        #expect(result.status == 64)
        #expect(result.stderrText.contains("--prove-at"), "\(result)")
        let both = try install(["--prove-at", "127.0.0.1:22", "--no-login-proof"])
        #expect(both.status == 64)
    }

    @Test func withoutAnAccountForTheProofNothingIsChanged() throws {
        try host.folder.write("AllowUsers nobody-at-all\n", to: "sshd_config.d/10-users.conf", mode: 0o644)
        let server = try host.start()
        let before = try host.tree()
        let result = try install()
        #expect(result.status == 1)
        #expect(result.stderrText.contains("root: not in AllowUsers"), "\(result)")
        #expect(result.stderrText.contains("--no-login-proof"))
        #expect(try host.tree() == before)
        let settled = try install(["--no-login-proof"])
        #expect(settled.succeeded, "\(settled)")
        #expect(settled.stderrText.contains("no login is tried"))
        withExtendedLifetime(server) {}
    }

    @Test func anUnfinishedChangeMustBeRecoveredFirst() throws {
        let server = try host.start()
        try install().orThrow("install")
        let installed = try host.tree()
        try host.folder.write("{}\n", to: "state/trust.journal")
        let refused = try agent(["trust", "remove"] + host.agentOptions)
        #expect(refused.status == 1)
        #expect(refused.stderrText.contains("trust recover"), "\(refused)")
        // What is no journal is not acted upon, and not thrown away.
        let recovery = try agent(["trust", "recover"] + host.agentOptions)
        #expect(recovery.status == 1)
        #expect(host.folder.contains("state/trust.journal"))
        #expect(try host.tree() == installed)
        withExtendedLifetime(server) {}
    }

    /// Runs the agent where a part of the host's folder is mounted in another way.
    private func install(where mount: String) throws -> ToolResult {
        let script = """
            #!/bin/sh
            set -e
            mount --make-rprivate /
            cd "\(host.folder.path)"
            \(mount)
            exec "$@"
            """
        try host.folder.write(script + "\n", to: "elsewhere", mode: 0o755)
        return try Tool.run(
            "unshare",
            ["-m", host.path("elsewhere"), agent, "trust", "install"] + host.agentOptions + [
                "--ca-keys", host.path("ca.pub"), "--no-session-hook", "--account", "root",
            ])
    }

    @Test(arguments: [
        // Read-only, as /etc may be.
        (
            "mount --bind sshd_config.d sshd_config.d; mount -o remount,bind,ro sshd_config.d",
            "read-only file system"
        ),
        ("mount --bind state state; mount -o remount,bind,ro state", "read-only file system"),
        // Full: a page for each file of a list, and no page is left.
        (
            "mount -t tmpfs -o size=8k none etc; head -c 8192 /dev/zero > etc/filler || true",
            "no space left on device"
        ),
        ("mount -t tmpfs -o size=8k,mode=700 none state", "no space left on device"),
    ])
    func aDiskThatTakesNothingChangesNothing(mount: String, reason: String) throws {
        try host.folder.makeFolder("etc", mode: 0o755)
        try host.folder.makeFolder("state")
        let server = try host.start()
        let before = try host.tree()
        let result = try install(where: mount)
        #expect(result.status == 1, "\(result)")
        #expect(result.stderrText.contains(reason), "\(result)")
        #expect(try host.tree() == before)
        #expect(!host.folder.contains("state/trust.journal"))
        #expect(try host.letsAdministratorIn())
        withExtendedLifetime(server) {}
    }

    @Test func nothingIsRecoveredWhereNothingWasBegun() throws {
        let result = try agent(["trust", "recover"] + host.agentOptions)
        #expect(result.succeeded)
        #expect(result.stdoutText == "nothing to do\n")
        #expect(!host.folder.contains("state"))
    }
}
