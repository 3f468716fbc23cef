// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import SSHWire
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Plans carried out on real files, and what the real sshd makes of them.
@Suite(.enabled(if: Running.withSSHD && Running.asRoot, "needs sshd, and root to give files to root"))
struct TrustPlanInteropTests {
    private let files = SystemFiles()

    private func settings(_ change: (inout TrustSettings) throws -> Void = { _ in }) throws -> TrustSettings {
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        var settings = try TrustSettings(authorities: [TrustSettings.AuthorityKey(key, comment: "a CA")])
        settings.principals = [
            try AccountPrincipals(try AccountName("root"), ["root", "root@web1"], replacesExisting: false)
        ]
        try change(&settings)
        return settings
    }

    /// The simplest way to carry a plan out: no journal, no proof.
    private func apply(_ plan: Plan) throws {
        for step in plan.steps {
            switch step.change {
            case .folder(let path, nil, let attributes?): try files.makeFolder(path, attributes)
            case .folder(let path, _, nil): try files.removeFolder(path)
            case .folder: break
            case .file(let path, let before, let after):
                #expect(try files.read(path) == before)
                if let after { try files.replace(path, after) } else { try files.remove(path) }
            }
        }
    }

    /// Every file below a folder with mode, owner and content, as find(1) and sha256sum(1) see them.
    private func picture(_ folder: ConfigurationFolder) throws -> String {
        let names = try Tool.run(
            "find",
            [
                folder.folder.path, "-path", folder.path("state"), "-prune", "-o", "-printf",
                "%P %m %U %G %y\n",
            ]
        )
        .orThrow("find").stdoutText
        let paths = try Tool.run(
            "find", [folder.folder.path, "-type", "f", "-not", "-path", folder.path("state") + "/*"]
        )
        .orThrow("find").stdoutText.split(separator: "\n").map(String.init).sorted()
        let sums = try Tool.run("sha256sum", paths).orThrow("sha256sum").stdoutText
        return names.split(separator: "\n").sorted().joined(separator: "\n") + "\n" + sums
    }

    @Test(
        arguments: [
            ("Include DIR/d/*.conf\nX11Forwarding yes\n", ["d/50-x.conf": "X11Forwarding yes\n"], true),
            ("X11Forwarding yes\nInclude DIR/d/*.conf\n", ["d/50-x.conf": "# none\n"], false),
            ("Include DIR/d/*.conf\n", ["d/00-a.conf": "PermitTunnel yes\n"], false),
            ("AllowTcpForwarding yes", [:], false),
            ("# mine\r\nUsePAM no\r\nMatch User games\r\n PermitTTY no\r\n", [:], false),
        ] as [(String, [String: String], Bool)])
    func attack63_sshdSaysWhatWasWantedAndRemovingLeavesEveryByte(
        main: String, others: [String: String], isDropIn: Bool
    ) throws {
        let folder = try ConfigurationFolder(main: main.replacing("HostKey", with: ""), others, layout: true)
        let before = try picture(folder)
        let settings = try settings { $0.restrictions = ForwardingRestriction.all }
        // The folder's host key stands first in the main file, and is none of ours.
        let plan = try TrustPlanner.plan(settings, host: files, sshd: folder.sshd, layout: folder.layout)
        #expect(try picture(folder) == before)
        try apply(plan)
        #expect(folder.folder.contains("d/00-daypass.conf") == isDropIn)
        try folder.sshd.check()
        for user in ["root", "games", "nobody-here"] {
            let said = try folder.sshd.settings(for: Sshd.Connection(user: user))
            for (keyword, value) in TrustPlanner.wantedSettings(settings, folder.layout) {
                #expect(said.says(keyword, value), "\(keyword) of \(user): \(said[keyword] ?? "nothing")")
            }
        }
        #expect(
            try TrustPlanner.plan(settings, host: files, sshd: folder.sshd, layout: folder.layout).isEmpty)
        #expect(
            TrustDrift.examine(host: files, sshd: folder.sshd, layout: folder.layout)
                .filter { $0.problem != nil && $0.subject != "folder" }.isEmpty)
        try apply(try TrustPlanner.removal(host: files, sshd: folder.sshd, layout: folder.layout))
        #expect(try picture(folder) == before)
    }

    @Test func theInstalledListLoadsInSSHKeygen() throws {
        let folder = try ConfigurationFolder(main: "", layout: true)
        try apply(
            try TrustPlanner.plan(try settings(), host: files, sshd: folder.sshd, layout: folder.layout))
        let query = try Tool.run("ssh-keygen", ["-Q", "-l", "-f", folder.layout.revokedKeys])
        #expect(query.succeeded)
        #expect(query.stdoutText.contains("KRL version 0"))
    }

    @Test func attack60_aListOfSSHKeygenThatIsOlderIsRefused() throws {
        let folder = try ConfigurationFolder(main: "", layout: true)
        func list(_ version: Int) throws -> TrustSettings.Revocations {
            try folder.folder.write("serial: \(version)\n", to: "spec")
            try Tool.run(
                "ssh-keygen",
                [
                    "-q", "-k", "-z", "\(version)", "-s", folder.path("host_key.pub"), "-f",
                    folder.path("krl"), folder.path("spec"),
                ]
            ).orThrow("ssh-keygen -k")
            return .given(try RevocationFile(try folder.folder.read("krl"), name: "krl"))
        }
        let (old, new) = (try list(3), try list(4))
        try apply(
            try TrustPlanner.plan(
                try settings { $0.revocations = new }, host: files, sshd: folder.sshd, layout: folder.layout))
        #expect(throws: AgentError(.conflict, "")) {
            try TrustPlanner.plan(
                try settings { $0.revocations = old }, host: files, sshd: folder.sshd, layout: folder.layout)
        }
    }

    @Test func anSshdThatRunsWithAnOlderConfigurationIsFound() throws {
        let folder = try ConfigurationFolder(main: "PidFile DIR/pid\n", layout: true)
        try apply(
            try TrustPlanner.plan(try settings(), host: files, sshd: folder.sshd, layout: folder.layout))
        func isOld() -> Bool {
            TrustDrift.examine(host: files, sshd: folder.sshd, layout: folder.layout)
                .contains { $0.problem?.contains("older") ?? false }
        }
        let process = try PrivateSSHD(PrivateSSHD.Options(extraLines: ["PidFile \(folder.path("pid"))"]))
        try process.waitForLog("Server listening")
        #expect(eventually { folder.folder.contains("pid") })
        #expect(!isOld())
        try folder.folder.write(
            try folder.folder.readText("sshd_config") + "# changed\n", to: "sshd_config", mode: 0o644)
        #expect(isOld())
        // A reload writes the file anew, though the process is the same.
        kill(process.pid, SIGHUP)
        try process.waitForLog("Received SIGHUP; restarting")
        #expect(eventually { folder.folder.contains("pid") && !isOld() })
    }

    /// Tries until a condition holds, for ten seconds at most.
    private func eventually(_ condition: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline { if condition() { return true } }
        return false
    }
}
