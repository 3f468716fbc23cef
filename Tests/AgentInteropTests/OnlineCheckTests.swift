// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// `trust install --online-check`: a real sshd that asks the program, which asks the agent.
@Suite("Online check of a host", .enabled(if: Running.asRoot, "needs root"))
struct OnlineCheckTests {
    private static let account = "dp-authorize"
    private static let accountID: UInt32 = 60_113
    private let host: PrivateHost
    private let agent: String
    private let place: SessionProgramAuthorizeTests.Place

    init() throws {
        host = try PrivateHost(
            accounts: [
                .init("alice", id: 60_111), .init("bob", id: 60_112),
                .init(Self.account, id: Self.accountID, shell: "/usr/sbin/nologin"),
            ], lines: ["UsePAM yes"], refusesOften: true)
        agent = try BuiltProduct.path("daypass-agent")
        place = try SessionProgramAuthorizeTests.Place()
        for name in ["ca", "user"] {
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", host.path(name)])
                .orThrow("make \(name)")
        }
    }

    // MARK: The host

    private func agent(_ arguments: [String]) throws -> ToolResult {
        let command = host.inside([agent] + arguments)
        return try Tool.run(command[0], Array(command.dropFirst()))
    }

    private func install(_ more: [String] = [], program: String? = nil) throws -> ToolResult {
        try agent(
            ["trust", "install"] + host.agentOptions + [
                "--ca-keys", host.path("ca.pub"), "--no-session-hook", "--account", "alice", "--account",
                "bob", "--host-id", "web1", "--online-check", "--session-program", program ?? place.program,
                "--authorize-account", Self.account,
            ] + more)
    }

    /// Starts the agent and waits until it takes questions; it ends with the value that is returned.
    private func startAgent() throws -> ChildProcess {
        let command = host.inside(
            [agent, "run", "--host-id", "web1", "--sshd-log", "none", "--authorize-account", Self.account]
                + host.agentOptions)
        let process = try ChildProcess(
            command[0], Array(command.dropFirst()), log: host.path("agent.log"))
        let deadline = ContinuousClock.now + .seconds(20)
        while !SessionSocket.isAnswering(host.path("run-authorize/socket")) {
            guard process.isRunning, ContinuousClock.now < deadline else {
                throw TestSupportError("the agent does not come up: \(try host.folder.readText("agent.log"))")
            }
            usleep(5_000)
        }
        return process
    }

    private func stop(_ agent: ChildProcess) {
        agent.signal(SIGTERM)
        #expect(agent.wait(for: .seconds(20)) == .exited(0))
    }

    /// Signs a certificate for the user's key; returns the options that make ssh offer it.
    private func certificate(_ name: String, _ principals: String, serial: Int = 7, keyID: String? = nil)
        throws -> [String]
    {
        let key = "\(name)-key.pub"
        try host.folder.write(try host.folder.read("user.pub"), to: key)
        try Tool.run(
            "ssh-keygen",
            [
                "-q", "-s", host.path("ca"), "-I", keyID ?? name, "-n", principals, "-V", "-1m:+1h", "-z",
                "\(serial)", host.path(key),
            ]
        ).orThrow("sign \(name)")
        return ["CertificateFile=\(host.path("\(name)-key-cert.pub"))"]
    }

    /// True when the certificate lets its holder in; what ssh said otherwise must be a refusal.
    private func enters(_ account: String, _ certificate: [String]) throws -> Bool {
        let said = try host.client(
            identity: host.path("user"), options: certificate, ["-l", account, "HOST", "id -un"])
        if said.succeeded, said.stdoutText == "\(account)\n" { return true }
        #expect(said.stderrText.contains("Permission denied"), "\(said)")
        return false
    }

    /// A KRL that revokes a serial, where the agent reads it.
    private func revoke(serial: Int) throws {
        try host.folder.write("serial: \(serial)\n", to: "spec")
        try Tool.run(
            "ssh-keygen", ["-q", "-k", "-f", host.path("krl"), "-s", host.path("ca.pub"), host.path("spec")]
        ).orThrow("make a KRL")
        try host.folder.write(try host.folder.read("krl"), to: "etc/revoked_keys", mode: 0o644)
    }

    private var dropIn: String { "sshd_config.d/00-daypass.conf" }

    private func edit(_ text: String, to other: String) throws {
        let lines = try host.folder.readText(dropIn)
        try #require(lines.contains(text))
        try host.folder.write(lines.replacing(text, with: other), to: dropIn, mode: 0o644)
    }

    // MARK: Tests

    @Test func itIsProvenAndInForceWithoutAnAgentByTheFilesAlone() throws {
        let server = try host.start()
        let before = try host.tree()
        let result = try install()
        #expect(result.succeeded, "\(result)")
        // root has no principals: the proof gave it one where the program looks, and took it away again.
        #expect(result.stdoutText.contains("a login as root@127.0.0.1 by certificate succeeded"))
        #expect(!host.folder.contains("etc/principals/root"))
        #expect(
            result.stderrText.contains("no agent takes questions at \(host.path("run-authorize/socket"))"))

        let shown = host.inside([
            try Tool.find("sshd"), "-T", "-f", host.path("sshd_config"), "-C",
            "user=alice,host=x,addr=127.0.0.1",
        ])
        let settings = try Tool.run(shown[0], Array(shown.dropFirst())).orThrow("sshd -T").stdoutText
        let lines = settings.split(separator: "\n").map(String.init)
        #expect(
            lines.contains(
                "authorizedprincipalscommand \(place.program) authorize --socket "
                    + "\(host.path("run-authorize/socket")) --principals \(host.path("etc/principals")) %u %k"
            ))
        #expect(lines.contains("authorizedprincipalscommanduser \(Self.account)"))
        #expect(lines.contains("authorizedprincipalsfile none"))

        #expect(try enters("alice", certificate("alice", "alice")))
        #expect(try enters("alice", certificate("alice-here", "alice@web1")))
        #expect(try !enters("bob", certificate("alice", "alice")))
        #expect(try !enters("alice", certificate("nobody", "nobody-at-all")))
        #expect(try !enters("root", certificate("root", "root")))
        #expect(try host.letsAdministratorIn())

        let again = try install()
        #expect(again.stdoutText.contains("nothing to do"), "\(again)")
        let removed = try agent(["trust", "remove"] + host.agentOptions)
        #expect(removed.succeeded, "\(removed)")
        #expect(try host.tree() == before)
        #expect(try !enters("alice", certificate("alice", "alice")))
        #expect(try host.letsAdministratorIn())
        #expect(server.isRunning)
    }

    @Test func theProofPassesThroughARunningAgent() throws {
        let agent = try startAgent()
        let server = try host.start()
        let result = try install()
        #expect(result.succeeded, "\(result)")
        #expect(!result.stderrText.contains("no agent"), "\(result)")
        #expect(try enters("alice", certificate("alice", "alice")))
        #expect(try !enters("bob", certificate("alice", "alice")))
        // Its own certificates were not what the agent refused: sshd did.
        #expect(try !host.folder.readText("agent.log").contains("authorize: refused"))
        let removed = try self.agent(["trust", "remove"] + host.agentOptions)
        #expect(removed.succeeded, "\(removed)")
        stop(agent)
        withExtendedLifetime(server) {}
    }

    @Test func whatTheAgentKnowsAsRevokedIsRefusedThoughSSHDsListDoesNotNameIt() throws {
        let server = try host.start()
        try install().orThrow("install")
        // sshd gets another list than the agent reads. The agent is down, so the file lets in whom sshd's list allows:
        // once the revoked certificate enters, sshd has the other list.
        try host.folder.write("", to: "spec")
        try Tool.run("ssh-keygen", ["-q", "-k", "-f", host.path("nothing.krl"), host.path("spec")])
            .orThrow("make a KRL of nothing")
        try edit(
            "RevokedKeys \(host.path("etc/revoked_keys"))", to: "RevokedKeys \(host.path("nothing.krl"))")
        try revoke(serial: 7)
        server.signal(SIGHUP)
        let revoked = try certificate("revoked", "alice", serial: 7)
        let good = try certificate("good", "alice", serial: 8)
        let deadline = ContinuousClock.now + .seconds(20)
        while try !host.client(
            identity: host.path("user"), options: revoked, ["-l", "alice", "HOST", "true"]
        ).succeeded {
            try #require(ContinuousClock.now < deadline)
            usleep(50_000)
        }

        let agent = try startAgent()
        #expect(try !enters("alice", revoked))
        #expect(try enters("alice", good))
        #expect(try !enters("bob", good))
        let log = try host.folder.readText("agent.log")
        #expect(
            log.contains("authorize: refused a certificate for account alice: revoked: serial 7 is listed"),
            "\(log)")

        // Without the agent, the file decides: who may enter enters, and nobody else.
        stop(agent)
        #expect(try enters("alice", revoked))
        #expect(try enters("alice", good))
        #expect(try !enters("bob", good))
    }

    @Test func attack56_theProgramHasItsAccountsRightsAndNoneOfSSHDs() throws {
        let probe = "\(place.path)/probe"
        try writeProgram(
            "#!/bin/sh\nid -u >>\"\(host.path("seen"))\"; id -G >>\"\(host.path("seen"))\"\n"
                + "exec \(place.program) \"$@\"\n", to: probe)
        try host.folder.write("", to: "seen", mode: 0o666)
        let server = try host.start()
        let result = try install(program: probe)
        #expect(result.succeeded, "\(result)")
        try host.folder.write("", to: "seen", mode: 0o666)
        #expect(try enters("alice", certificate("alice", "alice")))
        #expect(try Set(host.folder.readText("seen").split(separator: "\n")) == ["\(Self.accountID)"])
        withExtendedLifetime(server) {}
    }

    /// What a CA would hardly sign, but sshd takes: the program gets it as an argument, and the agent parses it.
    @Test(arguments: [true, false])
    func attack57_bytesOfACertificateDoNoHarm(withAgent: Bool) throws {
        let agent = try withAgent ? startAgent() : nil
        let server = try host.start()
        try install().orThrow("install")
        let pwned = "\(place.path)/pwned"
        let hostile = [
            "$(touch \(pwned))", "`touch \(pwned)`", "x; touch \(pwned)", "x\ntouch \(pwned)", "\u{1b}[2Jx",
            "%s%n%u%k",
            "--socket", "\"'\\", "alice\nbob", "../../etc/passwd", "d\u{e9}\u{202e}ploy", " ", "*", "#",
            String(repeating: "k", count: 1_024),
        ]
        for (number, text) in hostile.enumerated() {
            // As a key ID it harms nothing, and the right principal enters.
            let named = try certificate("named", "alice", serial: 100 + number, keyID: text)
            #expect(try enters("alice", named), "key ID \(text.debugDescription)")
            #expect(try !enters("bob", named), "key ID \(text.debugDescription)")
            // As a principal it is nobody's, whatever it holds.
            let mapped = try certificate("mapped", text, serial: 200 + number)
            for account in ["alice", "bob"] {
                #expect(try !enters(account, mapped), "principal \(text.debugDescription)")
            }
        }
        // A key ID that is longer than the agent reads: refused by it, and harmless without it.
        let long = try certificate("long", "alice", keyID: String(repeating: "k", count: 20_000))
        #expect(try enters("alice", long) == !withAgent)

        #expect(unsafe access(pwned, F_OK) != 0)
        #expect(server.isRunning)
        #expect(try enters("alice", certificate("after", "alice")))
        guard let agent else { return }
        #expect(agent.isRunning)
        let log = try host.folder.readText("agent.log")
        #expect(!log.contains("\u{1b}"))
        #expect(!log.contains(pwned))
        stop(agent)
    }

    @Test func anEditedCommandLineIsDriftWithItsPlace() throws {
        let server = try host.start()
        try install().orThrow("install")
        let verify = ["trust", "verify"] + host.agentOptions
        let whole = try agent(verify)
        #expect(whole.succeeded, "\(whole)")
        try edit(" authorize --socket", to: " authorize --timeout 1 --socket")
        let edited = try agent(verify)
        #expect(edited.status == 3)
        #expect(edited.stdoutText.contains("our block was edited"), "\(edited)")
        #expect(edited.stdoutText.contains("\(host.path(dropIn)) line 5"), "\(edited)")
        #expect(edited.stdoutText.contains("authorizedprincipalscommand"), "\(edited)")
        try edit(" authorize --timeout 1 --socket", to: " authorize --socket")
        try edit("CommandUser \(Self.account)", to: "CommandUser nobody")
        let other = try agent(verify)
        #expect(other.status == 3)
        #expect(other.stdoutText.contains("sshd says \"nobody\" instead of \"\(Self.account)\""), "\(other)")
        withExtendedLifetime(server) {}
    }

    @Test func aProgramThatSSHDWouldNotRunAnyMoreIsDrift() throws {
        let server = try host.start()
        try install().orThrow("install")
        try #require(unsafe chmod(place.program, 0o775) == 0)
        let open = try agent(["trust", "verify"] + host.agentOptions)
        #expect(open.status == 3)
        #expect(open.stdoutText.contains("not root's alone to write"), "\(open)")
        try #require(unsafe unlink(place.program) == 0)
        let gone = try agent(["trust", "verify"] + host.agentOptions)
        #expect(gone.status == 3)
        #expect(gone.stdoutText.contains("it is not there; sshd lets no certificate in"), "\(gone)")
        withExtendedLifetime(server) {}
    }

    @Test func aRemovalAfterAnEditTakesOurBlockAlone() throws {
        let server = try host.start()
        let before = try host.tree()
        try install().orThrow("install")
        try edit("%u %k", to: "%u  %k")
        let removed = try agent(["trust", "remove"] + host.agentOptions)
        #expect(removed.succeeded, "\(removed)")
        #expect(try host.tree() == before)
        withExtendedLifetime(server) {}
    }

    @Test func anInstallWithoutItGoesBackToTheFile() throws {
        let server = try host.start()
        try install().orThrow("install")
        let result = try agent(
            ["trust", "install"] + host.agentOptions + [
                "--ca-keys", host.path("ca.pub"), "--no-session-hook", "--account", "alice", "--host-id",
                "web1",
            ])
        #expect(result.succeeded, "\(result)")
        #expect(result.stderrText.contains("sshd will not ask the agent any more"), "\(result)")
        #expect(try !host.folder.readText(dropIn).contains("AuthorizedPrincipalsCommand"))
        #expect(try enters("alice", certificate("alice", "alice")))
        #expect(try !enters("alice", certificate("bob", "bob")))
        withExtendedLifetime(server) {}
    }

    @Test(arguments: ["missing", "open", "elsewhere"])
    func aProgramThatSSHDWouldNotRunIsRefusedBeforeAnythingChanges(kind: String) throws {
        let program: String
        let reason: String
        switch kind {
        case "missing": (program, reason) = ("\(place.path)/missing", "it is not there")
        case "open":
            try #require(unsafe chmod(place.program, 0o775) == 0)
            (program, reason) = (place.program, "\(place.program) is not root's alone to write")
        default:
            // /tmp, in which everybody may write.
            (program, reason) = (host.path("daypass-session"), "/tmp is not root's alone to write")
            try Tool.run("cp", [place.program, program]).orThrow("copy the program")
        }
        let before = try host.tree(["sshd_config", "sshd_config.d", "etc", "state", "run"])
        let result = try install(program: program)
        #expect(result.status == 1)
        #expect(result.stderrText.contains(reason), "\(result)")
        #expect(result.stderrText.contains("--session-program"))
        #expect(try host.tree(["sshd_config", "sshd_config.d", "etc", "state", "run"]) == before)
    }

    @Test func anAccountThatIsNotThereIsNamed() throws {
        let result = try install(["--authorize-account", "no-such-account-here"])
        #expect(result.status == 1)
        #expect(result.stderrText.contains("no-such-account-here, which --online-check runs as"), "\(result)")
        #expect(result.stderrText.contains("packaging/sysusers/daypass.conf"))
    }

    private func writeProgram(_ text: String, to path: String) throws {
        let number = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL, 0o755)
        try #require(number >= 0)
        defer { close(number) }
        let bytes = Array(text.utf8)
        try #require(unsafe write(number, bytes, bytes.count) == bytes.count)
        try #require(fchmod(number, 0o755) == 0)
    }
}
