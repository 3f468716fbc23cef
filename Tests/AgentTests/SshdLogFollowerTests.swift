// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import Foundation
import TestSupport
import Testing

@Suite struct SshdLogFollowerTests {
    private func line(_ number: Int) -> String { "Nov 26 12:00:00 web1 sshd[\(number)]: hello\n" }

    private func append(_ folder: TemporaryFolder, _ name: String, _ text: String) throws {
        let handle = try #require(FileHandle(forWritingAtPath: folder.path(name)))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
    }

    private func read(_ follower: inout SshdLogFollower, now: UInt64 = 0) throws -> [Int32] {
        try follower.read(now: now).map(\.pid)
    }

    @Test func whatIsWrittenAfterTheStartIsReadOnce() throws {
        let folder = try TemporaryFolder()
        try folder.write(line(1), to: "log")
        var follower = try SshdLogFollower(path: folder.path("log"), position: nil)
        #expect(try read(&follower) == [])
        try append(folder, "log", line(2) + "Nov 26 12:00:00 web1 sshd[3]: hal")
        #expect(try read(&follower) == [2])
        try append(folder, "log", "f\n" + line(4))
        #expect(try read(&follower) == [3, 4])
        #expect(try read(&follower) == [])
    }

    @Test func aLogThatIsMadeLaterIsFoundAndReadFromItsStart() throws {
        let folder = try TemporaryFolder()
        var follower = try SshdLogFollower(path: folder.path("log"), position: nil)
        #expect(try read(&follower) == [])
        try folder.write(line(1), to: "log")
        // The first look finds the file, the second reads it.
        #expect(try read(&follower) + read(&follower) == [1])
    }

    @Test func rotationByRenameLosesNothingThatComesLate() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "log")
        var follower = try SshdLogFollower(path: folder.path("log"), position: nil)
        try append(folder, "log", line(1))
        try FileManager.default.moveItem(atPath: folder.path("log"), toPath: folder.path("log.1"))
        try folder.write(line(2), to: "log")
        try append(folder, "log.1", line(3))
        #expect(try read(&follower, now: 1_000) == [1, 3])
        // The daemon still has the old file open.
        try append(folder, "log.1", line(4))
        #expect(try read(&follower, now: 1_010) == [4, 2])
        try append(folder, "log", line(5))
        #expect(try read(&follower, now: 1_100) == [5])
        guard case .files(let places) = follower.position else { return }
        #expect(places.count == 1)
    }

    @Test func aFileThatIsEmptiedInPlaceBeginsAnew() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "log")
        var follower = try SshdLogFollower(path: folder.path("log"), position: nil)
        try append(folder, "log", line(1) + line(2))
        #expect(try read(&follower) == [1, 2])
        let handle = try #require(FileHandle(forWritingAtPath: folder.path("log")))
        try handle.truncate(atOffset: 0)
        try append(folder, "log", line(3))
        #expect(try read(&follower) == [3])
    }

    @Test func aRestartGoesOnWhereItWasAlsoOverRotations() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "log")
        var follower = try SshdLogFollower(path: folder.path("log"), position: nil)
        try append(folder, "log", line(1))
        #expect(try read(&follower) == [1])
        let position = try SshdLogPosition(parsing: follower.position.encoded)
        try append(folder, "log", line(2))
        // Two rotations while nobody was looking, and an older one that was read long ago.
        try folder.write(line(99), to: "log.9")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: folder.path("log.9"))
        func rotate(_ from: String, _ to: String, _ time: Double) throws {
            try FileManager.default.moveItem(atPath: folder.path(from), toPath: folder.path(to))
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: time)], ofItemAtPath: folder.path(to))
        }
        try rotate("log", "log.2", 1_000)
        try folder.write(line(3), to: "log.x")
        try rotate("log.x", "log.1", 2_000)
        try folder.write(line(4), to: "log")
        var next = try SshdLogFollower(path: folder.path("log"), position: position)
        #expect(try read(&next, now: 100_000) == [2, 3, 4])
        #expect(next.gaps == 0)
        #expect(try read(&next, now: 100_000) == [])
    }

    @Test func aFileThatIsGoneIsAGap() throws {
        let folder = try TemporaryFolder()
        try folder.write(line(1), to: "log")
        let gone = SshdLogPosition.files([.init(device: 1, inode: 1, offset: 5)])
        var follower = try SshdLogFollower(path: folder.path("log"), position: gone)
        #expect(follower.gaps == 1)
        #expect(try read(&follower) == [1])
    }

    @Test func aLineWithoutAnEndIsSkippedAndWhatFollowsIsNot() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "log")
        var follower = try SshdLogFollower(path: folder.path("log"), position: nil)
        try append(folder, "log", String(repeating: "x", count: 600 << 10) + "\n" + line(1))
        var found: [Int32] = []
        for _ in 0..<5 { found += try read(&follower) }
        #expect(found == [1])
    }

    @Test func attack51_aLinkInTheLogsPlaceIsNotFollowed() throws {
        let folder = try TemporaryFolder()
        try folder.write(line(1), to: "other")
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("log"), withDestinationPath: folder.path("other"))
        #expect(throws: AgentError(.file, "")) {
            var follower = try SshdLogFollower(path: folder.path("log"), position: nil)
            _ = try follower.read(now: 0)
        }
    }
}
