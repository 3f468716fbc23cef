// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@Suite("daypass: help, mistakes and pipes")
struct CLIOutputTests {
    private let tools: CLITools

    init() throws { tools = try CLITools.withCA() }

    @Test func helpAndVersionAreResults() throws {
        for arguments in [[], ["--help"], ["ca", "init", "--help"], ["help", "issue"], ["issue"]] {
            let result = try tools.daypass(arguments)
            #expect(result.status == 0 && result.stderr.isEmpty, "\(arguments): \(result)")
            #expect(result.stdoutText.contains("USAGE: daypass"), "\(result)")
        }
        #expect(try tools.daypass(["--version"]).stdoutText == "0.1.0\n")
    }

    @Test func mistakesSayWhereToLook() throws {
        expectFailure(
            try tools.daypass(["unknown"]), 64, "unexpected argument 'unknown'",
            hint: "daypass --help lists what it takes")
        expectFailure(
            try tools.daypass(["log", "unknown"]), 64, "unexpected argument 'unknown'",
            hint: "daypass log --help lists what it takes")
        expectFailure(
            try tools.daypass(["log", "list", "--unknown"]), 64, "unknown option '--unknown'",
            hint: "daypass log list --help lists what it takes")
        expectFailure(
            try tools.daypass(["log", "list", "--limit", "x"]), 64,
            "the value 'x' is invalid for '--limit <N>'",
            hint: "daypass log list --help lists what it takes")
        for limit in ["-1", "18446744073709551616"] {
            #expect(try tools.daypass(["log", "list", "--limit=\(limit)"]).status == 64)
        }
    }

    @Test(arguments: ["\u{1b}[2J", "a\nerror: b", "\u{202e}"])
    func attack39_aMistakeIsShownEscaped(_ hostile: String) throws {
        for arguments in [
            [hostile], ["log", "list", "--limit", hostile], ["log", "list", "--\(hostile)"],
            ["revoke", "--reason", "x", "--serial", hostile], ["ca", "init", "--type", hostile],
            ["log", "show", hostile], ["log", "export", "no/\(hostile)/where"], ["--home", hostile],
        ] {
            let result = try tools.daypass(arguments)
            #expect(result.status != 0 && result.stdout.isEmpty, "\(arguments): \(result)")
            #expect(!result.stderrText.contains(hostile), "\(arguments): \(result)")
            let lines = result.stderrText.split(separator: "\n")
            #expect(lines.allSatisfy { $0.hasPrefix("error: ") || $0.hasPrefix("hint: ") }, "\(result)")
            #expect(lines.filter { $0.hasPrefix("error: ") }.count == 1, "\(result)")
        }
    }

    /// A reader that has seen enough (head, a pager) is no mistake.
    @Test(arguments: ["log list --limit 0 --format json", "log list", "--help", "inspect id.pub", "ca show"])
    func aClosedPipeEndsItQuietly(_ command: String) throws {
        let script = "{ \"$0\" \(command); echo $? >code; } | :"
        let result = try Tool.run(
            "sh", ["-c", script, try BuiltProduct.path("daypass")], environment: tools.environment,
            in: tools.folder.path)
        #expect(result.status == 0 && result.stdout.isEmpty && result.stderr.isEmpty, "\(result)")
        // And not by a signal.
        #expect(["0\n", "1\n"].contains(try tools.folder.readText("code")))
    }

    @Test func aResultThatCannotBeWrittenIsAnError() throws {
        let script = "exec \"$0\" log list >/dev/full"
        let result = try Tool.run(
            "sh", ["-c", script, try BuiltProduct.path("daypass")], environment: tools.environment,
            in: tools.folder.path)
        expectFailure(result, 1, "cannot write to standard output: no space left on device")
    }

    @Test func aPipeGetsNoEscapeCodes() throws {
        try tools.issue().orThrow("issue")
        for arguments in [
            ["log", "list"], ["log", "verify"], ["ca", "list"], ["ca", "show"], ["inspect", "id-cert.pub"],
            ["krl", "test", "-f", "nowhere", "id.pub"], ["issue", "user"],
        ] {
            for environment in [[:], ["TERM": "xterm-256color"], ["NO_COLOR": "1"]] {
                let result = try tools.daypass(arguments, environment: environment)
                #expect(!(result.stdout + result.stderr).contains(0x1b), "\(arguments): \(result)")
            }
        }
    }

    #if os(Linux)
        @Test(arguments: [("", true), ("1", false)])
        func aTerminalGetsColourUnlessItIsNotWanted(_ variable: String, _ isColoured: Bool) throws {
            let command = "'\(try BuiltProduct.path("daypass"))' log verify"
            let result = try Tool.run(
                "script", ["-qec", command, "/dev/null"],
                environment: tools.environment.merging(["NO_COLOR": variable]) { $1 }, in: tools.folder.path)
            #expect(result.status == 0)
            #expect(result.stdoutText.contains("\u{1b}[32mverified\u{1b}[0m: 3 entries") == isColoured)
            #expect(result.stdoutText.contains("\u{1b}[") == isColoured, "\(result)")
        }
    #endif
}
