// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import TestSupport
import Testing

/// Our reading of a configuration beside what the real `sshd -T` prints for it.
@Suite(.enabled(if: Running.withSSHD, "needs sshd"))
struct ConfigurationAgreementTests {
    /// What sshd has where nobody says anything.
    private static let defaults = [
        "x11forwarding": "no", "permittty": "yes", "exposeauthinfo": "no", "trustedusercakeys": "none",
        "revokedkeys": "none", "authorizedprincipalsfile": "none", "banner": "none",
        "allowtcpforwarding": "yes",
        "permittunnel": "no", "gatewayports": "no",
    ]

    /// The main file, and drop-ins by their names; DIR is the folder.
    static let configurations: [(main: String, others: [String: String])] = [
        ("", [:]),
        ("X11Forwarding yes\nX11Forwarding no\n", [:]),
        ("x11forwarding=yes\nPERMITTTY = no\nBanner \"/a b\"\n", [:]),
        ("\t X11Forwarding\tyes \t\r\nPermitTTY no\r\n", [:]),
        ("Banner /a\\ b # not this\n", [:]),
        ("Banner '/it \"is\"'\n", [:]),
        ("\"X11Forwarding\" yes\n", [:]),
        ("Banner /x#y\n", [:]),
        ("#X11Forwarding yes\n# \"open\nPermitTTY no", [:]),
        ("Include DIR/d/*.conf\nX11Forwarding no\n", ["d/a.conf": "X11Forwarding yes\n"]),
        ("X11Forwarding no\nInclude DIR/d/*.conf\n", ["d/a.conf": "X11Forwarding yes\nPermitTTY no\n"]),
        (
            "Include DIR/d/*.conf\n",
            ["d/b.conf": "Banner /b\n", "d/B.conf": "Banner /B\n", "d/a.conf": "PermitTTY no\n"]
        ),
        ("Include DIR/d/*.conf\n", ["d/10-x.conf": "Banner /10\n", "d/9-x.conf": "Banner /9\n"]),
        (
            "Include DIR/d/*.conf\n",
            ["d/.a.conf": "Banner /hidden\n", "d/a.conf~": "Banner /old\n", "d/z.conf": "PermitTTY no\n"]
        ),
        ("Include DIR/none/*.conf DIR/none.conf\nBanner /x\n", [:]),
        ("Include DIR/d/b.conf DIR/d/a.conf\n", ["d/b.conf": "Banner /b\n", "d/a.conf": "Banner /a\n"]),
        ("Include \"DIR/d/a b.conf\"\n", ["d/a b.conf": "Banner /blank\n"]),
        ("Include DIR/d/[ab].conf\n", ["d/b.conf": "Banner /b\n", "d/c.conf": "Banner /c\n"]),
        ("Include DIR/d/[!ab].conf\n", ["d/b.conf": "Banner /b\n", "d/c.conf": "Banner /c\n"]),
        ("Include DIR/d/?.conf\n", ["d/bb.conf": "Banner /bb\n", "d/c.conf": "Banner /c\n"]),
        ("Include DIR/*/a.conf\n", ["d/a.conf": "Banner /d\n", "c/a.conf": "Banner /c\n"]),
        ("Include DIR/d*\n", ["d/a.conf": "Banner /d\n", "dz": "Banner /z\n"]),
        ("Match User other\nX11Forwarding yes\n", [:]),
        ("Match User other\nX11Forwarding yes\nMatch all\nX11Forwarding no\nPermitTTY no\n", [:]),
        ("X11Forwarding no\nMatch all\nX11Forwarding yes\n", [:]),
        ("Match all\nX11Forwarding yes\nMatch all\nX11Forwarding no\n", [:]),
        (
            "Match User other\nInclude DIR/d/*.conf\n",
            ["d/a.conf": "X11Forwarding yes\nMatch all\nPermitTTY no\n"]
        ),
        ("Match all\nInclude DIR/d/*.conf\n", ["d/a.conf": "X11Forwarding yes\nMatch all\nPermitTTY no\n"]),
        (
            "Include DIR/d/*.conf\nX11Forwarding yes\n",
            ["d/a.conf": "Match User other\nX11Forwarding no\nPermitTTY no\n"]
        ),
        (
            "Include DIR/d/*.conf\nPermitTTY no\n",
            ["d/a.conf": "Match all\nPermitTTY yes\n", "d/b.conf": "Banner /b\n"]
        ),
        (
            "Include DIR/a\n",
            ["a": "Include DIR/b\nBanner /a\n", "b": "Include DIR/c\nPermitTTY no\n", "c": "Banner /c\n"]
        ),
        ("Include DIR/a\nInclude DIR/a\n", ["a": "Banner /a\n"]),
        ("TrustedUserCAKeys none\nTrustedUserCAKeys /x\n", [:]),
        ("TrustedUserCAKeys /x\nRevokedKeys /y\nAuthorizedPrincipalsFile /p/%u\nExposeAuthInfo yes\n", [:]),
        ("AllowTcpForwarding local\nPermitTunnel ethernet\nGatewayPorts clientspecified\n", [:]),
    ]

    @Test(arguments: configurations.indices)
    func whoWinsIsWhatSshdPrints(index: Int) throws {
        let (main, others) = Self.configurations[index]
        let folder = try ConfigurationFolder(main: main, others)
        let configuration = try SshdConfiguration(reading: folder.main, from: SystemFiles())
        let said = try folder.sshd.settings(for: nil)
        for (keyword, value) in Self.defaults {
            let ours = configuration.winner(keyword)?.value ?? value
            // Since 10.3, sshd leaves out what has no value.
            let theirs = said[keyword] ?? "none"
            #expect(theirs.lowercased() == ours.lowercased(), "\(keyword)")
        }
    }

    /// Files that sshd refuses are refused by our reader too.
    @Test(arguments: ["Banner\n", "Banner \"/x\n", "Port 1\nBanner '/x\n", "Include DIR/self\n"])
    func whatSshdRefusesIsRefused(main: String) throws {
        let folder = try ConfigurationFolder(main: main, ["self": "Include DIR/self\n"])
        #expect(throws: AgentError(.sshd, "")) { try folder.sshd.check() }
        #expect(throws: AgentError(.sshd, "")) {
            try SshdConfiguration(reading: folder.main, from: SystemFiles())
        }
    }

    @Test func aLinkedFolderOfDropInsIsNamedAndNotSkipped() throws {
        let folder = try ConfigurationFolder(main: "Include DIR/link/*.conf\n", ["d/a.conf": "Banner /x\n"])
        try Tool.run("ln", ["-s", folder.path("d"), folder.path("link")]).orThrow("ln")
        #expect(throws: AgentError(.unsafeFile, "")) {
            try SshdConfiguration(reading: folder.main, from: SystemFiles())
        }
    }

    @Test func aLinkedConfigurationIsNamedAndNotFollowed() throws {
        let folder = try ConfigurationFolder(
            main: "Include DIR/d/*.conf\n", ["real": "Banner /x\n", "d/x": ""])
        try Tool.run("ln", ["-s", folder.path("real"), folder.path("d/link.conf")]).orThrow("ln")
        let error = try #require(throws: AgentError.self) {
            try SshdConfiguration(reading: folder.main, from: SystemFiles())
        }
        #expect(error.code == .unsafeFile)
        #expect(error.reason.contains("link.conf"))
    }
}
