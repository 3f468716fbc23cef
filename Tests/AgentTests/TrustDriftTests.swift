// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import Testing

@Suite struct TrustDriftTests {
    /// A host with trust in its main file, and an sshd that says what was installed.
    private func installed() throws -> TrustHost {
        var host = TrustHost("UsePAM yes\n")
        let settings = try TrustSettings.some { $0.revocations = .given(try revocations(5, [1])) }
        try host.install(settings)
        host.said =
            "strictmodes yes\nusepam yes\n"
            + TrustPlanner.wantedSettings(settings, host.layout).map { "\($0.keyword) \($0.value)\n" }
            .joined()
        return host
    }

    private func findings(_ host: TrustHost) -> [TrustCheck] {
        TrustDrift.examine(host: host.files, sshd: host.sshd, layout: host.layout).filter {
            $0.problem != nil
        }
    }

    @Test func nothingIsFoundOnAHostAsItWasLeft() throws {
        let host = try installed()
        #expect(findings(host).isEmpty)
        #expect(TrustDrift.examine(host: host.files, sshd: host.sshd, layout: host.layout).count > 8)
    }

    @Test func whatIsSeenInTheMidstOfAChangeIsNoDriftAndWhatStaysIs() throws {
        let host = try installed()
        let before = try #require(try host.files.read(host.layout.revokedKeys))
        let next = try revocations(6, [1, 2]).bytes
        // The list is there already, and its record comes a moment later: by then the look has begun anew.
        for (contents, isFound) in [([next, before.bytes], false), ([next, next], true)] {
            let sshd = Sshd(
                binary: "/usr/sbin/sshd", configuration: TrustHost.main,
                programs: ChangingHost(host, host.layout.revokedKeys, contents))
            let found = TrustDrift.examine(host: host.files, sshd: sshd, layout: host.layout)
            #expect(found.contains { $0.subject == "RevokedKeys" && $0.problem != nil } == isFound)
        }
    }

    @Test func withoutTrustThatIsTheFinding() throws {
        #expect(findings(TrustHost()).map(\.problem) == ["not installed"])
    }

    @Test func anEditedBlockIsFoundWithItsLine() throws {
        let host = try installed()
        let text = try #require(host.files.text(TrustHost.main))
        host.files.put(
            TrustHost.main,
            Array(
                ("# mine\n" + text).split(separator: "RevokedKeys ").joined(separator: "#RevokedKeys ").utf8))
        let found = try #require(findings(host).first)
        #expect(found.file == TrustHost.main)
        #expect(found.line == 4)
        #expect(found.problem?.contains("#RevokedKeys") ?? false)
    }

    @Test func linesOfOthersAroundTheBlockAreNoDrift() throws {
        let host = try installed()
        let text = try #require(host.files.text(TrustHost.main))
        host.files.put(TrustHost.main, Array(("# mine\n" + text + "Port 2222\n").utf8))
        #expect(findings(host).isEmpty)
    }

    @Test func aBlockThatIsGoneIsFound() throws {
        let host = try installed()
        host.files.put(TrustHost.main, Array("UsePAM yes\n".utf8))
        #expect(findings(host).contains { $0.problem == "our block is gone" })
    }

    @Test func aReplacedListIsFoundAndWhatItMeansIsSaid() throws {
        let host = try installed()
        host.files.put(host.layout.revokedKeys, Array("<html>".utf8))
        #expect(
            findings(host).contains {
                $0.subject == "RevokedKeys" && $0.problem?.contains("every key") ?? false
            })
        host.files.put(host.layout.revokedKeys, try revocations(4, [1]).bytes)
        #expect(findings(host).contains { $0.problem?.contains("version 4, which is older than 5") ?? false })
    }

    @Test func changedModesAndOpenFoldersAreFound() throws {
        let host = try installed()
        let keys = try #require(try host.files.read(host.layout.userCAKeys))
        host.files.put(host.layout.userCAKeys, keys.bytes, mode: 0o666)
        try host.files.changeFolder("/etc", FileAttributes(mode: 0o777))
        try host.files.changeFolder(host.layout.principals, FileAttributes(mode: 0o755, owner: 1000))
        let found = findings(host)
        #expect(
            found.contains { $0.file == host.layout.userCAKeys && $0.problem?.contains("mode 0666") ?? false }
        )
        #expect(found.contains { $0.file == "/etc" && $0.problem?.contains("0777") ?? false })
        #expect(found.contains { $0.file == host.layout.principals && $0.problem?.contains("1000") ?? false })
        #expect(found.count == 3)
    }

    @Test func missingAndStrangePrincipalsAreFound() throws {
        let host = try installed()
        try host.files.remove("/etc/daypass/principals/deploy")
        host.files.put("/etc/daypass/principals/root", Array("mallory\n".utf8))
        #expect(
            findings(host).map(\.problem) == [
                "the file is gone", "was not written by daypass-agent principals set",
            ])
    }

    @Test func attack63_whatSshdSaysCountsNotWhatTheFileSays() throws {
        var host = try installed()
        host.said = host.said.replacing("exposeauthinfo yes", with: "exposeauthinfo no")
        let found = findings(host)
        #expect(found.count == 2)  // for nobody in particular, and for the account
        #expect(found.allSatisfy { $0.subject == "exposeauthinfo" && $0.file == TrustHost.main })
        // sshd spells values its own way.
        host.said = host.said.replacing("exposeauthinfo no", with: "exposeauthinfo YES")
        #expect(findings(host).isEmpty)
    }

    @Test func aLineThatWinsIsNamed() throws {
        var host = try installed()
        let text = try #require(host.files.text(TrustHost.main))
        host.files.put(TrustHost.main, Array((text + "Match User deploy\nExposeAuthInfo no\n").utf8))
        host.said = host.said.replacing("exposeauthinfo yes", with: "exposeauthinfo no")
        let found = try #require(findings(host).last)
        #expect(found.line == 9)
        #expect(found.problem?.contains("account deploy") ?? false)
        #expect(found.problem?.contains("wins over ours") ?? false)
    }

    @Test func aRecordThatCannotBeReadIsAFindingAndStopsARemoval() throws {
        let host = try installed()
        host.files.put(host.layout.originals, Array("{}".utf8))
        #expect(findings(host).count == 1)
        #expect(throws: AgentError(.damaged, "")) { try host.removal() }
    }

    @Test func everyPrefixOfARecordIsRefused() throws {
        let host = try installed()
        let bytes = try #require(try host.files.read(host.layout.originals)).bytes
        for count in 0..<(bytes.count - 1) {
            #expect(throws: AgentError(.damaged, "")) {
                try TrustRecord(parsing: Array(bytes[..<count]), name: "record")
            }
        }
        #expect(try TrustRecord(parsing: bytes, name: "record").encode() == bytes)
    }
}
