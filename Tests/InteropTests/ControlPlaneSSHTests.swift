// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

@Suite("daypass ssh and its lines for ssh", .enabled(if: Running.withSSHD, "needs an OpenSSH server"))
struct ControlPlaneSSHTests {
    @Test func daypassSSHIsSSHWithACertificate() throws {
        let scene = try ControlScene()
        let user = Running.userName
        let config = ["-F", scene.alice.config]
        let result = try scene.alice.daypass(["ssh", "web1"] + config + ["id -un; exit 9"])
        #expect(result.status == 9, "\(result)\n\(scene.server.log)")
        #expect(result.stdoutText == "\(user)\n")
        #expect(result.stderrText.isEmpty, "\(result)")
        // Account, port and host's name on the command line; nothing of ssh's own configuration is needed.
        let direct = [
            "-F", "/dev/null", "-o", "HostName=\(PrivateSSHD.address)", "-o", "HostKeyAlias=web1.example.com",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes",
        ]
        let port = ["-p", "\(scene.server.port)"]
        for arguments in [
            port + ["\(user)@web1"] + direct + ["exit 3"],
            port + ["-l", user, "web1"] + direct + ["exit 3"],
            ["web1.example.com"] + direct + port + ["-l", user, "exit 3"],
        ] {
            let result = try scene.alice.daypass(["ssh"] + arguments)
            #expect(result.status == 3, "\(arguments): \(result)")
        }
        #expect(scene.certificateLogins == 4)
        let refused = try scene.alice.daypass(["ssh", "nobody-here@web1"] + config + ["true"])
        #expect(refused.status == 2, "\(refused)")
        let dash = try scene.alice.daypass(["ssh", "alice@-oProxyCommand=touch"])
        #expect(dash.status == 64, "\(dash)")
    }

    /// `Match exec` and what daypass itself asks for don't come in each other's way.
    @Test func daypassSSHAsksForOneCertificate() throws {
        let scene = try ControlScene()
        try scene.alice.daypass(["ssh", "web1", "-F", scene.alice.config, "true"]).orThrow("daypass ssh")
        #expect(scene.alice.certificates().count == 1)
    }

    @Test func attack67_noAgentIsForwardedUnlessPolicyGivesIt() throws {
        let scene = try ControlScene()
        let command = "test -S \"$SSH_AUTH_SOCK\" && echo agent || echo none"
        #expect(try scene.alice.ssh(["-A", "web1", command]).stdoutText == "none\n")
        let file = try #require(scene.alice.certificates().first)
        let listing = try Tool.run("ssh-keygen", ["-L", "-f", file]).orThrow("ssh-keygen").stdoutText
        let extensions = try #require(listing.range(of: "Extensions:"))
        #expect(
            listing[extensions.upperBound...].split(whereSeparator: \.isWhitespace) == ["permit-pty"],
            "\(listing)")
    }

    @Test func theLineIsAddedOnceAndTakenAwayAgain() throws {
        let scene = try ControlScene()
        let alice = scene.alice
        let installed = try alice.folder.readText("config")
        #expect(installed.hasPrefix("# daypass: certificates for hosts of the control plane\nInclude \""))
        try alice.daypass(["ssh-config", "install", "--file", alice.config]).orThrow("install")
        #expect(try alice.folder.readText("config") == installed)
        let shown = try alice.daypass(["ssh-config", "show"]).orThrow("show")
        #expect(shown.stdoutText.contains("Match host \"*.example.com,web1,web1.example.com\""), "\(shown)")
        // A link stays one.
        try FileManager.default.moveItem(atPath: alice.config, toPath: alice.folder.path("real"))
        try FileManager.default.createSymbolicLink(
            atPath: alice.config, withDestinationPath: alice.folder.path("real"))
        try alice.daypass(["ssh-config", "remove", "--file", alice.config]).orThrow("remove")
        #expect(try !alice.folder.readText("real").contains("daypass"))
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: alice.config).hasSuffix("/real"))
        #expect(!alice.folder.contains("state/ssh_config"))
        let again = try alice.daypass(["ssh-config", "remove", "--file", alice.config])
        #expect(again.stdoutText == "there was nothing to remove\n")
    }
}
