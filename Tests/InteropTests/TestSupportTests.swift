// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite("The tests' own footing: programs and folders")
struct TestSupportTests {
    @Test(arguments: [0, 1, 255] as [Int32])
    func statusAndBothOutputsComeBack(code: Int32) throws {
        let result = try Tool.run("/bin/sh", ["-c", "printf out; printf err >&2; exit $0", "\(code)"])
        #expect(result.status == code)
        #expect(result.signal == nil)
        #expect(result.stdoutText == "out")
        #expect(result.stderrText == "err")
        #expect(result.succeeded == (code == 0))
    }

    @Test func aSignalIsToldFromACode() throws {
        let result = try Tool.run("/bin/sh", ["-c", "kill -TERM $$"])
        #expect(result.signal == SIGTERM)
        #expect(result.status == 128 + SIGTERM)
        #expect(throws: TestSupportError.self) { try result.orThrow("end well") }
    }

    @Test func argumentsReachTheProgramWithoutAShell() throws {
        let hostile = ["$(id)", "a b", "'", "\"", "*", ";", "", "new\nline", "ü"]
        let result = try Tool.run("printf", ["%s|"] + hostile)
        #expect(result.stdoutText == hostile.map { $0 + "|" }.joined())
    }

    @Test func anArgumentWithNULIsRefused() {
        #expect(throws: TestSupportError.self) { try Tool.run("printf", ["a\0b"]) }
    }

    @Test func aMissingProgramIsNamed() {
        let error = #expect(throws: TestSupportError.self) { try Tool.run("no-such-program", []) }
        #expect(error?.description.contains("no-such-program") == true)
    }

    @Test func theEnvironmentAndTheFolderAreThoseGiven() throws {
        try withTemporaryFolder { folder in
            let result = try Tool.run("/usr/bin/env", [], environment: ["ONE": "1"])
            #expect(result.stdoutText == "ONE=1\n")
            #expect(try Tool.run("/bin/pwd", [], in: folder.path).stdoutText.hasSuffix(folder.path + "\n"))
        }
    }

    /// Both directions carry more than a pipe holds (64 KiB on Linux) before either side is done.
    @Test func inputAndOutputLargerThanAPipeDoNotDeadlock() throws {
        let input = (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let result = try Tool.run("/bin/sh", ["-c", "tee /dev/stderr"], stdin: input)
        // `==` outside the macro: a difference would print ten million bytes.
        let same = result.stdout == input && result.stderr == input
        #expect(same, "\(result.stdout.count) and \(result.stderr.count) bytes of \(input.count)")
    }

    @Test func inputThatNobodyReadsIsDropped() throws {
        #expect(try Tool.run("true", [], stdin: [UInt8](repeating: 0, count: 1 << 20)).succeeded)
    }

    @Test func outputWithoutEndIsCutOff() throws {
        let error = #expect(throws: TestSupportError.self) { try Tool.run("/bin/sh", ["-c", "yes"]) }
        #expect(error?.description.contains("more than") == true)
    }

    @Test func aTimeoutKillsTheProgramAndWhatItStarted() throws {
        try withTemporaryFolder { folder in
            // Job control gives the first sleep a process group of its own; both must go.
            let script =
                "set -m; sleep 600 & echo $! >one; set +m; sleep 600 & echo $! >two; echo here; wait"
            let started = ContinuousClock.now
            let error = #expect(throws: TestSupportError.self) {
                try Tool.run("/bin/sh", ["-c", script], in: folder.path, timeout: .seconds(1))
            }
            #expect(ContinuousClock.now - started < .seconds(30))
            #expect(error?.description.contains("here") == true)
            for name in ["one", "two"] {
                let pid = try #require(pid_t(folder.readText(name).split(separator: "\n").joined()))
                #expect(ChildProcess.hasEnded(pid), "\(name) still runs")
            }
        }
    }

    @Test func whatAnEndedProgramLeftBehindIsKilled() throws {
        let started = ContinuousClock.now
        let result = try Tool.run("/bin/sh", ["-c", "sleep 600 & echo $!"])
        #expect(ContinuousClock.now - started < .seconds(30))
        let pid = try #require(pid_t(result.stdoutText.split(separator: "\n").joined()))
        #expect(ChildProcess.hasEnded(pid))
    }

    @Test func aProgramInheritsThreeDescriptorsOnly() throws {
        let leaked = unsafe open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        let result = try Tool.run("/bin/sh", ["-c", "ls /dev/fd | sort -n | tr '\\n' ' '"])
        // ls itself opens the folder that it lists, as the next free number.
        #expect(result.stdoutText == "0 1 2 3 ")
    }

    @Test func aTemporaryFolderIsPrivateAndGoesWithAllThatIsInIt() throws {
        try withTemporaryFolder { outside in
            try outside.write("stays", to: "file")
            let gone = try withTemporaryFolder { folder in
                #expect(try folder.mode(of: ".") == 0o700)
                try folder.makeFolder("locked")
                try folder.write("inside", to: "locked/file", mode: 0o444)
                #expect(try folder.mode(of: "locked/file") == 0o444)
                #expect(try folder.readText("locked/file") == "inside")
                try folder.setMode(0o000, of: "locked")
                #expect(unsafe symlink(outside.path, folder.path("link")) == 0)
                return folder.path
            }
            #expect(unsafe access(gone, F_OK) == -1)
            #expect(try outside.readText("file") == "stays")
        }
    }

    @Test func theBuiltProgramIsFound() throws {
        #expect(try Tool.run(BuiltProduct.path("daypass"), ["--help"]).succeeded)
    }

    @Test func aProgramThatWasNotBuiltIsNamed() {
        let error = #expect(throws: TestSupportError.self) { try BuiltProduct.path("no-such-product") }
        #expect(error?.description.contains("no-such-product") == true)
    }
}
