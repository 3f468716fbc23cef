// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Foundation
import TestSupport
import Testing

/// `daypass-session authorize` as sshd starts it.
@Suite(
    "AuthorizedPrincipalsCommand", .enabled(if: Running.asRoot, "needs root"),
    .enabled(if: (try? Tool.find("setpriv")) != nil, "needs setpriv"))
struct SessionProgramAuthorizeTests {
    /// A folder that a dedicated account can reach and sshd takes commands from: root's, up to the top.
    final class Place {
        let path = "/var/lib/daypass-test-\(UInt64.random(in: .min ... .max))"
        let program: String
        let principals: String
        let socket: String

        init() throws {
            program = "\(path)/daypass-session"
            principals = "\(path)/principals"
            socket = "\(path)/s"
            try FileManager.default.createDirectory(atPath: principals, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: BuiltProduct.path("daypass-session"), toPath: program)
            for path in [path, principals, program] {
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ content: String, to account: String, mode: Int = 0o644) throws {
            let path = "\(principals)/\(account)"
            try Data(content.utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }

        /// Makes an agent that anybody may ask.
        func agent(_ answer: String) throws -> ReportReceiver {
            let agent = try ReportReceiver(socket, .answer(answer))
            try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: socket)
            return agent
        }

        func run(_ account: String, _ certificate: String = "AAAA", groups: [String] = ["--clear-groups"])
            throws
            -> ToolResult
        {
            try Tool.run(
                "setpriv",
                ["--reuid", "65534", "--regid", "65534"] + groups + [
                    program, "authorize", "--socket", socket, "--principals",
                ]
                    + [principals, account, certificate])
        }
    }

    @Test func theAccountsPrincipalsArePrintedWhenTheAgentAllowsThem() throws {
        let place = try Place()
        try place.write("# who\n\n deploy \ndeploy@web1\ndeploy@team=infra\r\n", to: "deploy")
        let agent = try place.agent("allow\0")
        defer { agent.stop() }
        let result = try place.run("deploy", "AAAAB3+/=")
        #expect(result.status == 0)
        #expect(result.stdoutText == "deploy\ndeploy@web1\ndeploy@team=infra\n")
        #expect(result.stderrText == "")
        let request = try AuthorizeRequest(parsing: #require(agent.waitForPackets(1).first))
        #expect(try request == AuthorizeRequest(account: "deploy", certificate: "AAAAB3+/="))
    }

    @Test func nothingIsPrintedWhenTheAgentDenies() throws {
        let place = try Place()
        try place.write("deploy\n", to: "deploy")
        let agent = try place.agent("deny\0revoked\0")
        defer { agent.stop() }
        let result = try place.run("deploy")
        #expect(result.status == 3)
        #expect(result.stdoutText == "")
    }

    @Test(arguments: ["", "allow", "allow\0more", "perhaps\0"])
    func anAnswerThatMakesNoSenseLeavesTheFileToDecide(answer: String) throws {
        let place = try Place()
        try place.write("deploy\n", to: "deploy")
        let agent = try place.agent(answer)
        defer { agent.stop() }
        #expect(try place.run("deploy").stdoutText == "deploy\n")
    }

    @Test func withoutAnAgentTheFileDecides() throws {
        let place = try Place()
        try place.write("deploy\n", to: "deploy")
        #expect(try place.run("deploy").stdoutText == "deploy\n")
        let other = try place.run("alice")
        #expect(other.status == 1)
        #expect(other.stdoutText == "")
    }

    /// Whoever is not root answers for nobody.
    @Test func aStrangersSocketIsNoAgent() throws {
        let place = try Place()
        try place.write("deploy\n", to: "deploy")
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: place.path)
        let listener = try ChildProcess(
            Tool.find("setpriv"),
            [
                "--reuid", "65533", "--regid", "65533", "--clear-groups", "python3", "-c",
                Self.denyingListener, place.socket,
            ])
        defer { listener.stop() }
        let deadline = ContinuousClock.now + .seconds(10)
        while !FileManager.default.fileExists(atPath: place.socket), ContinuousClock.now < deadline {
            usleep(2_000)
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: place.path)
        #expect(try place.run("deploy").stdoutText == "deploy\n")
    }

    private static let denyingListener = """
        import os, socket, sys
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1] + "x")
        os.chmod(sys.argv[1] + "x", 0o666); s.listen(8); os.rename(sys.argv[1] + "x", sys.argv[1])
        while True: c = s.accept()[0]; c.recv(1 << 20); c.send(b"deny" + bytes(1)); c.close()
        """

    @Test(arguments: [
        "deploy\"", "command=\"id\" deploy", "from=\"*\" deploy", "a\\b", "a\tb", "a b", "a,b", "*", "dep?oy",
        "d\u{e9}ploy",
        "\u{1b}[2Jdeploy", "\u{7f}", "$(id)", "`id`", "a;id", "'a'", String(repeating: "a", count: 256),
    ])
    func attack09_aLineThatIsNotOnePlainPrincipalIsNotPrintedToSSHD(line: String) throws {
        let place = try Place()
        try place.write("first\n\(line)\nlast\n", to: "deploy")
        let result = try place.run("deploy")
        #expect(result.status == 0)
        #expect(result.stdoutText == "first\nlast\n")
    }

    @Test func attack09_aFileThatOthersMayWriteToIsNotPrinted() throws {
        let place = try Place()
        try place.write("deploy\n", to: "deploy", mode: 0o666)
        #expect(try place.run("deploy").stdoutText == "")
        try place.write("deploy\n", to: "deploy")
        #expect(unsafe chown("\(place.principals)/deploy", 65_534, 0) == 0)
        #expect(try place.run("deploy").stdoutText == "")
        #expect(unsafe chown("\(place.principals)/deploy", 0, 0) == 0)
        #expect(try place.run("deploy").stdoutText == "deploy\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: place.principals)
        #expect(try place.run("deploy").stdoutText == "")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: place.principals)
        try FileManager.default.moveItem(
            atPath: "\(place.principals)/deploy", toPath: "\(place.path)/elsewhere")
        try FileManager.default.createSymbolicLink(
            atPath: "\(place.principals)/deploy", withDestinationPath: "\(place.path)/elsewhere")
        #expect(try place.run("deploy").stdoutText == "")
    }

    @Test func attack56_theGroupsOfSSHDAreNotUsed() throws {
        let place = try Place()
        try place.write("deploy\n", to: "deploy")
        let result = try place.run("deploy", groups: ["--groups", "0,42"])
        #expect(result.status == 1)
        #expect(result.stdoutText == "")
        #expect(result.stderrText.contains("groups that its account has not"))
        // What it may give up, it gives up: here it has the right to.
        let allowed = try place.run(
            "deploy", groups: ["--groups", "0,42", "--inh-caps", "+setgid", "--ambient-caps", "+setgid"])
        #expect(allowed.status == 0)
        #expect(allowed.stdoutText == "deploy\n")
    }

    @Test func attack56_itRefusesToRunAsRoot() throws {
        let place = try Place()
        try place.write("deploy\n", to: "deploy")
        let result = try Tool.run(
            place.program,
            ["authorize", "--principals", place.principals, "--socket", place.socket, "deploy", "AAAA"])
        #expect(result.status == 1)
        #expect(result.stdoutText == "")
        #expect(result.stderrText.contains("AuthorizedPrincipalsCommandUser"))
    }

    @Test(arguments: [
        "", "..", ".", "../deploy", "/etc/passwd", "-deploy", "--socket", "a b", "a\nb", "dep\u{e9}",
        "a\u{1b}", ".deploy",
        "$", "a$b", "$(id)", String(repeating: "a", count: 256),
    ])
    func attack57_anAccountThatIsNoPlainNameIsRefused(account: String) throws {
        let place = try Place()
        try place.write("deploy\n", to: "deploy")
        let agent = try place.agent("allow\0")
        defer { agent.stop() }
        let result = try place.run(account)
        #expect(result.status != 0)
        #expect(result.stdoutText == "")
        // Not a byte of it goes to the log or the agent.
        #expect(result.stderrText == "daypass-session: authorize: no account's name\n")
        #expect(agent.packets.isEmpty)
    }

    @Test(arguments: [
        "", "AA AA", "AAAA\n", "AAAA;id", "-x", "--socket", "AAAA\u{0301}", "user=root", "%s%n",
    ])
    func attack57_aCertificateThatIsNoBase64IsRefused(certificate: String) throws {
        let place = try Place()
        try place.write("deploy\n", to: "deploy")
        let agent = try place.agent("allow\0")
        defer { agent.stop() }
        let result = try place.run("deploy", certificate)
        // "user=root" is made of base64's characters: the agent finds no certificate in it.
        if certificate == "user=root" {
            #expect(try agent.waitForPackets(1).count == 1)
            return
        }
        #expect(result.status == 1)
        #expect(result.stdoutText == "")
        #expect(result.stderrText == "daypass-session: authorize: no certificate in base64\n")
        #expect(agent.packets.isEmpty)
    }

    @Test(arguments: [[], ["deploy"], ["--bogus", "deploy", "AAAA"], ["--spool", "/tmp", "deploy", "AAAA"]])
    func wrongArgumentsAreRefused(arguments: [String]) throws {
        #expect(try Tool.run(BuiltProduct.path("daypass-session"), ["authorize"] + arguments).status == 64)
    }

    @Test(.enabled(if: Running.withSSHD, "needs an OpenSSH server"))
    func aRealSSHDLetsInWhomTheAgentAllows() throws {
        let place = try Place()
        let folder = try TemporaryFolder()
        for name in ["ca", "user"] {
            try Tool.run(
                "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder.path(name)]
            ).orThrow(name)
        }
        try Tool.run(
            "ssh-keygen",
            [
                "-q", "-s", folder.path("ca"), "-I", "alice", "-n", "ops", "-z", "7", "-V", "+1h",
                folder.path("user.pub"),
            ]
        ).orThrow("sign")
        try place.write("ops\n", to: Running.userName)
        let server = try PrivateSSHD(
            .init(
                trustedUserCAKeys: folder.path("ca.pub"),
                extraLines: [
                    "AuthorizedPrincipalsCommand \(place.program) authorize --socket \(place.socket) --principals "
                        + "\(place.principals) %u %k",
                    "AuthorizedPrincipalsCommandUser nobody",
                ]))
        func login() throws -> ToolResult { try server.login(identity: folder.path("user")) }
        #expect(try login().succeeded)
        let denying = try place.agent("deny\0revoked\0")
        #expect(try login().status == 255)
        denying.stop()
        try FileManager.default.removeItem(atPath: place.socket)
        let allowing = try place.agent("allow\0")
        defer { allowing.stop() }
        #expect(try login().succeeded)
        let request = try AuthorizeRequest(parsing: #require(allowing.packets.first))
        #expect(request.account == Running.userName)
        #expect(try folder.readText("user-cert.pub").contains(" \(request.certificate) "))
    }
}
