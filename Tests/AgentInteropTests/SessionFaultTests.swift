// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Foundation
import SSHWire
import TestSupport
import Testing

@Suite(
    .enabled(if: Running.asRoot, "needs root"), .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
    .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
struct SessionFaultTests {
    @Test func aSessionOutlivesAnAgentThatIsKilled() throws {
        let scene = try SessionScene()
        try scene.startAgent()
        let held = scene.folder.path("held")
        try scene.loginBeside("touch \(held); while [ -e \(held) ]; do sleep 0.1; done")
        try scene.wait("the login") { scene.folder.contains("held") }
        try scene.wait(for: .open, count: 1)
        scene.stopAgent(SIGKILL)
        try scene.startAgent()
        let live = try scene.run(["sessions", "--live", "--format", "json"])
        #expect(live.stdoutText.contains(#""state":"live""#))
        try FileManager.default.removeItem(atPath: held)
        let close = try scene.wait(for: .close, count: 1)[0]
        #expect(close.durationMicroseconds != nil)
        #expect(try scene.events(.open).count == 1)
        scene.stopAgent()
        #expect(try scene.run(["sessions", "verify"]).succeeded)
    }

    @Test func aKilledSshdIsAMissedClose() throws {
        let scene = try SessionScene()
        try scene.startAgent()
        try scene.loginBeside("sleep 1000")
        let open = try scene.wait(for: .open, count: 1)[0]
        kill(try #require(open.pid), SIGKILL)
        let missed = try scene.wait(for: .missedClose, count: 1, seconds: 30)[0]
        #expect(missed.session == open.session)
        #expect(missed.certificate?.serial == 7)
        #expect(try scene.events(.close).isEmpty)
    }

    @Test func aSessionThatEndedWhileNoAgentRanAndNoHookCouldTellIsAMissedClose() throws {
        let scene = try SessionScene()
        try scene.startAgent()
        try scene.loginBeside("sleep 1000")
        let open = try scene.wait(for: .open, count: 1)[0]
        scene.stopAgent()
        kill(try #require(open.pid), SIGKILL)
        try scene.startAgent()
        let missed = try scene.wait(for: .missedClose, count: 1, seconds: 30)[0]
        #expect(missed.notBefore == (try scene.events(.agentStop)[0].time))
    }

    @Test(arguments: ["root", "alice"]) func aSessionThatNoHookReportedIsFoundInTheProcessTable(account: String) throws {
        let scene = try SessionScene(accounts: ["alice"])
        try FileManager.default.removeItem(atPath: scene.layout.spool)
        try scene.folder.makeFolder("in", mode: 0o777)
        try scene.loginBeside("touch \(scene.folder.path("in/x")); sleep 1000", user: account)
        try scene.wait("the login") { scene.folder.contains("in/x") }
        try scene.startAgent()
        let open = try scene.wait(for: .open, count: 1, seconds: 40)[0]
        #expect(open.via == .processTable)
        #expect(open.account == account)
        #expect(open.source?.address == "127.0.0.1")
    }

    @Test func whatCannotBeReadIsAnsweredAndRecordedAsMalformed() throws {
        let scene = try SessionScene()
        try scene.startAgent()
        let socket = scene.layout.sessionSocket
        let junk = Array("daypass-session=1\0event=\u{1b}[2J\0".utf8)
        #expect(SessionSocket.ask(socket, junk) == Array("1".utf8))
        #expect(SessionSocket.ask(socket, [UInt8](repeating: 0x41, count: SessionReport.maximumBytes + 5_000)) == Array("1".utf8))
        try scene.folder.write("junk", to: "var/spool/00000000000000000001-1-open")
        try scene.folder.write("", to: "var/spool/00000000000000000002-1-open")
        try FileManager.default.createSymbolicLink(atPath: scene.folder.path("var/spool/00000000000000000003-1-open"), withDestinationPath: "/etc/shadow")
        try scene.folder.write("half", to: "var/spool/.00000000000000000004-1-open.new")
        let malformed = try scene.wait(for: .malformed, count: 5)
        #expect(malformed.map(\.count).contains(UInt64(SessionReport.maximumBytes + 5_000)))
        #expect(malformed.contains { $0.sha256 == hexadecimal(Digest.sha256(junk)) && $0.via == .pam })
        try scene.wait("the spool to be read") {
            try FileManager.default.contentsOfDirectory(atPath: scene.layout.spool) == [".00000000000000000004-1-open.new"]
        }
        #expect(try scene.events(.malformed).count == 5)
    }

    @Test func clientsThatSayNothingKeepNobodyFromBeingRecorded() throws {
        let scene = try SessionScene()
        try scene.startAgent()
        let silent = (0..<600).compactMap { _ in SessionSocket.connect(scene.layout.sessionSocket) }
        defer { for number in silent { close(number) } }
        try scene.login().orThrow("log in")
        #expect(try scene.wait(for: .close, count: 1, seconds: 30).count == 1)
        #expect(try scene.events(.open).count == 1)
    }

    @Test func aSecondAgentDoesNotStart() throws {
        let scene = try SessionScene()
        try scene.startAgent()
        let second = try scene.run(["run"])
        #expect(second.status == 1)
        #expect(second.stderrText.contains("runs already"))
        #expect(SessionSocket.isAnswering(scene.layout.sessionSocket))
        #expect(try scene.run(["sessions", "verify"]).succeeded)
    }

    @Test func whileTheDiskIsFullReportsWaitAndAreRecordedWhenThereIsRoom() throws {
        let scene = try SessionScene()
        // A file system of 400 KiB for the records alone, in a mount namespace that goes with the agent.
        let records = try scene.folder.makeFolder("var/sessions")
        let script = """
            mount -t tmpfs -o size=400k,mode=700 none \(records) && exec "$@"
            """
        try scene.startAgent(through: ["/usr/bin/unshare", "-m", "sh", "-c", script, "sh"])
        let inside = "/proc/\(try #require(scene.agentPID))/root\(records)"
        let stuffing = "\(inside)/stuffing"
        func lines() throws -> [SessionRecord] {
            try String(contentsOfFile: "\(inside)/sessions.jsonl", encoding: .utf8).split(separator: "\n").map { try SessionRecord(parsing: Array($0.utf8)) }
        }
        try scene.login().orThrow("log in")
        try scene.wait("the first close") { try lines().contains { $0.event.kind == .close } }
        // Full to the last block: the agent may fill the one that it has begun.
        let filler = FileManager.default.createFile(atPath: stuffing, contents: nil)
        #expect(filler)
        let handle = try #require(FileHandle(forWritingAtPath: stuffing))
        while (try? handle.write(contentsOf: [UInt8](repeating: 0x41, count: 4_096))) != nil {}
        let before = try lines().count
        for _ in 0..<6 { try scene.login().orThrow("log in while the disk is full") }
        try scene.wait("the complaint") { try scene.folder.readText("agent.log").contains("no space left") }
        #expect(try lines().count < before + 12)
        try handle.truncate(atOffset: 0)
        try scene.wait("all records") { try lines().filter { $0.event.kind == .close }.count == 7 }
        #expect(try lines().filter { $0.event.kind == .open }.count == 7)
        #expect(try lines().map(\.sequence) == Array(1...UInt64(lines().count)))
        try scene.wait("the spool to be empty") {
            try FileManager.default.contentsOfDirectory(atPath: scene.layout.spool).isEmpty
        }
        #expect(try scene.folder.readText("agent.log").contains("records are written again"))
    }

    @Test func followPrintsWhatIsWrittenOverFullFiles() throws {
        let scene = try SessionScene()
        try scene.startAgent(["--rotate-bytes", "3000"])
        let follow = try ChildProcess(
            BuiltProduct.path("daypass-agent"),
            ["sessions", "follow", "--from-start", "--state-folder", scene.layout.state], log: scene.folder.path("follow.log"))
        for _ in 0..<4 { try scene.login().orThrow("log in") }
        try scene.wait(for: .close, count: 4)
        try scene.wait("what is followed") {
            try scene.folder.readText("follow.log").split(separator: "\n").filter { $0.contains(" close ") }.count == 4
        }
        follow.stop()
        #expect(try RecordFiles(folder: scene.layout.sessions).names().full.count >= 2)
    }
}
