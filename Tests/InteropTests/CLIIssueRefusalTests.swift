// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@Suite("daypass issue: what is refused")
struct CLIIssueRefusalTests {
    private let tools: CLITools
    private let before: [LoggedEntry]

    init() throws {
        tools = try CLITools.withCA()
        before = try tools.log()
    }

    private func user(_ principals: [String], _ more: [String] = []) throws -> ToolResult {
        try tools.daypass(
            ["issue", "user", "--key", "id.pub", "--identity", "al"] + more + ["--principal"] + principals)
    }

    /// Nothing was recorded, so no serial is spent, and nothing was written.
    private func expectNothingHappened(_ location: SourceLocation = #_sourceLocation) throws {
        #expect(try tools.log() == before, sourceLocation: location)
        #expect(try tools.names() == [".daypass", "id", "id.pub"], sourceLocation: location)
    }

    @Test func attack01_noPrincipalOrAnEmptyOneIsRefused() throws {
        let none = "no principal: a certificate without one is good for nobody"
        expectFailure(try tools.daypass(["issue", "user", "--key", "id.pub", "--identity", "al"]), 64, none)
        for empty in [[""], [" "], ["\u{a0}"], ["deploy", ""]] {
            expectFailure(try user(empty), 64, "principal: empty")
        }
        expectFailure(
            try user([]), 64, "missing value for '--principal <NAME>'",
            hint: "daypass issue user --help lists what it takes")
        expectFailure(
            try tools.daypass(["issue", "host", "--key", "id.pub"]), 64,
            "no host name: a certificate without one is good for nobody")
        expectFailure(
            try tools.daypass(["issue", "host", "--key", "id.pub", "--hostname", ""]), 64, "host name: empty")
        try expectNothingHappened()
        #expect(try user(["deploy"]).status == 0)
    }

    @Test(arguments: ["*", "?", "*.deploy", "d?ploy"])
    func attack03_aWildcardIsRefused(_ principal: String) throws {
        let character = principal.contains("*") ? "*" : "?"
        expectFailure(
            try user([principal]), 64, "principal \"\(principal)\": \"\(character)\" is not allowed",
            hint: "letters, digits and ._-+@=:/ are")
        expectFailure(
            try tools.daypass(["issue", "host", "--key", "id.pub", "--hostname", principal]), 64,
            "host name \"\(principal)\": wildcards are not allowed by policy",
            hint: "set issuance.host.wildcards in config.yaml if a certificate for many hosts is wanted")
        try expectNothingHappened()
    }

    @Test func attack04_aCommaIsRefused() throws {
        expectFailure(
            try user(["alice,root"]), 64, "principal \"alice,root\": \",\" is not allowed",
            hint: "give each principal by itself")
        expectFailure(
            try tools.daypass(["issue", "host", "--key", "id.pub", "--hostname", "a,b"]), 64,
            "host name \"a,b\": \",\" is not allowed", hint: "give each host name by itself")
        try expectNothingHappened()
        try user(["alice", "root"]).orThrow("issue")
        #expect(try tools.log().last?.principals == ["alice", "root"])
    }

    @Test(arguments: ["a;id", "$(id)", "`id`", "a b", "a|b", "a\"b", "a'b", "a\\b", "a&b", "é", "-o"])
    func attack08_whatAShellWouldReadIsRefused(_ principal: String) throws {
        let result = try tools.daypass(
            ["issue", "user", "--key", "id.pub", "--identity", "al", "--principal=\(principal)"])
        #expect(result.status == 64 && result.stdout.isEmpty, "\(result)")
        #expect(result.stderrText.hasPrefix("error: principal \""), "\(result)")
        try expectNothingHappened()
    }

    /// Bytes that can't be in an argument vector (NUL) never arrive; all others that act or hide do.
    @Test(arguments: [
        "\n", "\r", "\t", "\u{1b}[2J", "\u{7f}", "\u{9b}", "\u{202e}", "\u{2028}", "\u{feff}", "\u{e000}",
    ])
    func attack39_controlAndInvisibleCharactersAreRefusedEverywhere(_ text: String) throws {
        let hostile = "a\(text)b"
        let shown =
            "a\(text.unicodeScalars.map { $0.value < 0x20 || $0.value > 0x7e ? "\\u{\(String($0.value, radix: 16))}" : String($0) }.joined())b"
        let user = ["issue", "user", "--key", "id.pub", "--principal", "deploy", "--identity"]
        let cases: [([String], String)] = [
            (user + [hostile], "identity \"\(shown)\""),
            (user + ["al", "--force-command", hostile], "force-command \"\(shown)\""),
            (user + ["al", "--extension", hostile], "extension \"\(shown)\""),
            (user + ["al", "--extension", "a@b=\(hostile)"], "extension a@b \"\(shown)\""),
            (
                ["issue", "user", "--key", "id.pub", "--identity", "al", "--principal", hostile],
                "principal \"\(shown)\""
            ),
            (["issue", "host", "--key", "id.pub", "--hostname", hostile], "host name \"\(shown)\""),
        ]
        for (arguments, field) in cases {
            expectFailure(
                try tools.daypass(arguments), 64, "\(field): control characters are not allowed")
        }
        for arguments in [
            ["--source-address", hostile], ["--permit", hostile], ["--valid", hostile],
            ["--valid-from", hostile],
        ] {
            let result = try tools.issue(arguments)
            #expect(result.status == 64 && result.stderrText.contains(shown), "\(result)")
            // Its own lines are all that there are.
            #expect(!result.stderrText.replacing("\nhint: ", with: "").dropLast().contains(text), "\(result)")
        }
        try expectNothingHappened()
    }

    @Test func moreThanTheFormatTakesIsRefused() throws {
        let names = (0..<257).map { "p\($0)" }
        expectFailure(try user(names), 64, "257 principals: at most 256 are allowed")
        func long(_ count: Int) -> String { String(repeating: "a", count: count) }
        expectFailure(try user([long(256)]), 64, "principal: 256 bytes, at most 255 are allowed")
        expectFailure(
            try user(["a"], ["--force-command", long(4_097)]), 64,
            "force-command: 4097 bytes, at most 4096 are allowed")
        expectFailure(
            try user(["a"], ["--extension", "a@b=\(long(4_097))"]), 64,
            "extension a@b: 4097 bytes, at most 4096 are allowed")
        expectFailure(
            try tools.daypass([
                "issue", "user", "--key", "id.pub", "--principal", "a", "--identity", long(257),
            ]),
            64, "identity: 257 bytes, at most 256 are allowed")
        expectFailure(
            try tools.daypass(["issue", "host", "--key", "id.pub", "--hostname", long(254)]), 64,
            "host name: 254 bytes, at most 253 are allowed")
        expectFailure(try user(["a", "a"]), 64, "principal \"a\" is given twice")
        try expectNothingHappened()
        // One less of each is fine.
        let most = ["--force-command", long(4_096), "--extension", "a@b=\(long(4_096))"]
        #expect(try user(Array(names.dropLast()), most).status == 0)
        #expect(
            try tools.certificateLines("id-cert.pub").filter { $0.hasPrefix("p") && $0 != "permit-pty" }.count
                == 256)
    }

    @Test(arguments: [
        "0", "0s", "00h", "-5", "-5m", "5x", "h", "1h-1m", "1.5h", " 1h", "١h", "18446744073709551616",
        "1e3",
    ])
    func attack54_aLifetimeThatIsNoneIsRefused(_ text: String) throws {
        expectFailure(
            try tools.issue(["--valid=\(text)"]), 64,
            "--valid \"\(text)\": a positive time like 90s, 15m, 8h, 1d12h or 2w expected")
        try expectNothingHappened()
    }

    @Test(arguments: ["18446744073709551615w", "307445734561825861m", "18446744073709551615s1s"])
    func attack54_aLifetimeThatOverflowsIsRefused(_ text: String) throws {
        expectFailure(
            try tools.issue(["--valid", text]), 64, "--valid \"\(text)\": more seconds than 64 bits hold")
        try expectNothingHappened()
    }

    @Test(arguments: [
        "@18446744073709551615", "@18446744073709551616", "@-1", "@+5", "@", "+18446744073709551615",
        "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "20261121", "2026-11-21", "99999999Z", "now",
        "2026-11-21T05:00:00+01:00",
    ])
    func attack54_aStartThatIsNoneIsRefused(_ text: String) throws {
        let result = try tools.issue(["--valid-from", text])
        expectFailure(
            result, 64,
            "--valid-from \"\(text)\": a time like 2026-11-21T05:00:00Z, 20261121050000Z, @1795237200, +1h or -5m expected"
        )
        try expectNothingHappened()
    }

    /// What makes sense but is too much goes to policy, whose refusals are recorded.
    @Test(arguments: [
        (["--valid", "25h"], "validity of 1d1h: at most 1d are allowed for user certificates"),
        (["--valid", "86401"], "validity of 1d1s: at most 1d are allowed for user certificates"),
        (
            ["--valid-from", "@18446744073709551614"],
            "validity: 28800 seconds from @18446744073709551614 is after the end of time"
        ),
        (["--valid-from", "@0"], "validity: ends at 1970-01-01T08:00:00Z, which is past (now is "),
        (
            ["--valid-from", "-18446744073709551615"],
            "validity: ends at 1970-01-01T08:00:00Z, which is past (now is "
        ),
        (["--valid-from", "+31d"], "validity: starts at "),
        (["--valid", "18446744073709551615"], "validity of 213503982334601d7h15s: at most 1d are allowed"),
    ])
    func attack54_policyRefusesAndTheLogSaysSo(_ options: [String], _ reason: String) throws {
        let result = try tools.issue(options)
        #expect(result.status == 2 && result.stdout.isEmpty, "\(result)")
        #expect(result.stderrText.hasPrefix("error: refused by policy: \(reason)"), "\(result)")
        #expect(
            result.stderrText.hasSuffix(
                "\nhint: the limits are in \(tools.folder.path(".daypass/config.yaml"))\n"))
        let new = try tools.log().dropFirst(before.count)
        #expect(new.map(\.event) == ["refused"])
        #expect(new.first?.reasons?.first?.hasPrefix(reason) == true)
        #expect(new.first?.serial == nil && new.first?.principals == ["deploy"])
        #expect(try tools.names() == [".daypass", "id", "id.pub"])
        #expect(try tools.daypass(["log", "verify"]).status == 0)
    }

    @Test func aDayIsAllowed() throws {
        #expect(try tools.issue(["--valid", "24h"]).status == 0)
        #expect(try tools.issue(["--valid-from", "+30d"]).status == 0)
        #expect(try tools.issue(["--valid-from", "-5m"]).status == 0)
    }

    @Test func aRefusalForProgramsNamesTheReasons() throws {
        let result = try tools.issue(["--valid", "25h", "--format", "json"])
        #expect(result.status == 2)
        let report = try #require(try tools.decode([IssuedReport].self, result).first)
        #expect(report.key == "id.pub" && report.certificate == nil && report.serial == nil)
        #expect(report.refused == ["validity of 1d1h: at most 1d are allowed for user certificates"])
    }

    @Test(arguments: [
        (["--permit", "shell"], "--permit: \"shell\" is not known"),
        (["--permit", ""], "--permit: \"\" is not known"),
        (["--permit", "pty,"], "--permit: \"\" is not known"),
        (
            ["--source-address", "10.0.0.1/8"],
            "--source-address: address \"10.0.0.1/8\": bits are set behind the prefix of 8"
        ),
        (["--extension", "permit-pty"], "extension permit-pty is a permission"),
        (
            ["--extension", "force-command=x"],
            "extension force-command is a critical option: as an extension it would be ignored"
        ),
        (["--extension", "a@b", "--extension", "a@b=c"], "extension a@b is given twice"),
        (["--extension", "=x"], "extension: empty"),
        (["--force-command", ""], "force-command: empty"),
        (["--identity", "a#1"], "identity \"a#1\": # separates identity and serial in a key ID"),
        (["--identity", " a"], "identity: white space around it"),
        (["--identity", " "], "identity: empty"),
    ])
    func otherNonsenseIsRefused(_ options: [String], _ reason: String) throws {
        let identity = options.contains("--identity") ? [] : ["--identity", "al"]
        let result = try tools.daypass(
            ["issue", "user", "--key", "id.pub", "--principal", "deploy"] + identity + options)
        #expect(result.status == 64 && result.stdout.isEmpty, "\(result)")
        #expect(result.stderrText.split(separator: "\n").first == "error: \(reason)", "\(result)")
        try expectNothingHappened()
    }

    @Test func theCAsOwnKeyIsNotCertified() throws {
        let result = try tools.issue(["-o", "cert"], key: ".daypass/user_ca.pub")
        #expect(result.status == 2 && !tools.folder.contains("cert"), "\(result)")
        #expect(result.stderrText.contains(": it is the CA's own\n"), "\(result)")
        #expect(try tools.log().last?.event == "refused")
    }
}
