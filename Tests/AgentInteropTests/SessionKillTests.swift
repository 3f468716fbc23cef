// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Foundation
import TestSupport
import Testing

@Suite(
    .enabled(if: Running.asRoot, "needs root"), .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
    .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
struct SessionKillTests {
    /// Two sessions of one account, each with a process that left sshd's tree, and one that ignores what it is asked.
    final class Scene {
        let base: SessionScene
        init() throws {
            base = try SessionScene(accounts: ["alice"])
            try base.folder.makeFolder("pids", mode: 0o777)
        }

        func begin(_ name: String) throws {
            let pids = base.folder.path("pids")
            let command = """
                trap '' HUP TERM; echo $$ > \(pids)/\(name)-shell
                (setsid sh -c 'trap "" HUP TERM; echo $$ > \(pids)/\(name)-daemon; while :; do sleep 1; done' > /dev/null 2>&1 < /dev/null &)
                while :; do sleep 1; done
                """
            try base.loginBeside(command, user: "alice")
            try base.wait("session \(name)") {
                base.folder.contains("pids/\(name)-shell") && base.folder.contains("pids/\(name)-daemon")
            }
        }

        func pids(_ name: String) throws -> [Int32] {
            try ["shell", "daemon"].map {
                try #require(Int32(base.folder.readText("pids/\(name)-\($0)").filter { $0.isNumber }))
            }
        }

        func session(of pid: Int32) throws -> String {
            // The session whose monitor is above the process.
            var above = pid
            for _ in 0..<20 {
                if let open = try base.events(.open).first(where: { $0.pid == above }) { return try #require(open.session) }
                above = try #require(ProcessTable.process(above)).parent
            }
            throw TestSupportError("no session above \(pid)")
        }
    }

    private func isRunning(_ pid: Int32) -> Bool { ProcessTable.process(pid) != nil }

    private func endsOneSession(withAgent: Bool) throws {
        let scene = try Scene()
        try scene.base.startAgent()
        try scene.begin("one")
        try scene.begin("two")
        try scene.base.wait(for: .open, count: 2)
        let (one, two) = (try scene.pids("one"), try scene.pids("two"))
        defer { for pid in one + two { kill(pid, SIGKILL) } }
        let id = try scene.session(of: one[0])
        if !withAgent { scene.base.stopAgent() }

        let result = try scene.base.run(["sessions", "kill", String(id.prefix(16)), "--reason", "left the company"])
        #expect(result.succeeded, "\(result)")
        for pid in one { #expect(!isRunning(pid)) }
        for pid in two { #expect(isRunning(pid)) }
        if !withAgent { try scene.base.startAgent() }

        let record = try #require(try scene.base.events(.kill).first)
        #expect(record.session == id)
        #expect(record.reason == "left the company")
        #expect(record.actor?.contains("user ID 0") == true)
        #expect((record.count ?? 0) >= 4)
        let close = try scene.base.wait(for: .close, count: 1)[0]
        #expect(close.session == id)
        #expect(close.reason == "ended by an administrator: left the company")
        let live = try scene.base.run(["sessions", "--live", "--format", "json"]).stdoutText
        #expect(!live.contains(id))
        #expect(live.contains(try scene.session(of: two[0])))
    }

    @Test func killEndsOneSessionAndNoneOfTheAccountsOthers() throws { try endsOneSession(withAgent: true) }

    @Test func killWorksWhileNoAgentRuns() throws { try endsOneSession(withAgent: false) }

    @Test func killRefusesWhatIsNoneOrNotOne() throws {
        let scene = try SessionScene()
        try scene.startAgent()
        let unknown = try scene.run(["sessions", "kill", "0123456789abcdef", "--reason", "x"])
        #expect(unknown.status == 1)
        #expect(unknown.stderrText.contains("none that is open"))
        #expect(try scene.run(["sessions", "kill", "xyz", "--reason", "x"]).status == 64)
        #expect(try scene.run(["sessions", "kill", "0123", "--reason", ""]).status == 64)
        #expect(try scene.events(.kill).isEmpty)
    }

    @Test func killAnswersOnlyRoot() throws {
        let scene = try SessionScene(accounts: ["alice"])
        try scene.startAgent()
        // The folder alone keeps others out; the socket by itself as well.
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: scene.layout.runtime)
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: scene.layout.sessionSocket)
        let program = scene.folder.path("bin/daypass-agent")
        try FileManager.default.copyItem(atPath: BuiltProduct.path("daypass-agent"), toPath: program)
        let result = try Tool.run(
            "setpriv",
            [
                "--reuid", "54321", "--clear-groups", program, "sessions", "kill", "0", "--reason", "r",
                "--state-folder", scene.layout.state, "--runtime-folder", scene.layout.runtime,
            ])
        #expect(result.status == 1)
        #expect(result.stderrText.contains("the agent"), "\(result)")
        #expect(try scene.events(.kill).isEmpty)
        #expect(try scene.events(.malformed).isEmpty)
    }
}
