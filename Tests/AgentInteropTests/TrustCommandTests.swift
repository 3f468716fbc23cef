// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import TestSupport
import Testing

@Suite(.enabled(if: Running.withSSHD && Running.asRoot, "needs sshd and root"))
struct TrustCommandTests {
    private func run(_ folder: ConfigurationFolder, _ words: [String], _ more: [String] = []) throws
        -> ToolResult
    {
        try Tool.run(
            BuiltProduct.path("daypass-agent"),
            words + [
                "--sshd-config", folder.main, "--sshd-binary", folder.sshd.binary, "--config-folder",
                folder.layout.configuration, "--state-folder", folder.layout.state,
            ] + more)
    }

    private func caKeys(_ folder: ConfigurationFolder) -> [String] {
        ["--ca-keys", folder.path("host_key.pub"), "--account", "root", "--host-id", "web1"]
    }

    @Test func aPlanIsShownAndNothingIsChanged() throws {
        let folder = try ConfigurationFolder(main: "Include DIR/d/*.conf\n", ["d/x.conf": ""], layout: true)
        let result = try run(
            folder, ["trust", "plan"], caKeys(folder) + ["--label", "team=infra", "--no-forwarding"])
        #expect(result.succeeded, "\(result)")
        for line in [
            "make \(folder.path("d/00-daypass.conf")): ", "+RevokedKeys \(folder.layout.revokedKeys)",
            "+PermitTunnel no",
            "+root@web1", "+root@team=infra",
        ] { #expect(result.stdoutText.contains(line)) }
        #expect(!folder.folder.contains("daypass"))
        let json = try run(folder, ["trust", "plan"], caKeys(folder) + ["--format", "json"])
        let value = try JSONValue(parsing: json.stdout.dropLast(), maximumBytes: 1 << 20)
        #expect(value["changes"]?.array?.count == 7)
    }

    @Test func aConflictNamesTheLineAndEndsWithOne() throws {
        let folder = try ConfigurationFolder(main: "TrustedUserCAKeys /etc/ssh/ca.pub\n", layout: true)
        let result = try run(folder, ["trust", "plan"], caKeys(folder))
        #expect(result.status == 1)
        #expect(result.stderrText.contains("\(folder.main) line 2"))
        #expect(result.stderrText.contains("--adopt-ca-keys"))
    }

    @Test(arguments: [
        ["--krl", "DIR/page.html"], ["--ca-keys", "DIR/page.html"], ["--ca-keys", "DIR/missing"],
        ["--account", "no-such-account-here"], ["--principals", "root=a b"],
    ])
    func whatCannotBeTrustedIsRefused(more: [String]) throws {
        let folder = try ConfigurationFolder(main: "", ["page.html": "<html>404</html>\n"], layout: true)
        let result = try run(
            folder, ["trust", "plan"],
            caKeys(folder) + more.map { $0.replacing("DIR", with: folder.folder.path) })
        #expect(result.status != 0)
        #expect(result.stderrText.contains("error:"))
        #expect(result.stdout.isEmpty)
    }

    @Test func verifyTellsByItsExitCode() throws {
        let folder = try ConfigurationFolder(main: "StrictModes no\n", layout: true)
        #expect(try run(folder, ["trust", "verify"]).status == 3)
        #expect(try run(folder, ["trust", "status"]).status == 0)
        let result = try run(folder, ["trust", "status"], ["--format", "json"])
        let value = try JSONValue(parsing: result.stdout.dropLast(), maximumBytes: 1 << 20)
        #expect(value["findings"]?.number == 1)
    }

    @Test func principalsAreSetShownAndRemoved() throws {
        let folder = try ConfigurationFolder(main: "", layout: true)
        #expect(
            try run(folder, ["principals", "set"], ["--dry-run", "root", "alice"]).stdoutText.contains(
                "+alice"))
        #expect(!folder.folder.contains("daypass"))
        #expect(
            try run(folder, ["principals", "set"], ["--host-id", "web1", "--label", "a=b", "root"]).succeeded)
        #expect(try folder.folder.readText("daypass/principals/root") == "root\nroot@web1\nroot@a=b\n")
        #expect(try folder.folder.mode(of: "daypass/principals/root") == 0o644)
        #expect(try folder.folder.mode(of: "daypass/principals") == 0o755)
        #expect(try run(folder, ["principals", "set"], ["root", "alice", "bob"]).succeeded)
        let shown = try run(folder, ["principals", "show"], ["--format", "json"])
        #expect(
            shown.stdoutText == #"[{"account":"root","principals":["alice","bob"],"problems":[]}]"# + "\n")
        for bad in [["../root", "a"], ["root", "a,b"], ["a;id", "a"], ["$(id)"], ["root\nx", "a"]] {
            #expect(try run(folder, ["principals", "set"], bad).status == 64)
        }
        #expect(try run(folder, ["principals", "set"], ["no-such-account-here", "a"]).status == 1)
        #expect(try run(folder, ["principals", "remove"], ["root"]).succeeded)
        #expect(try run(folder, ["principals", "show"], ["root"]).status == 1)
    }
}
