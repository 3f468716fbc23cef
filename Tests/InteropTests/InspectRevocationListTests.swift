// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

@Suite("daypass krl show")
struct InspectRevocationListTests {
    /// The parts of `krl show --format json` that tests look at.
    private struct Report: Decodable {
        struct Part<Element: Decodable>: Decodable {
            let count, more: Int
            let shown: [Element]
        }

        struct SerialRange: Decodable, Equatable {
            let first, last: String
        }

        struct Key: Decodable {
            let type, fingerprintSha256: String
        }

        struct Authority: Decodable {
            let authority: Key?
            let serialCount: String
            let serialRanges: Part<SerialRange>
            let keyIds: Part<String>
        }

        let version: UInt64
        let bytes: Int
        let generated, comment: String
        let authorities: [Authority]
        let keys: Part<Key>
        let sha256Fingerprints, sha1Fingerprints: Part<String>
    }

    private func report(_ tools: InspectTools, _ arguments: [String]) throws -> Report {
        let result = try tools.daypass(["krl", "show", "--format", "json"] + arguments).orThrow("krl show")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Report.self, from: Data(result.stdout))
    }

    /// A list by ssh-keygen with every kind of entry.
    private func makeList(_ tools: InspectTools) throws {
        for name in ["ca", "one", "two", "three"] { try tools.makeKey(name) }
        func text(_ name: String) throws -> String {
            try tools.folder.readText("\(name).pub").split(separator: " ").prefix(2).joined(separator: " ")
        }
        try tools.folder.write(
            """
            serial: 3
            serial: 10-12
            serial: 18446744073709551615
            id: al-3
            id: zoë "ops"
            key: \(try text("one"))
            sha256: \(try text("two"))
            sha1: \(try text("three"))

            """, to: "spec")
        try tools.keygen(["-q", "-k", "-s", "ca.pub", "-z", "42", "-f", "list", "spec"])
    }

    @Test func everyEntryIsShown() throws {
        let tools = try InspectTools()
        try makeList(tools)
        func fingerprint(_ name: String, _ hash: String = "sha256") throws -> String {
            String(
                try tools.keygen(["-l", "-E", hash, "-f", "\(name).pub"]).stdoutText.split(separator: " ")[1])
        }
        let report = try report(tools, ["list"])
        #expect(report.version == 42)
        #expect(report.bytes == (try tools.folder.read("list")).count)
        let authority = try #require(report.authorities.first)
        #expect(report.authorities.count == 1)
        #expect(authority.authority?.fingerprintSha256 == (try fingerprint("ca")))
        #expect(authority.serialCount == "5")
        #expect(
            authority.serialRanges.shown.map { "\($0.first)-\($0.last)" }
                == ["3-3", "10-12", "18446744073709551615-18446744073709551615"])
        #expect(authority.keyIds.shown == ["al-3", "zoë \"ops\""])
        #expect(report.keys.shown.map(\.fingerprintSha256) == [try fingerprint("one")])
        #expect(report.sha256Fingerprints.shown == [try fingerprint("two")])
        #expect(report.sha1Fingerprints.shown == [try fingerprint("three", "sha1")])

        let text = try tools.daypass(["krl", "show", "list"])
        #expect(text.status == 0 && text.stderr.isEmpty)
        #expect(
            text.stdoutText == """
                list: revocation list
                  version     42
                  made        \(report.generated)
                  size        \(report.bytes) bytes
                  certificates signed by ED25519 \(try fingerprint("ca"))
                    5 serials
                      3
                      10-12
                      18446744073709551615
                    2 key IDs
                      "al-3"
                      "zoë "ops""
                  1 key
                    ssh-ed25519 \(try fingerprint("one"))
                  1 key by SHA-256
                    \(try fingerprint("two"))
                  1 key by SHA-1
                    \(try fingerprint("three", "sha1"))

                """)
        // inspect finds out by itself what it is, and - is standard input.
        #expect(try tools.daypass(["inspect", "list"]).stdoutText == text.stdoutText)
        let piped = try tools.daypass(["krl", "show", "-"], stdin: try tools.folder.read("list"))
        #expect(piped.stdoutText.dropFirst("standard input".count) == text.stdoutText.dropFirst("list".count))
    }

    @Test func aLongListIsCutUnlessAllIsAskedFor() throws {
        let tools = try InspectTools()
        try tools.makeKey("ca")
        let lines = (1...60).map { "serial: \($0 * 2)\nid: id-\($0 + 100)\n" }.joined()
        try tools.folder.write(lines, to: "spec")
        try tools.keygen(["-q", "-k", "-s", "ca.pub", "-f", "list", "spec"])
        let short = try tools.daypass(["krl", "show", "list"]).stdoutText
        #expect(short.contains("      100\n      … and 10 more ranges (--all shows them)\n"))
        #expect(short.contains("      \"id-150\"\n      … and 10 more key IDs (--all shows them)\n"))
        let all = try tools.daypass(["krl", "show", "--all", "list"]).stdoutText
        #expect(all.contains("      120\n") && all.contains("\"id-160\"") && !all.contains("more"))
        let cut = try #require(try report(tools, ["list"]).authorities.first)
        #expect(
            cut.serialRanges.count == 60 && cut.serialRanges.shown.count == 50 && cut.serialRanges.more == 10)
        let whole = try #require(try report(tools, ["--all", "list"]).authorities.first)
        #expect(whole.serialRanges.shown.count == 60 && whole.serialRanges.more == 0)
        #expect(try tools.daypass(["inspect", "--all", "list"]).stdoutText == all)
    }

    @Test func anEmptyListRevokesNothing() throws {
        let tools = try InspectTools()
        try tools.folder.write("", to: "spec")
        try tools.keygen(["-q", "-k", "-f", "list", "spec"])
        #expect(try tools.daypass(["krl", "show", "list"]).stdoutText.hasSuffix("\n  nothing is revoked\n"))
    }

    @Test func attack39_aListsTextIsEscaped() throws {
        let tools = try InspectTools()
        // The builder refuses such text, so it takes the place of plain text of the same length.
        let (comment, keyID) = ("a\u{1b}[2J\u{202e}b", "c\nd\u{9b}2J")
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        try builder.setComment(ExactText(String(repeating: "X", count: comment.utf8.count)))
        try builder.revoke(
            keyID: ExactText(String(repeating: "Y", count: keyID.utf8.count)), of: .everyAuthority)
        var list = builder.build().encode()
        for (letter, text) in [("X", comment), ("Y", keyID)] {
            let plain = Array(String(repeating: letter, count: text.utf8.count).utf8)
            let place = try #require(list.indices.first { list[$0...].starts(with: plain) })
            list.replaceSubrange(place..<(place + plain.count), with: Array(text.utf8))
        }
        try tools.folder.write(list, to: "list")
        for arguments in [
            ["krl", "show", "list"], ["inspect", "list"], ["krl", "show", "--format", "json", "list"],
        ] {
            let result = try tools.daypass(arguments)
            #expect(result.status == 0)
            #expect(
                result.stdoutText.split(separator: "\n").allSatisfy { !String($0).holdsControlCharacters })
        }
        let text = try tools.daypass(["krl", "show", "list"]).stdoutText
        #expect(text.contains("  comment     a\\u{1b}[2J\\u{202e}b\n"))
        #expect(text.contains("      \"c\\u{a}d\\u{9b}2J\"\n"))
    }

    @Test(arguments: [
        ("missing", "cannot open missing: no such file or directory"),
        ("ca.pub", "ca.pub: KRL: it does not start with \"SSHKRL\""),
        ("short", "short: KRL format version: 4 bytes expected, 1 left"),
        (".", "cannot read .: is a directory"),
    ])
    func whatIsNoListIsNamed(_ file: String, _ reason: String) throws {
        let tools = try InspectTools()
        try tools.makeKey("ca")
        try tools.folder.write("SSHKRL\n\u{0}\u{0}", to: "short")
        let result = try tools.daypass(["krl", "show", file])
        #expect(result.status == 1 && result.stdout.isEmpty)
        #expect(result.stderrText == "error: \(reason)\n")
    }
}
