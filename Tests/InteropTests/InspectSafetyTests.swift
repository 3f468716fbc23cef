// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

/// What acts on a terminal, hides in a line, or starts a new one.
private let hostile = ["\u{1b}[2J", "\u{202e}", "\n", "\r", "\u{9b}2J", "\u{7f}", "\u{2028}", "\u{7}", "\t"]

/// True when nothing but text and line feeds was written.
private func isHarmless(_ result: ToolResult) -> Bool {
    guard let text = String(validating: result.stdout + result.stderr, as: UTF8.self) else { return false }
    return text.split(separator: "\n").allSatisfy { !String($0).holdsControlCharacters }
}

@Suite("daypass inspect: hostile files")
struct InspectSafetyTests {
    @Test(arguments: hostile)
    func attack39_textOfACertificateNeverReachesTheTerminalAsItIs(_ text: String) throws {
        let tools = try InspectTools()
        try tools.makeCertificate("cert.pub") { fields in
            fields.keyID = ExactText("a\(text)b")
            fields.principals = [ExactText("c\(text)d")]
            fields.criticalOptions = [
                .text(.forceCommand, "e\(text)f"), .text(ExactText("g\(text)h"), "i\(text)j"),
            ]
            fields.extensions = [.flag(ExactText("k\(text)l")), .text("x@example", "m\(text)n")]
        }
        for arguments in [
            ["cert.pub"], ["--format", "json", "cert.pub"], ["--principal", "o\(text)p", "cert.pub"],
        ] {
            let result = try tools.daypass(["inspect"] + arguments)
            #expect([0, 3].contains(result.status), "\(result)")
            #expect(isHarmless(result), "\(arguments): \(result)")
        }
        // Harmless, yet complete: programs get the very text.
        let report = try #require(try tools.reports(["cert.pub"]).first?.certificate)
        #expect(report.keyId.utf8.elementsEqual("a\(text)b".utf8))
        #expect(report.principals == ["c\(text)d"])
        #expect(report.criticalOptions.map(\.value) == ["e\(text)f", "i\(text)j"])
        #expect(report.extensions.map(\.name) == ["k\(text)l", "x@example"])
        let shown = try tools.daypass(["inspect", "cert.pub"]).stdoutText
        let escaped = text.unicodeScalars.map {
            $0.value < 0x20 || $0.value >= 0x7f ? "\\u{\(String($0.value, radix: 16))}" : String($0)
        }
        .joined()
        #expect(shown.contains("  key ID      \"a\(escaped)b\"\n"), "\(shown)")
        #expect(
            shown.contains(
                "  warning     the key ID or a principal holds control characters, shown as \\u{…}\n"))
    }

    @Test func attack39_textThatIsHarmlessIsShownAsItIs() throws {
        let tools = try InspectTools()
        try tools.makeCertificate("cert.pub") { $0.keyID = "Zoë, \"Ops\" #5" }
        let shown = try tools.daypass(["inspect", "cert.pub"]).stdoutText
        #expect(shown.contains("  key ID      \"Zoë, \"Ops\" #5\"\n"))
        #expect(!shown.contains("control characters"))
    }

    @Test func attack39_aCommentIsEscaped() throws {
        let tools = try InspectTools()
        try tools.makeCertificate("cert.pub", comment: "a\u{202e}b") { _ in }
        let result = try tools.daypass(["inspect", "cert.pub"])
        #expect(result.status == 0 && isHarmless(result))
        #expect(result.stdoutText.contains("  comment     a\\u{202e}b\n"))
    }

    @Test func attack39_aCommentWithAControlCharacterIsRefused() throws {
        let tools = try InspectTools()
        try tools.makeCertificate("cert.pub", comment: "a\u{1b}[2Jb") { _ in }
        let result = try tools.daypass(["inspect", "cert.pub"])
        #expect(result.status == 1 && result.stdout.isEmpty)
        #expect(result.stderrText == "error: cert.pub: public key line: control character 27\n")
    }

    @Test func attack39_aFileNameIsEscaped() throws {
        let tools = try InspectTools()
        for arguments in [["\u{1b}[2J"], ["--ca", "\u{1b}[2J", "x"], ["--krl", "\u{1b}[2J", "x"]] {
            let result = try tools.daypass(["inspect"] + arguments)
            #expect(result.status == 1)
            #expect(result.stderrText == "error: cannot open \\u{1b}[2J: no such file or directory\n")
        }
    }

    @Test(arguments: [
        ["inspect", "x", "--\u{1b}[2J"], ["\u{1b}[2J"], ["inspect", "--format", "\u{1b}[2J", "x"],
        ["inspect", "--at", "\u{1b}[2J", "x"], ["inspect", "--home", "\u{1b}[2J", "x"],
        ["inspect", "--principal", "a", "--address", "\u{1b}[2J", "x"],
        ["ca", "list", "--home", "\u{1b}[2J"],
        ["krl", "show", "\u{1b}[2J"], ["log", "show", "\u{1b}[2J"],
    ])
    func attack39_anArgumentIsEscapedInEveryMessage(_ arguments: [String]) throws {
        let result = try InspectTools().daypass(arguments)
        #expect(result.status != 0 && result.stdout.isEmpty)
        #expect(result.stderrText.contains("\\u{1b}[2J") && isHarmless(result), "\(result)")
    }

    @Test(arguments: [
        ["-t", "ed25519"], ["-t", "rsa", "-b", "2048", "-m", "PEM"], ["-t", "ecdsa", "-m", "PKCS8"],
        ["-t", "ed25519", "-N", "secret"],
    ])
    func aPrivateKeyIsRefusedAndNothingOfItShown(_ options: [String]) throws {
        let tools = try InspectTools()
        try tools.keygen(["-q", "-f", "key"] + options + (options.contains("-N") ? [] : ["-N", ""]))
        let secret = try tools.folder.readText("key")
        try tools.folder.write("# notes\nBag Attributes\n" + secret, to: "after")
        for file in ["key", "after"] {
            let refusal =
                "this is a private key, nothing of it is shown; its public half is in the .pub file beside it, or "
                + "ssh-keygen -y prints it"
            let result = try tools.daypass(["inspect", file])
            #expect(result.status == 1)
            #expect(result.stdout.isEmpty)
            #expect(result.stderrText == "error: \(file): \(refusal)\n")
            let json = try tools.daypass(
                ["inspect", "--format", "json", "-"], stdin: Array(try tools.folder.read(file)))
            #expect(json.status == 1)
            #expect(try tools.decodeReports(json).map(\.error) == [refusal])
            let body = secret.split(separator: "\n").filter { !$0.hasPrefix("-") }
            #expect(!body.contains { json.stdoutText.contains($0) || json.stderrText.contains($0) })
        }
        // Its nearest neighbour is fine.
        #expect(try tools.daypass(["inspect", "key.pub"]).status == 0)
    }
}
