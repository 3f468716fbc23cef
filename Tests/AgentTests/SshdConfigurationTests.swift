// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import Testing

@Suite struct SshdConfigurationTests {
    private func read(_ texts: [String: String]) throws -> SshdConfiguration {
        try SshdConfiguration(reading: "/etc/ssh/sshd_config", from: MemoryFiles(texts))
    }

    @Test func anIncludeIsReadWhereItStandsInTheOrderOfNames() throws {
        let configuration = try read([
            "/etc/ssh/sshd_config": "Port 1\nInclude d/*.conf\nPort 4\n",
            "/etc/ssh/d/b.conf": "Port 3\n", "/etc/ssh/d/a.conf": "Port 2\n",
            "/etc/ssh/d/.hidden.conf": "Port 9\n", "/etc/ssh/d/c.old": "Port 9\n",
        ])
        #expect(configuration.all("port").map(\.value) == ["1", "2", "3", "4"])
        #expect(configuration.all("Port")[1].place == "/etc/ssh/d/a.conf line 1")
        #expect(
            configuration.filePaths == ["/etc/ssh/sshd_config", "/etc/ssh/d/a.conf", "/etc/ssh/d/b.conf"])
    }

    @Test func aFileThatIsNamedAndNotThereIsNoError() throws {
        #expect(
            try read(["/etc/ssh/sshd_config": "Include /etc/none /nowhere/*\nPort 1\n"]).all("port").count
                == 1)
    }

    @Test func aBlockEndsWithItsFileAndHoldsIncludedFiles() throws {
        let configuration = try read([
            "/etc/ssh/sshd_config":
                "Include a\nX11Forwarding no\nMatch User u\nInclude b\nX11Forwarding yes\n",
            "/etc/ssh/a": "Match all\nX11Forwarding yes\n",
            "/etc/ssh/b": "PermitTTY no\nMatch Group g\nPermitTTY yes\n",
        ])
        let forwarding = configuration.all("x11forwarding")
        #expect(forwarding.map { $0.conditions.map(\.text) } == [["Match all"], [], ["Match User u"]])
        let tty = configuration.all("permittty")
        #expect(
            tty.map { $0.conditions.map(\.text) } == [["Match User u"], ["Match User u", "Match Group g"]])
    }

    @Test func aBlockForEverybodyWinsOverWhatStandsBeforeIt() throws {
        let text = "X11Forwarding no\nMatch User u\nX11Forwarding yes\n"
        #expect(try read(["/etc/ssh/sshd_config": text]).winner("x11forwarding")?.line == 1)
        #expect(
            try read(["/etc/ssh/sshd_config": text + "Match all\nX11Forwarding yes\n"]).winner(
                "x11forwarding")?.line
                == 5)
    }

    @Test func filesThatIncludeEachOtherEndAtSshdsDepth() throws {
        let error = try #require(throws: AgentError.self) {
            try read(["/etc/ssh/sshd_config": "Include a\n", "/etc/ssh/a": "Include a\n"])
        }
        #expect(error.code == .sshd)
        #expect(error.reason.contains("deep"))
    }

    @Test func aMissingMainFileIsNamed() throws {
        let error = try #require(throws: AgentError.self) { try read([:]) }
        #expect(error.code == .file)
        #expect(error.reason.contains("/etc/ssh/sshd_config"))
    }

    @Test(arguments: [
        ("*.conf", "a.conf", true), ("*.conf", ".conf", false), (".*", ".a", true), ("a?c", "abc", true),
        ("a?c", "ac", false), ("[a-c]x", "bx", true), ("[!a-c]x", "bx", false), ("[a", "[a", true),
        ("a\\*", "a*", true), ("a\\*", "ab", false), ("*a*b*c", "xxaxxbxxc", true),
        ("*a*b*c", "xxaxxbxx", false),
        ("[]x]", "]", true), ("**", "anything", true), ("00-*", "00-daypass.conf", true),
    ])
    func namesMatchAsInGlob(pattern: String, name: String, isMatch: Bool) throws {
        let files = MemoryFiles(["/etc/ssh/sshd_config": "Include \"/d/\(pattern.replacingBackslashes)\"\n"])
        files.put("/d/\(name)", Array("Port 1\n".utf8))
        let configuration = try SshdConfiguration(reading: "/etc/ssh/sshd_config", from: files)
        #expect(configuration.all("port").count == (isMatch ? 1 : 0))
    }

    @Test func aPatternOfManyStarsTakesNoTime() throws {
        let files = MemoryFiles([
            "/etc/ssh/sshd_config": "Include /d/" + String(repeating: "*a", count: 100) + "b\n"
        ])
        files.put("/d/" + String(repeating: "a", count: 250), Array("Port 1\n".utf8))
        let started = ContinuousClock.now
        _ = try SshdConfiguration(reading: "/etc/ssh/sshd_config", from: files)
        #expect(ContinuousClock.now - started < .seconds(2))
    }
}

extension String {
    /// sshd's quoting takes one of two backslashes.
    fileprivate var replacingBackslashes: String {
        split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
    }
}
