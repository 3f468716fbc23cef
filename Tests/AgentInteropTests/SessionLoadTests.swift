// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(
    .enabled(if: Running.asRoot, "needs root"), .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
    .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
struct SessionLoadTests {
    /// Issue: 500 logins with 16 at a time, the agent restarted three times and stopped for a while in between.
    @Test func everyLoginAndLogoutIsRecordedOnceHoweverOftenTheAgentGoesAway() throws {
        let (logins, atATime) = (500, 16)
        let scene = try SessionScene()
        try scene.startAgent(["--rotate-bytes", "300000"])
        let done = Atomic(0)
        let failures = Mutex<[String]>([])
        let workers = DispatchGroup()
        for _ in 0..<atATime {
            Thread.detachNewThread(in: workers) {
                while done.wrappingAdd(1, ordering: .relaxed).oldValue < logins {
                    do {
                        let result = try scene.login()
                        if !result.succeeded { failures.withLock { $0.append(result.description) } }
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                    }
                }
            }
        }
        // Told to stop, killed, and away for a while.
        for (share, signal) in [(100, SIGTERM), (220, SIGKILL), (340, SIGTERM)] {
            try scene.wait("\(share) logins", seconds: 200) { done.load(ordering: .relaxed) >= share }
            scene.stopAgent(signal)
            if share == 340 {
                try scene.wait("the pause to end", seconds: 200) { done.load(ordering: .relaxed) >= 400 }
            }
            try scene.startAgent(["--rotate-bytes", "300000"])
        }
        workers.wait()
        #expect(failures.withLock { $0 } == [])
        try scene.wait(for: .close, count: logins)
        try scene.wait("the spool to be empty") {
            try FileManager.default.contentsOfDirectory(atPath: scene.layout.spool).isEmpty
        }
        scene.stopAgent()

        let opens = try scene.events(.open)
        let closes = try scene.events(.close)
        let spooled = (opens + closes).filter { $0.via == .spool }.count
        print(
            "\(logins) logins, \(atATime) at a time: \(opens.count) opens, \(closes.count) closes, \(spooled) of them by spool"
        )
        #expect(opens.count == logins)
        #expect(closes.count == logins)
        #expect(Set(opens.compactMap(\.session)).count == logins)
        #expect(Set(closes.compactMap(\.session)) == Set(opens.compactMap(\.session)))
        #expect(try scene.events(.missedClose).isEmpty)
        #expect(closes.allSatisfy { $0.durationMicroseconds != nil })
        #expect(
            opens.allSatisfy { $0.certificate?.serial == 7 && $0.certificate?.authority.isTrusted == true })
        #expect(try scene.events(.agentStart).count == 4)
        let verified = try scene.run(["sessions", "verify"])
        #expect(verified.succeeded, "\(verified)")
        let live = try scene.run(["sessions", "--live", "--format", "json"])
        #expect(live.stdoutText == #"{"version":1,"sessions":[]}"# + "\n")
    }
}

extension Thread {
    fileprivate static func detachNewThread(in group: DispatchGroup, _ body: @escaping @Sendable () -> Void) {
        group.enter()
        detachNewThread {
            body()
            group.leave()
        }
    }
}
