// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import SSHWire
import Testing

@Suite struct TrustPlannerTests {
    @Test func aPlanPutsADropInWhereTheMainFileIncludesItFirst() throws {
        let host = TrustHost()
        let before = host.files.everything
        let plan = try host.plan(try .some())
        #expect(host.files.everything == before)
        #expect(
            plan.steps.map(\.change.path) == [
                "/etc/daypass", "/etc/daypass/principals", "/var/lib/daypass/trust.originals",
                "/etc/daypass/user_ca_keys",
                "/etc/daypass/revoked_keys", "/etc/daypass/principals/deploy", TrustHost.dropIn,
            ])
        try host.files.apply(plan)
        #expect(host.files.text("/etc/daypass/principals/deploy") == "deploy\ndeploy@web1\n")
        #expect(try host.winner("TrustedUserCAKeys") == "/etc/daypass/user_ca_keys")
        #expect(try host.winner("AuthorizedPrincipalsFile") == "/etc/daypass/principals/%u")
    }

    @Test func theSameSettingsChangeNothingTheSecondTime() throws {
        let host = TrustHost()
        let settings = try TrustSettings.some()
        try host.install(settings)
        #expect(try host.plan(settings).isEmpty)
    }

    @Test(arguments: [
        // No Include; one behind a line of ours; one in a block; one for other names; one of a folder that is not there.
        "UsePAM yes\n",
        "ExposeAuthInfo no\nInclude /etc/ssh/sshd_config.d/*.conf\n",
        "Match all\nInclude /etc/ssh/sshd_config.d/*.conf\n",
        "Include /etc/ssh/sshd_config.d/50-*.conf\n",
        "Include /etc/ssh/none.d/*.conf\n",
        "Include /etc/ssh/sshd_config.d/README\n",
        "",
    ])
    func theTopOfTheMainFileIsUsedWhereADropInWouldNotWin(main: String) throws {
        let host = TrustHost(main, ["/etc/ssh/sshd_config.d/README": "#\n"])
        try host.install(try .some())
        #expect(host.files.text(TrustHost.dropIn) == nil)
        let text = try #require(host.files.text(TrustHost.main))
        #expect(text.hasPrefix("# BEGIN daypass"))
        #expect(text.hasSuffix("# END daypass\n" + main))
        #expect(try host.winner("ExposeAuthInfo") == "yes")
    }

    @Test func anEarlierDropInThatWouldWinMakesTheMainFileThePlace() throws {
        let later = TrustHost(others: "01-x.conf")
        try later.install(try .some())
        #expect(later.files.text(TrustHost.dropIn) != nil)
        let earlier = TrustHost(others: "00-a.conf")
        try earlier.install(try .some())
        #expect(earlier.files.text(TrustHost.dropIn) == nil)
        #expect(try earlier.winner("ExposeAuthInfo") == "yes")
    }

    @Test func removingLeavesEveryFileAsItWas() throws {
        for main in [
            "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n", "UsePAM yes", "", "\n\n# x\r\nPort 22\r\n",
        ] {
            let host = TrustHost(
                main, ["/etc/pam.d/sshd": "auth required pam_unix.so", "/m/pam_daypass.so": ""])
            let before = host.files.everything
            let settings = try TrustSettings.some {
                $0.sessionHook = .pam(serviceFile: "/etc/pam.d/sshd", module: "/m/pam_daypass.so")
                $0.restrictions = ForwardingRestriction.all
            }
            try host.install(settings)
            #expect(host.files.everything != before)
            #expect(
                host.files.text("/etc/pam.d/sshd")?.contains("\nsession optional /m/pam_daypass.so\n")
                    ?? false)
            #expect(try host.plan(settings).isEmpty)
            try host.remove()
            #expect(host.files.everything == before)
            #expect(try host.removal().isEmpty)
        }
    }

    @Test func removingTakesOnlyOurBlockOutOfAFileThatWasChangedSince() throws {
        let host = TrustHost("UsePAM yes\n")
        try host.install(try .some())
        let installed = try #require(host.files.text(TrustHost.main))
        host.files.put(TrustHost.main, Array(("# mine\n" + installed + "Port 2222\n").utf8))
        try host.remove()
        #expect(host.files.text(TrustHost.main) == "# mine\nUsePAM yes\nPort 2222\n")
    }

    @Test func anInstallAfterAnEditKeepsTheEdit() throws {
        let host = TrustHost("UsePAM yes\n")
        try host.install(try .some())
        let installed = try #require(host.files.text(TrustHost.main))
        host.files.put(TrustHost.main, Array((installed + "Port 2222\n").utf8))
        try host.install(try .some { $0.restrictions = ForwardingRestriction.all })
        try host.remove()
        #expect(host.files.text(TrustHost.main) == "UsePAM yes\nPort 2222\n")
    }

    @Test func aBlockMovesBackToTheTopWhenALineWouldWinOverIt() throws {
        let host = TrustHost("UsePAM yes\n")
        let settings = try TrustSettings.some()
        try host.install(settings)
        let installed = try #require(host.files.text(TrustHost.main))
        host.files.put(TrustHost.main, Array(("ExposeAuthInfo no\n" + installed).utf8))
        try host.install(settings)
        #expect(try host.winner("ExposeAuthInfo") == "yes")
        host.files.put(TrustHost.main, Array(("# only a comment\n" + installed).utf8))
        #expect(
            try host.plan(settings).steps.allSatisfy {
                $0.change.path != TrustHost.main || $0.change.action == "change"
            })
    }

    @Test func marksThatAreNoPairAreRefusedWithTheirLine() throws {
        let host = TrustHost("Port 22\n# BEGIN daypass\nPort 23\n")
        let error = try #require(throws: AgentError.self) { try host.plan(try .some()) }
        #expect(error.code == .conflict)
        #expect(error.reason.contains("sshd_config line 2"))
    }

    @Test func linesOfOthersThatNeedOurFilesKeepThemInPlace() throws {
        let host = TrustHost("UsePAM yes\n")
        try host.install(try .some())
        let installed = try #require(host.files.text(TrustHost.main))
        host.files.put(TrustHost.main, Array((installed + "RevokedKeys /etc/daypass/revoked_keys\n").utf8))
        let error = try #require(throws: AgentError.self) { try host.removal() }
        #expect(error.code == .conflict)
        #expect(error.reason.contains("/etc/ssh/sshd_config line 8"))
    }

    @Test func ownersModesAndLabelsOfFilesThatWereThereStay() throws {
        let host = TrustHost("UsePAM yes\n")
        let attributes = FileAttributes(
            mode: 0o600, owner: 7, group: 8, securityLabel: Array("system_u:x".utf8))
        try host.files.remove(TrustHost.main)
        try host.files.create(TrustHost.main, FileContent(Array("UsePAM yes\n".utf8), attributes))
        try host.install(try .some())
        #expect(try host.files.read(TrustHost.main)?.attributes == attributes)
        try host.remove()
        #expect(try host.files.read(TrustHost.main)?.attributes == attributes)
    }

    @Test func principalsThatAreThereStayUnlessAnAccountIsNamed() throws {
        let host = TrustHost()
        try host.install(try .some())
        let folder = PrincipalsFolder(host.files, host.layout)
        try folder.apply(try folder.setting(try AccountName("deploy"), ["alice"]))
        #expect(try host.plan(try .some()).steps.allSatisfy { !$0.change.path.hasSuffix("/deploy") })
        let named = try TrustSettings.some {
            $0.principals = [
                try AccountPrincipals(try AccountName("deploy"), ["bob"], replacesExisting: true)
            ]
        }
        try host.install(named)
        #expect(host.files.text("/etc/daypass/principals/deploy") == "bob\n")
    }

    @Test func principalsOfSomebodyElseStayAndAreShownAndRestored() throws {
        let host = TrustHost()
        host.files.put("/etc/daypass/principals/root", Array("mallory\n".utf8))
        let before = host.files.everything
        let plan = try host.plan(try .some())
        #expect(plan.notes.contains { $0.contains("/etc/daypass/principals/root") && $0.contains("mallory") })
        try host.files.apply(plan)
        #expect(host.files.text("/etc/daypass/principals/root") == "mallory\n")
        #expect(try host.plan(try .some()).notes.allSatisfy { !$0.contains("mallory") })
        try host.remove()
        #expect(host.files.everything == before)
    }

    @Test func aHostKeyIsAddedToThoseThatSshdOffersAnyhow() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        var host = TrustHost("UsePAM yes\n", ["/etc/ssh/own": "", "/etc/ssh/ssh_host_ed25519_key": ""])
        let settings = try TrustSettings.some {
            $0.hostIdentity = try TrustSettings.HostIdentity(
                keyPath: "/etc/ssh/own", key: key, certificate: nil)
        }
        try host.install(settings)
        let lines = try SshdConfiguration(reading: TrustHost.main, from: host.files).all("HostKey").map(
            \.value)
        #expect(lines == ["/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/own"])
        host.said = "usepam yes\nhostkey /etc/ssh/ssh_host_ed25519_key\nhostkey /etc/ssh/own\n"
        #expect(try host.plan(settings).isEmpty)
    }

    @Test(arguments: [
        ("usepam no\n", "/etc/pam.d/sshd", "UsePAM no"),
        ("usepam yes\n", "/etc/pam.d/other", "does not exist"),
    ])
    func withoutPAMThePlanSaysHowLoginsAreRead(said: String, service: String, why: String) throws {
        var host = TrustHost("UsePAM yes\n", ["/etc/pam.d/sshd": "\n", "/m/pam_daypass.so": ""])
        host.said = said
        let plan = try host.plan(
            try .some { $0.sessionHook = .pam(serviceFile: service, module: "/m/pam_daypass.so") })
        #expect(plan.steps.allSatisfy { !$0.change.path.hasPrefix("/etc/pam.d") })
        #expect(plan.notes.contains { $0.contains(why) && $0.contains("sshd's messages") })
    }
}

extension TrustHost {
    /// A host whose drop-in of this name has a line of ours.
    init(others name: String) {
        self.init(
            "Include /etc/ssh/sshd_config.d/*.conf\n",
            ["/etc/ssh/sshd_config.d/\(name)": "ExposeAuthInfo no\n"])
    }
}
