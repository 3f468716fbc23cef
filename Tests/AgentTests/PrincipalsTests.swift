// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import SSHWire
import Testing

@Suite struct PrincipalsTests {
    @Test(arguments: ["deploy", "root", "_apt", "john.doe", "a-b_c", "host$", "user@example.org", "1x"])
    func accountNamesAreFileNames(name: String) throws { #expect(try AccountName(name).text == name) }

    @Test(arguments: [
        "", ".", "..", ".hidden", "-n", "a/b", "../root", "a;id", "$(id)", "a\nb", "a b", "a\tb", "a,b",
        "a\0", "%u", "a*",
        "`id`", "a\u{202e}b", "ä", "$", "a$b",
    ])
    func attack08_namesThatMeanSomethingElsewhereAreNoAccounts(name: String) {
        #expect(throws: AgentError(.invalidRequest, "")) { try AccountName(name) }
    }

    @Test(arguments: ["a b", "a,b", "a\nroot", "a\"", "a#b", "", "a\tb", "a\u{0}", "*", "dev-?", "a\rb"])
    func attack09_noPrincipalBecomesTwoOrAnOption(name: String) throws {
        let account = try AccountName("deploy")
        #expect(throws: AgentError(.invalidRequest, "")) {
            try AccountPrincipals(account, [ExactText(name)], replacesExisting: true)
        }
    }

    @Test func attack04_whatIsWrittenIsReadBackTheSame() throws {
        let host = TrustHost()
        let folder = PrincipalsFolder(host.files, host.layout)
        let names: [ExactText] = ["alice", "deploy@web1", "deploy@team=infra", "über", "a:b/c+d"]
        try folder.apply(try folder.setting(try AccountName("deploy"), names + ["alice"]))
        let entry = try #require(try folder.entry(try AccountName("deploy")))
        #expect(entry.lines == names.map(\.string))
        #expect(entry.problems.isEmpty)
    }

    @Test func theDefaultIsTheAccountHereAndByItsLabels() throws {
        let names = try HostNames(id: "web1", labels: ["team=infra", "env=prod", "team=infra"])
        #expect(
            try names.defaultPrincipals(of: try AccountName("deploy"))
                == ["deploy", "deploy@web1", "deploy@team=infra", "deploy@env=prod"])
        // It would be the principal of another account on another host.
        #expect(throws: AgentError(.invalidRequest, "")) {
            try names.defaultPrincipals(of: try AccountName("deploy@web2"))
        }
    }

    @Test(arguments: ["", "Web1", "web 1", "web@1", "web,1", "*", "web\n1"])
    func hostIDsHaveOneSpelling(id: String) {
        #expect(throws: AgentError(.invalidRequest, "")) { try HostNames(id: id) }
    }

    @Test(arguments: [
        "team", "=x", "team=", "team=a b", "team=a,b", "Team=x", "te am=x", "team=a@b", "team=*",
    ])
    func labelsAreKeysAndValues(label: String) {
        #expect(throws: AgentError(.invalidRequest, "")) { try HostNames(id: "web1", labels: [label]) }
    }

    @Test func accountsWithALoginShellAreThoseThatPeopleLogInTo() throws {
        let files = MemoryFiles([
            "/etc/passwd": """
            root:x:0:0:root:/root:/bin/bash
            daemon:x:1:1::/:/usr/sbin/nologin
            off:x:2:2::/:/bin/false
            sync:x:4:4::/:/bin/sync
            plain:x:5:5::/:
            bad name:x:6:6::/:/bin/bash
            broken:x
            deploy:x:1000:1000:,,,:/home/alice:/bin/sh

            """, "/etc/shells": "# shells\n/bin/sh\n/bin/bash\n/usr/sbin/nologin\n/bin/false\n",
        ])
        let accounts = LoginAccounts(files, asksSystem: false)
        #expect(try accounts.withLoginShell().map(\.text) == ["deploy", "plain", "root"])
        #expect(try accounts.contains(try AccountName("daemon")))
        #expect(try !accounts.contains(try AccountName("nobody-here")))
        #expect(try accounts.localNumber(of: try AccountName("deploy")) == 1000)
        for name in ["nobody-here", "broken", "Deploy"] {
            #expect(try accounts.localNumber(of: try AccountName(name)) == nil)
        }
    }

    @Test func removingAnAccountsPrincipalsLeavesTheOthers() throws {
        let host = TrustHost()
        let folder = PrincipalsFolder(host.files, host.layout)
        let before = host.files.everything
        for name in ["deploy", "root"] {
            try folder.apply(try folder.setting(try AccountName(name), ["alice"]))
        }
        try folder.apply(try folder.removal(of: try AccountName("deploy")))
        #expect(try folder.entries().map(\.account) == ["root"])
        #expect(throws: AgentError(.notFound, "")) { try folder.removal(of: try AccountName("deploy")) }
        try host.remove()
        #expect(host.files.everything == before)
    }
}
