// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct RecordLogTests {
    /// A folder of records, and an open log in it.
    final class Scene {
        let folder: TemporaryFolder
        var limits = RecordLimits()
        var log: RecordLog?
        var restored: [SessionRecord] = []
        var found: [SessionEvent] = []
        let faults = Faults()
        var carried: [SessionEvent] = []
        var seconds: UInt64 = 1_000

        init() throws { folder = try TemporaryFolder() }

        var path: String { folder.path("sessions") }
        var files: RecordFiles { RecordFiles(folder: path) }
        var now: Moment { Moment(wall: seconds * 1_000_000_000, boot: seconds * 1_000_000_000) }

        func open() throws {
            restored = []
            let opened = try RecordLog.open(folder: path, host: "h", limits: limits, io: faults.io, at: now) {
                restored.append($0)
            }
            (log, found) = (opened.log, opened.found)
        }

        @discardableResult
        func append(_ count: Int = 1, text: String = "") throws -> [SessionRecord] {
            var event = SessionEvent(.warning, via: .agent, time: now.time, uptimeMicroseconds: 0)
            event.reason = text
            let log = try #require(log)
            return try log.append([SessionEvent](repeating: event, count: count), at: now) { carried }
        }

        func lines(_ name: String = RecordFiles.current) throws -> [Substring] {
            try folder.readText("sessions/\(name)").split(separator: "\n", omittingEmptySubsequences: true)
        }
    }

    /// Makes the next calls fail.
    final class Faults: Sendable {
        struct Plan { var writes: [(Int, Int32)] = []; var syncs: [Int32] = []; var truncates: [Int32] = [] }
        let plan = Mutex(Plan())

        var io: RecordIO {
            var io = RecordIO()
            let real = io
            io.write = { number, bytes in
                guard
                    let (count, failure) = self.plan.withLock({
                        $0.writes.isEmpty ? nil : $0.writes.removeFirst()
                    })
                else {
                    return real.write(number, bytes)
                }
                if count > 0 { return real.write(number, bytes.prefix(count)) }
                errno = failure
                return -1
            }
            io.sync = { number in
                guard let failure = self.plan.withLock({ $0.syncs.isEmpty ? nil : $0.syncs.removeFirst() })
                else { return real.sync(number) }
                errno = failure
                return failure == 0 ? real.sync(number) : -1
            }
            io.truncate = { number, size in
                guard
                    let failure = self.plan.withLock({
                        $0.truncates.isEmpty ? nil : $0.truncates.removeFirst()
                    })
                else {
                    return real.truncate(number, size)
                }
                errno = failure
                return -1
            }
            return io
        }
    }

    @Test func recordsAreChainedOverRestarts() throws {
        let scene = try Scene()
        try scene.open()
        #expect(try scene.append(2).map(\.sequence) == [1, 2])
        scene.log = nil
        try scene.open()
        #expect(scene.found == [])
        #expect(scene.restored.map(\.sequence) == [1, 2])
        #expect(try scene.append().map(\.sequence) == [3])
        let result = try scene.files.verify()
        #expect(result.isIntact)
        #expect((result.records, result.lastSequence) == (3, 3))
        #expect(try scene.folder.mode(of: "sessions") == 0o700)
        #expect(try scene.folder.mode(of: "sessions/sessions.jsonl") == 0o600)
    }

    @Test func thereIsOneWriter() throws {
        let scene = try Scene()
        try scene.open()
        #expect(throws: AgentError(.busy, "")) {
            _ = try RecordLog.open(folder: scene.path, host: "h", at: scene.now) { _ in }
        }
    }

    @Test func aFolderThatOthersMayReadIsRefused() throws {
        let scene = try Scene()
        try scene.folder.makeFolder("sessions", mode: 0o750)
        #expect(throws: AgentError(.unsafeFile, "")) { try scene.open() }
    }

    @Test(arguments: [1, 50, 200]) func aTornLastLineIsPutAsideAndTheChainGoesOn(cut: Int) throws {
        let scene = try Scene()
        try scene.open()
        try scene.append(3)
        scene.log = nil
        var bytes = try scene.folder.read("sessions/sessions.jsonl")
        let whole = bytes
        bytes.removeLast(cut)
        try scene.folder.write(bytes, to: "sessions/sessions.jsonl")
        try scene.open()
        let torn = try #require(scene.found.first)
        #expect(scene.found.count == 1)
        #expect(torn.kind == .torn)
        let aside = try scene.folder.read("sessions/\(try #require(torn.file))")
        #expect(whole.starts(with: try scene.folder.read("sessions/sessions.jsonl") + aside))
        #expect(try scene.append().map(\.sequence) == [cut > 200 ? 2 : 3])
        #expect(try scene.files.verify().isIntact)
    }

    @Test func aBlockOfZerosAtTheEndIsPutAside() throws {
        let scene = try Scene()
        try scene.open()
        try scene.append(2)
        scene.log = nil
        let bytes = try scene.folder.read("sessions/sessions.jsonl")
        try scene.folder.write(
            bytes + [UInt8](repeating: 0, count: 5_000) + [0x0a, 0x0a], to: "sessions/sessions.jsonl")
        try scene.open()
        #expect(scene.found.map(\.kind) == [.torn])
        #expect(try scene.folder.read("sessions/sessions.jsonl") == bytes)
        try scene.append()
        #expect(try scene.files.verify().isIntact)
    }

    @Test(arguments: [ENOSPC, EDQUOT, EIO, EFBIG]) func whatCouldNotBeWrittenDoesNotCount(failure: Int32)
        throws
    {
        let scene = try Scene()
        try scene.open()
        try scene.append()
        let before = try scene.folder.read("sessions/sessions.jsonl")
        // A part of the line gets to the disk, the rest doesn't.
        scene.faults.plan.withLock { $0.writes = [(20, 0), (0, failure)] }
        #expect(throws: AgentError.self) { try scene.append() }
        #expect(try scene.folder.read("sessions/sessions.jsonl") == before)
        #expect(try scene.append().map(\.sequence) == [2])
        #expect(try scene.files.verify().isIntact)
    }

    @Test func whatCouldNotBeSyncedDoesNotCount() throws {
        let scene = try Scene()
        try scene.open()
        scene.faults.plan.withLock { $0.syncs = [EIO] }
        #expect(throws: AgentError(.file, "")) { try scene.append() }
        #expect(try scene.append().map(\.sequence) == [1])
        #expect(try scene.files.verify().records == 1)
    }

    @Test func aTornLineThatCouldNotBeTakenAwayIsTakenAwayBeforeTheNext() throws {
        let scene = try Scene()
        try scene.open()
        try scene.append()
        scene.faults.plan.withLock {
            $0.writes = [(20, 0), (0, ENOSPC)]
            $0.truncates = [EIO, EIO]
        }
        #expect(throws: AgentError(.full, "")) { try scene.append() }
        #expect(throws: AgentError(.file, "")) { try scene.append() }
        #expect(try scene.append().map(\.sequence) == [2])
        #expect(try scene.files.verify().isIntact)
    }

    @Test func aFullFileIsClosedAndTheNextBeginsWithWhoIsLoggedIn() throws {
        let scene = try Scene()
        scene.limits.fileBytes = 1_000
        var live = SessionEvent(.carried, via: .pam, time: scene.now.time, uptimeMicroseconds: 0)
        live.session = "0f"
        scene.carried = [live]
        try scene.open()
        while try scene.files.names().full.count < 3 { try scene.append() }
        let result = try scene.files.verify()
        #expect(result.isIntact)
        #expect(result.files == 4)
        let first = try scene.lines().prefix(2).map { try SessionRecord(parsing: Array($0.utf8)).event }
        #expect(first.map(\.kind) == [.rotated, .carried])
        #expect(first[0].file == (try scene.files.names().full.last))
        // All that the agent needs at its next start is in the two newest files.
        scene.log = nil
        try scene.open()
        #expect(scene.restored.contains { $0.event.session == "0f" })
        #expect(scene.restored.last?.sequence == result.lastSequence)
    }

    @Test func aFileIsClosedByItsAge() throws {
        let scene = try Scene()
        scene.limits.fileSeconds = 60
        try scene.open()
        try scene.append()
        scene.seconds += 59
        try scene.append()
        #expect(try scene.files.names().full.isEmpty)
        scene.seconds += 1
        try scene.append()
        #expect(try scene.files.names().full.count == 1)
    }

    @Test func theOldestFilesGoAndARecordSaysSo() throws {
        let scene = try Scene()
        scene.limits.fileBytes = 1_000
        scene.limits.keptFiles = 2
        try scene.open()
        for _ in 0..<60 { try scene.append() }
        #expect(try scene.files.names().full.count == 2)
        let result = try scene.files.verify()
        #expect(result.isIntact, "\(result.problems)")
        #expect(result.removedThrough.map { $0 + 1 } == result.firstSequence)
        // Without that record, it is a loss.
        try FileManager.default.removeItem(atPath: scene.files.path(try scene.files.names().full[0]))
        let lost = try scene.files.verify()
        #expect(lost.problemCount == 1)
        #expect(lost.problems[0].what.contains("are missing, and no record says"))
    }

    @Test func anAgentKilledWhileItBeganAFileLosesNothing() throws {
        let scene = try Scene()
        scene.limits.fileBytes = 1_000
        try scene.open()
        while try scene.files.names().full.isEmpty { try scene.append() }
        scene.log = nil
        let last = try scene.files.verify().lastSequence
        // Killed between the two renames: the full file has its name, the new one not yet.
        let full = RecordFiles.current
        try FileManager.default.moveItem(
            atPath: scene.files.path(full), toPath: scene.files.path("sessions-00000000000000000008.jsonl"))
        try scene.folder.write("{\"half\":", to: "sessions/.sessions.jsonl.new")
        try scene.open()
        try scene.append()
        let result = try scene.files.verify()
        #expect(result.isIntact, "\(result.problems)")
        #expect(result.lastSequence == last.map { $0 + 2 })
        #expect(
            try SessionRecord(parsing: Array(try #require(scene.lines().first).utf8)).event.kind == .rotated)
        #expect(!scene.folder.contains("sessions/.sessions.jsonl.new"))
    }

    @Test func whenNoFileCanBegunTheOldOneGrows() throws {
        let scene = try Scene()
        scene.limits.fileBytes = 100
        try scene.open()
        try scene.append()
        scene.faults.plan.withLock { $0.writes = [(0, ENOSPC)] }
        try scene.append()
        #expect(scene.log?.rotationProblem == AgentError(.full, ""))
        #expect(try scene.files.names().full.isEmpty)
        try scene.append()
        #expect(scene.log?.rotationProblem == nil)
        #expect(try scene.files.names().full.count == 1)
        #expect(try scene.files.verify().isIntact)
    }

    // MARK: What verify sees

    private func damaged(_ change: (inout [Substring]) -> Void) throws -> RecordVerification {
        let scene = try Scene()
        try scene.open()
        for index in 0..<5 { try scene.append(text: "event \(index)") }
        scene.log = nil
        var lines = try scene.lines()
        change(&lines)
        try scene.folder.write(lines.joined(separator: "\n") + "\n", to: "sessions/sessions.jsonl")
        return try scene.files.verify()
    }

    @Test func anUnchangedFileIsIntact() throws { #expect(try damaged { _ in }.isIntact) }

    @Test func aChangedRecordIsNamed() throws {
        let result = try damaged { $0[2] = Substring($0[2].replacing("event 2", with: "event X")) }
        #expect(result.problems.map(\.line) == [4])
        #expect(result.problems[0].what.hasPrefix("record 3,"))
    }

    @Test func aMissingRecordIsNamed() throws {
        let result = try damaged { $0.remove(at: 2) }
        #expect(result.problems.map(\.what) == ["record 4 follows 2: 1 are missing"])
        #expect(result.problems.map(\.line) == [3])
    }

    @Test func recordsOutOfOrderAreNamed() throws {
        let result = try damaged { $0.swapAt(1, 2) }
        #expect(result.problems.contains { $0.what.contains("out of order") })
        let twice = try damaged { $0.insert($0[1], at: 2) }
        #expect(twice.problems.map(\.what) == ["record 2 follows 2: out of order, or there twice"])
    }

    @Test func aLineThatIsNoRecordIsNamed() throws {
        #expect(try damaged { $0.insert("hello", at: 2) }.problems.map(\.what) == ["this is no record"])
    }

    @Test func aFirstRecordOfAnotherHostIsNamed() throws {
        let result = try damaged {
            $0[0] = Substring($0[0].replacing("\"host\":\"h\"", with: "\"host\":\"g\""))
        }
        #expect(result.problems.contains { $0.what.contains("does not begin a chain") })
    }

    @Test func changedRecordsAreFoundAtTheStartAndTheChainGoesOn() throws {
        let scene = try Scene()
        try scene.open()
        try scene.append(4)
        scene.log = nil
        var lines = try scene.lines()
        lines.remove(at: 1)
        try scene.folder.write(lines.joined(separator: "\n") + "\n", to: "sessions/sessions.jsonl")
        try scene.open()
        #expect(scene.found.map(\.kind) == [.warning])
        #expect(try scene.append().map(\.sequence) == [5])
        #expect(try scene.files.verify().problemCount == 1)
    }

    @Test func aFollowerSeesEachRecordOnceOverFullFiles() throws {
        let scene = try Scene()
        scene.limits.fileBytes = 1_000
        try scene.open()
        try scene.append(2)
        var follower = try RecordFollower(scene.files, fromStart: false)
        var seen: [UInt64] = []
        for _ in 0..<30 {
            try scene.append()
            while let line = try follower.next() {
                seen.append(try SessionRecord(parsing: line.bytes).sequence)
            }
        }
        let last = try #require(try scene.files.verify().lastSequence)
        #expect(seen == Array(3...last))
        #expect(try scene.files.names().full.count > 3)
    }
}
