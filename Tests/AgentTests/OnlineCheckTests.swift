// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import SSHWire
import Testing

@Suite("Settings of the online check") struct OnlineCheckTests {
    private static let program = "/usr/bin/env"

    private func settings(_ change: (inout TrustSettings) throws -> Void = { _ in }) throws -> TrustSettings {
        try .some {
            $0.onlineCheck = try OnlineCheck(program: Self.program, account: try AccountName("nobody"))
            try change(&$0)
        }
    }

    @Test func sshdAsksTheProgramAloneAndNotTheFile() throws {
        let host = TrustHost()
        try host.install(try settings())
        #expect(try host.winner("AuthorizedPrincipalsCommand") == "\(Self.program) authorize %u %k")
        #expect(try host.winner("AuthorizedPrincipalsCommandUser") == "nobody")
        #expect(try host.winner("AuthorizedPrincipalsFile") == "none")
    }

    @Test func otherPlacesAreNamedInTheCommand() throws {
        let check = try OnlineCheck(program: "/p", account: try AccountName("nobody"))
        #expect(check.command(HostLayout()) == "/p authorize %u %k")
        #expect(
            check.command(HostLayout(configuration: "/c", state: "/s", runtime: "/r"))
                == "/p authorize --socket /r-authorize/socket --principals /c/principals %u %k")
    }

    @Test(arguments: ["/run/a b", "/run/%u", "run"])
    func aRuntimeFolderThatNeedsQuotesIsRefused(folder: String) throws {
        let host = TrustHost()
        let settings = try settings()
        #expect(throws: AgentError(.invalidRequest, "")) {
            try TrustPlanner.plan(
                settings, host: host.files, sshd: host.sshd, layout: HostLayout(runtime: folder))
        }
    }

    @Test func whomTheProgramLeavesOutIsNoted() throws {
        let host = TrustHost()
        host.files.put(
            "/etc/daypass/principals/alice",
            Array("# who\nalice\n from=\"*\" bob\r\n\n d\u{e9}ploy\nops@web1 \n".utf8))
        let notes = try host.plan(try settings()).notes
        #expect(notes.contains { $0.contains("principals/alice line 3: it and 1 more let nobody in") })
        #expect(!notes.contains { $0.contains("principals/deploy") })
        // Without the check, sshd reads such lines itself.
        #expect(!(try host.plan(try .some()).notes.contains { $0.contains("let nobody in") }))
    }

    @Test func anInstallWithoutTheCheckSaysThatItGoes() throws {
        let host = TrustHost()
        try host.install(try settings())
        let plan = try host.plan(try .some())
        #expect(plan.notes.contains { $0.contains("sshd will not ask the agent any more") })
        try host.files.apply(plan)
        #expect(try host.winner("AuthorizedPrincipalsCommand") == nil)
        #expect(!(try host.plan(try .some()).notes.contains { $0.contains("ask the agent") }))
    }

    @Test func aBlockWithACommandThatDiffersInCaseIsAConflict() throws {
        let host = TrustHost(
            "Match User u\nAuthorizedPrincipalsCommand \(Self.program.uppercased()) authorize %u %k\n")
        let settings = try settings()
        let error = try #require(throws: AgentError.self) { try host.plan(settings) }
        #expect(error.code == .conflict)
        #expect(error.reason.contains("line 2"))
    }

    @Test func pathsAndAccountsAreComparedToTheLetter() {
        let settings = SshdSettings(parsing: "authorizedprincipalscommanduser Nobody\nexposeauthinfo YES\n")
        #expect(!settings.says("AuthorizedPrincipalsCommandUser", "nobody"))
        #expect(settings.says("AuthorizedPrincipalsCommandUser", "Nobody"))
        #expect(settings.says("ExposeAuthInfo", "yes"))
    }

    @Test(arguments: [
        ("/usr/bin/env", nil), ("/no/such/program", "it is not there"), ("/usr/bin", "it is no file"),
        ("/etc/passwd", "it may not be executed"), ("/dev/null", "it is no file"),
    ])
    func whySSHDWouldNotRunTheProgramIsKnown(path: String, problem: String?) {
        #expect(OnlineCheck.problem(ofProgram: path) == problem)
    }

    @Test func aProgramOrAnAccountThatIsGoneIsDrift() throws {
        func problems(_ program: String, _ account: String) throws -> [String] {
            var host = TrustHost("UsePAM yes\n", ["/etc/passwd": "nobody:x:9:9::/:/bin/sh\n"])
            let settings = try TrustSettings.some {
                $0.onlineCheck = try OnlineCheck(program: program, account: try AccountName(account))
            }
            try host.install(settings)
            host.said =
                "strictmodes yes\n"
                + TrustPlanner.wantedSettings(settings, host.layout).map { "\($0.keyword) \($0.value)\n" }
                .joined()
            return TrustDrift.examine(host: host.files, sshd: host.sshd, layout: host.layout).compactMap(
                \.problem)
        }
        #expect(try problems(Self.program, "nobody") == [])
        #expect(
            try problems("/no/such/program", "nobody") == ["it is not there; sshd lets no certificate in"])
        #expect(
            try problems(Self.program, "no-such-account")
                == ["this host has no such account; sshd lets no certificate in"])
    }

    @Test func theProofEntersByAPrincipalThatTheProgramPrints() throws {
        let files = MemoryFiles(["/etc/daypass/principals/root": "from=\"*\" root\nr\u{f6}t\nroot@web1\n"])
        func entrance(_ account: String, _ lines: String) throws -> LoginProof.Entrance {
            try LoginProof.Entrance(
                LoginProof.Subject(
                    account: account, connection: Sshd.Connection(user: account),
                    settings: SshdSettings(parsing: lines), principals: "/etc/daypass/principals", ports: []),
                files)
        }
        let checked = "authorizedprincipalsfile none\nauthorizedprincipalscommand /p authorize %u %k\n"
        #expect(try entrance("root", checked).principal == "root@web1")
        #expect(try entrance("root", checked).temporary == nil)
        // An account without principals gets one for the proof, where the program looks.
        let other = try entrance("alice", checked)
        #expect(other.temporary?.path == "/etc/daypass/principals/alice")
        #expect(other.principal.hasPrefix("daypass-proof-"))
        let unchecked = try entrance(
            "alice", "authorizedprincipalsfile none\nauthorizedprincipalscommand none\n")
        #expect(unchecked.principal == "alice")
        #expect(unchecked.temporary == nil)
    }
}
