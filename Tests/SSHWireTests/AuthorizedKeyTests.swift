// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

private func someKey() throws -> PublicKey { try PublicKey(.ed25519([UInt8](repeating: 9, count: 32))) }

/// Options as people write them, and as they are written back.
private let optionTexts: [(String, String)] = [
    ("restrict", "restrict"),
    ("RESTRICT,Pty", "restrict,pty"),
    ("cert-authority,principals=\"alice,bob\"", "cert-authority,principals=\"alice,bob\""),
    (#"command="echo \"hi there\"",no-pty"#, #"command="echo \"hi there\"",no-pty"#),
    (#"command="a\b""#, #"command="a\b""#),
    (#"command="a\\"b""#, #"command="a\\"b""#),
    ("from=\"!10.0.0.1,10.0.0.0/8,*.example.com\"", "from=\"!10.0.0.1,10.0.0.0/8,*.example.com\""),
    ("environment=\"A_1=x=y\",environment=\"B=\"", "environment=\"A_1=x=y\",environment=\"B=\""),
    ("permitopen=\"host:22\",permitopen=\"[::1]:*\"", "permitopen=\"host:22\",permitopen=\"[::1]:*\""),
    (
        "permitlisten=\"8080\",permitlisten=\"localhost:1\"",
        "permitlisten=\"8080\",permitlisten=\"localhost:1\""
    ),
    ("tunnel=\"0\",tunnel=\"any\"", "tunnel=\"0\",tunnel=\"any\""),
    (
        "expiry-time=\"20300101\",expiry-time=\"203001011200z\"",
        "expiry-time=\"20300101\",expiry-time=\"203001011200Z\""
    ),
    ("no-touch-required,verify-required", "no-touch-required,verify-required"),
    (
        "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc",
        "no-port-forwarding,no-agent-forwarding,no-x11-forwarding,no-user-rc"
    ),
    ("future-flag,future@example.com=\"a b\",restrict", "future-flag,future@example.com=\"a b\",restrict"),
]

@Suite struct AuthorizedKeyTests {
    @Test(arguments: optionTexts)
    func optionsComeBackAndSSHKeygenSkipsThem(text: String, written: String) throws {
        let key = try someKey()
        let parsed = try AuthorizedKey(line: "\(text) \(key.text) a comment")
        #expect(parsed.line == "\(written) \(key.text) a comment")
        #expect(try AuthorizedKey(line: parsed.line) == parsed)
        try withTemporaryFolder { folder in
            let path = try folder.write(parsed.line + "\n", to: "authorized_keys")
            let shown = try TextVectors.keygen(["-lf", path], "ssh-keygen -l").stdoutText
            #expect(shown.contains(key.fingerprint))
        }
    }

    @Test(arguments: [
        "restrict,", ",restrict", "restrict,,pty", "restrict pty", "restrict=\"x\"", "command", "command=ls",
        "command=\"ls", "command=\"a\",command=\"b\"", "principals=\"a\"", "from=\"a\",from=\"b\"",
        "cert-authority,principals=\"\"", "cert-authority,principals=\"a,,b\"", "environment=\"A\"",
        "environment=\"A B=c\"", "environment=\"=c\"", "permitopen=\"host\"", "permitopen=\"host:0\"",
        "permitopen=\"host:65536\"", "permitopen=\"host:022\"", "permitopen=\"22\"", "permitlisten=\"x\"",
        "tunnel=\"-1\"", "tunnel=\"a\"", "expiry-time=\"20301301\"", "expiry-time=\"19700101Z\"",
        "\"quoted\"",
        "restrict\u{1}", "a\"b",
    ])
    func optionsThatSSHDRefusesAreRefused(text: String) throws {
        let key = try someKey()
        #expect(throws: SSHWireError.self) { try AuthorizedKey(line: "\(text) \(key.text)") }
    }

    @Test func attack19_anOptionIsNeverDropped() throws {
        let key = try someKey()
        let restricted = try AuthorizedKey(line: "restrict \(key.text)")
        #expect(restricted.options.options == [.restrict])
        #expect(restricted.options.permissions.isEmpty)
        #expect(try restricted != AuthorizedKey(line: key.text))
        #expect(try AuthorizedKey(line: key.text).options.permissions == Set(Permission.allCases))
        // A line that says "restrict" where the key's type belongs is no plain key either.
        #expect(throws: SSHWireError.self) {
            try AuthorizedKey(line: "restrict \(key.text.split(separator: " ")[1])")
        }
        #expect(throws: SSHWireError.self) { try PublicKeyLine("restrict \(key.text)") }
    }

    @Test func theOrderOfPermissionsCounts() throws {
        let key = try someKey()
        #expect(try AuthorizedKey(line: "restrict,pty \(key.text)").options.permissions == [.pty])
        #expect(try AuthorizedKey(line: "pty,restrict \(key.text)").options.permissions == [])
        let most = try AuthorizedKey(line: "pty,no-pty,no-user-rc,user-rc \(key.text)").options.permissions
        #expect(most == Set(Permission.allCases).subtracting([.pty]))
    }

    @Test func unknownOptionsAreNamed() throws {
        let options = try AuthorizedKey(line: "restrict,later=\"1\" \(someKey().text)").options
        #expect(options.unknownNames == ["later"])
        #expect(try AuthorizedKey(line: "restrict \(someKey().text)").options.unknownNames == [])
    }

    @Test func theEarliestExpiryCounts() throws {
        let line = "expiry-time=\"20300102Z\",expiry-time=\"20300101Z\" \(try someKey().text)"
        let expiry = try AuthorizedKey(line: line).options.expiry()
        #expect(expiry?.description == "2030-01-01T00:00:00Z")
        let local = try AuthorizedKey(line: "expiry-time=\"20300101\" \(try someKey().text)").options
        #expect(throws: SSHWireError(.invalidValue, "")) { _ = try local.expiry() }
        #expect(try local.expiry(zoneOffset: 3_600)?.description == "2029-12-31T23:00:00Z")
    }

    @Test(arguments: ["alice,root", "", "a\nb", "a\tb", #"a\"#])
    func attack04_aPrincipalThatWouldBeReadAsAnotherIsRefused(name: String) throws {
        #expect(throws: SSHWireError.self) {
            try KeyOptions([.certAuthority, .principals(["bob", ExactText(name)])])
        }
    }

    @Test(arguments: ["alice", "a b", "a\"b", "é", "alice@example.com", "-", "a#b", "\\x"])
    func attack04_principalsComeBackAsTheyWere(name: String) throws {
        let names: [ExactText] = ["bob", ExactText(name), "carol"]
        let key = try AuthorizedKey(someKey(), options: KeyOptions([.certAuthority, .principals(names)]))
        #expect(try AuthorizedKey(line: key.line).options.principals == names)
    }

    @Test(arguments: ["\"", "\\\"", "a\\b", "\\\\\"x", "a\tb", "$(id) `id`; #", "é\u{301}"])
    func attack09_valuesAreEscapedSoThatTheyComeBack(value: String) throws {
        let options: [KeyOption] = [
            .command(ExactText(value)), .environment(name: "A", value: ExactText(value)),
            .unknown(name: "x", value: ExactText(value)), .restrict,
        ]
        let key = try AuthorizedKey(someKey(), options: KeyOptions(options), comment: "c")
        #expect(try AuthorizedKey(line: key.line).options.options == options)
    }

    @Test(arguments: ["a\nb", "a\rb", "a\0b", "\u{1b}[2J", "\u{7f}", "ends in \\"])
    func attack09_valuesThatCannotBeWrittenAreRefused(value: String) {
        for option: KeyOption in [
            .command(ExactText(value)), .environment(name: "A", value: ExactText(value)),
            .unknown(name: "x", value: ExactText(value)),
        ] {
            #expect(throws: SSHWireError.self) { try KeyOptions([option]) }
        }
    }

    @Test func aKnownOptionCannotHideAsAnUnknownOne() {
        #expect(throws: SSHWireError.self) { try KeyOptions([.unknown(name: "Restrict", value: nil)]) }
        #expect(throws: SSHWireError.self) { try KeyOptions([.unknown(name: "command", value: "x")]) }
        #expect(throws: SSHWireError.self) { try KeyOptions([.unknown(name: "a,b", value: nil)]) }
    }

    @Test func attack16_aCertificateIsNoAuthorizedKey() throws {
        try withTemporaryFolder { folder in
            try TextVectors.makeKey("ca", in: folder)
            try TextVectors.makeKey("user", in: folder)
            let line = try TextVectors.makeCertificate(on: "user", by: "ca", in: folder)
            #expect(throws: SSHWireError(.nestedCertificate, "")) { try AuthorizedKey(line: line) }
            #expect(throws: SSHWireError(.nestedCertificate, "")) {
                try AuthorizedKey(line: "cert-authority \(line)")
            }
        }
    }

    @Test func aFileComesBackByteForByte() throws {
        let key = try someKey()
        let text =
            "# comment é\n\n \t\n  restrict  \(key.text)\t two  words \t\r\nssh-dss AAAAB3NzaC1kc3M= old\n"
            + "nonsense\n\(key.text)"
        var file = try AuthorizedKeysFile(Array(text.utf8))
        #expect(file.bytes == Array(text.utf8))
        #expect(file.entries.map(\.number) == [4, 7])
        #expect(file.problems.map(\.number) == [5, 6])
        try file.append(AuthorizedKey(key, comment: "new"))
        #expect(file.bytes == Array("\(text)\n\(key.text) new\n".utf8))
        file.removeEntries { $0.options.options == [.restrict] }
        #expect(String(decoding: file.bytes, as: UTF8.self).contains("restrict") == false)
        #expect(file.lines.count == 7)
    }

    @Test func aFileThatIsNoTextIsRefused() {
        #expect(throws: SSHWireError(.notText, "")) { try AuthorizedKeysFile([0x23, 0xff, 0x0a]) }
        #expect(throws: SSHWireError(.notText, "")) { try AuthorizedKeysFile([0x23, 0x00, 0x0a]) }
        #expect(throws: SSHWireError(.tooLong, "")) {
            try AuthorizedKeysFile([UInt8](repeating: 0x0a, count: Limits.textFileLines + 1))
        }
    }

    @Test func everyPrefixAndChangedByteIsRefusedOrComesBack() throws {
        let line =
            #"restrict,command="a \"b\"",environment="A=b",permitopen="h:1",from="a,!b" "#
            + (try someKey().text)
            + " c"
        let original = try AuthorizedKey(line: line)
        for bytes in TextVectors.prefixes(of: Array(line.utf8)) + TextVectors.changes(of: Array(line.utf8)) {
            guard let text = TextVectors.text(bytes), let parsed = try? AuthorizedKey(line: text) else {
                continue
            }
            #expect(try AuthorizedKey(line: parsed.line) == parsed)
            if parsed == original { #expect(text.contains("\t") || text.contains("\\")) }
        }
    }
}
