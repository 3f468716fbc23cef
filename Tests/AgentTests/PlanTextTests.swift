// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

@testable import Agent
import ControlProtocol
import Testing

@Suite struct PlanTextTests {
    private func diff(_ old: String, _ new: String) -> [String] {
        LineDiff(Array(old.utf8), Array(new.utf8)).text
    }

    @Test func aDifferenceIsShownWithThreeLinesAround() {
        let old = (1...9).map { "\($0)\n" }.joined()
        #expect(
            diff(old, old.replacing("5\n", with: "five\n"))
                == ["@@ -2,7 +2,7 @@", " 2", " 3", " 4", "-5", "+five", " 6", " 7", " 8"])
    }

    @Test(arguments: [
        ("", "a\n", ["@@ -0,0 +1 @@", "+a"]), ("a\n", "", ["@@ -1 +0,0 @@", "-a"]), ("a\n", "a\n", []),
        ("a", "a\n", ["@@ -1 +1 @@", "-a", "\\ No newline at end of file", "+a"]),
        ("a\nb\n", "x\na\nb\n", ["@@ -1,2 +1,3 @@", "+x", " a", " b"]),
        ("\u{1b}[2J\n", "\t\\\u{1b}\n", ["@@ -1 +1 @@", "-\\u{1b}[2J", "+\t\\\\\\u{1b}"]),
    ])
    func aDifferenceIsInUnifiedForm(old: String, new: String, expected: [String]) {
        #expect(diff(old, new) == expected)
    }

    @Test func differencesFarApartAreTwoHunks() {
        let old = (1...30).map { "\($0)\n" }.joined()
        let new = "0\n" + old.replacing("20\n", with: "")
        #expect(diff(old, new).filter { $0.hasPrefix("@@") } == ["@@ -1,3 +1,4 @@", "@@ -17,7 +18,6 @@"])
    }

    @Test func aPlanShowsAttributesAndContentAndEscapesPaths() {
        let attributes = FileAttributes(mode: 0o644)
        let plan = Plan(
            [
                Plan.Step(.folder(path: "/a", before: nil, after: FileAttributes(mode: 0o755)), "why"),
                Plan.Step(
                    .file(path: "/a/\u{1b}", before: FileContent([0x61, 0x0a], attributes), after: nil),
                    "why not"),
                Plan.Step(.file(path: "/k", before: nil, after: FileContent([0, 1], attributes)), "binary"),
            ], notes: ["a note"])
        let text = plan.text
        #expect(text.contains("make folder /a: why\n    mode 0755, owner root:root\n"))
        #expect(text.contains("remove /a/\\u{1b}: why not\n    mode 0644"))
        #expect(text.contains("\n-a\n"))
        #expect(text.contains("+ 2 bytes, SHA256:"))
        #expect(text.hasSuffix("note: a note"))
        #expect(!text.contains("\u{1b}"))
        #expect(plan.json["changes"]?.array?.count == 3)
        #expect(Plan([]).text == "nothing to change")
    }
}
