// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

@Suite("daypass inspect: messages and exit codes")
struct InspectMessageTests {
    /// What a file holds, what is said about it, and that nothing else is.
    @Test(arguments: [
        ("", "nothing in it"),
        ("\n\n# a comment\n", "only blank lines and comments in it"),
        (
            "hello world\n",
            "no public key, certificate, revocation list or signature: key type: 5 bytes of something else is not a "
                + "key type that is supported"
        ),
        ("ssh-ed25519\n", "key: nothing follows the type ssh-ed25519"),
        ("ssh-ed25519 AAAA*\n", "key: not strict base64"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\n", "Ed25519 key: 4 bytes expected, 3 left"),
        ("ssh-dss AAAAB3NzaC1kc3M=\n", "key type ssh-dss: DSA is not secure and is not supported"),
        (
            "\u{1}\u{2}\u{3}",
            "public key line: control character 1"
        ),
        (
            "-----BEGIN CERTIFICATE-----\nMIIB\n",
            "public key: this is an X.509 certificate, which SSH does not use"
        ),
        ("SSHKRL\n\u{0}\u{0}", "KRL format version: 4 bytes expected, 1 left"),
    ])
    func aFileThatHoldsNothingKnownIsNamedWithTheReason(_ content: String, _ reason: String) throws {
        let tools = try InspectTools()
        try tools.folder.write(content, to: "file")
        let result = try tools.daypass(["inspect", "file"])
        #expect(result.status == 1)
        #expect(result.stdout.isEmpty)
        #expect(result.stderrText == "error: file: \(reason)\n")
        let piped = try tools.daypass(["inspect", "-"], stdin: Array(content.utf8))
        #expect(piped.status == 1)
        #expect(piped.stderrText == "error: standard input: \(reason)\n")
    }

    @Test func bytesThatAreNoTextAreNamedSo() throws {
        let tools = try InspectTools()
        try tools.folder.write([0xff, 0xfe, 0x00, 0x0a], to: "file")
        let result = try tools.daypass(["inspect", "file"])
        #expect(result.status == 1)
        #expect(
            result.stderrText
                == "error: file: no public key, certificate, revocation list or signature: bytes that are no text\n"
        )
    }

    @Test func filesThatCannotBeReadAreNamed() throws {
        let tools = try InspectTools()
        try tools.folder.makeFolder("folder")
        let result = try tools.daypass(["inspect", "missing", "folder"])
        #expect(result.status == 1)
        #expect(result.stdout.isEmpty)
        #expect(
            result.stderrText
                == "error: cannot open missing: no such file or directory\n"
                + "error: cannot read folder: is a directory\n")
    }

    @Test func aFileWithoutEndIsRefused() throws {
        let result = try InspectTools().daypass(["inspect", "/dev/zero"])
        #expect(result.status == 1)
        #expect(
            result.stderrText == "error: /dev/zero: over 134217728 bytes, which nothing sensible here is\n")
    }

    @Test func oneUnreadableFileDoesNotHideTheOthers() throws {
        let tools = try InspectTools()
        try tools.makeKey("key")
        let result = try tools.daypass(["inspect", "missing", "key.pub"])
        #expect(result.status == 1)
        #expect(result.stdoutText.hasPrefix("key.pub: public key\n"))
        let reports = try tools.reports(["missing", "key.pub"])
        #expect(reports.map(\.kind) == ["error", "public-key"])
        #expect(reports[0].error == "cannot open missing: no such file or directory")
    }

    @Test func everyPrefixOfACertificateIsRefusedWithoutACrash() throws {
        let tools = try InspectTools()
        try tools.makeCertificate("cert.pub") { _ in }
        let line = try tools.folder.readText("cert.pub").split(separator: " ")
        let blob = try Base64.decode("certificate", line[1])
        var files: [String] = []
        for count in stride(from: 0, to: blob.count, by: 3) {
            let name = "prefix-\(count)"
            try tools.folder.write("\(line[0]) \(Base64.encode(Array(blob[..<count])))\n", to: name)
            files.append(name)
        }
        let result = try tools.daypass(["inspect", "--format", "json"] + files)
        #expect(result.status == 1)
        let reports = try tools.decodeReports(result)
        #expect(
            reports.count == files.count
                && reports.allSatisfy { $0.kind == "error" && $0.error?.isEmpty == false })
    }

    @Test(arguments: [
        (["inspect"], "missing expected argument '<FILE> ...'"),
        (["inspect", "-", "-"], "- (standard input) can be read only once"),
        (["inspect", "--host", "a", "--principal", "b", "x"], "--principal and --host exclude each other"),
        (["inspect", "--address", "192.0.2.1", "x"], "--address goes with --principal"),
        (["inspect", "--principal", "", "x"], "--principal and --host take a name that is not empty"),
        (["inspect", "--bogus", "x"], "unknown option '--bogus'"),
    ])
    func argumentsThatMakeNoSenseAreRefused(_ arguments: [String], _ reason: String) throws {
        let result = try InspectTools().daypass(arguments)
        #expect(result.status == 64)
        #expect(result.stdout.isEmpty)
        #expect(result.stderrText == "error: \(reason)\nhint: daypass inspect --help lists what it takes\n")
    }

    @Test(arguments: [
        (
            ["--at", "tomorrow"],
            "--at \"tomorrow\": a time like 2026-11-21T05:00:00Z, 20261121050000Z, @1795237200, +1h or -5m expected"
        ),
        (
            ["--principal", "a", "--address", "here"],
            "--address: address \"here\": not an IPv4 or IPv6 address"
        ),
    ])
    func valuesThatMakeNoSenseAreRefused(_ arguments: [String], _ reason: String) throws {
        let result = try InspectTools().daypass(["inspect", "x"] + arguments)
        #expect(result.status == 64)
        #expect(result.stderrText == "error: \(reason)\n")
    }

    @Test func aKeyIsShownWithBothFingerprints() throws {
        let tools = try InspectTools()
        try tools.makeKey("key", ["-t", "rsa", "-b", "2048"], comment: "al at work")
        func fingerprint(_ hash: String) throws -> [String] {
            try tools.keygen(["-l", "-E", hash, "-f", "key.pub"]).stdoutText.split(separator: " ").map(
                String.init)
        }
        let report = try #require(try tools.reports(["key.pub"]).first)
        let key = try #require(report.key)
        #expect([String(key.bits), key.fingerprintSha256] == Array(try fingerprint("sha256")[..<2]))
        #expect(key.fingerprintMd5 == (try fingerprint("md5"))[1])
        #expect(key.type == "ssh-rsa" && key.name == "RSA" && !key.hardwareBacked)
        #expect(report.comment == "al at work" && report.line == nil)
        #expect(report.warnings.map(\.code) == ["small-rsa-key"])
        let text = try tools.daypass(["inspect", "key.pub"]).stdoutText
        #expect(
            text == """
                key.pub: public key
                  type        ssh-rsa
                  size        2048 bits
                  SHA256      \(key.fingerprintSha256.dropFirst(7))
                  MD5         \(key.fingerprintMd5.dropFirst(4))
                  comment     al at work
                  warning     key: RSA of 2048 bits, 3072 or more are recommended

                """)
    }

    @Test func aKeyInAnAuthenticatorIsNamedSo() throws {
        let tools = try InspectTools()
        let key = try PublicKey(.skEd25519([UInt8](repeating: 9, count: 32), application: "ssh:work"))
        try tools.folder.write(key.text + "\n", to: "key.pub")
        let report = try #require(try tools.reports(["key.pub"]).first?.key)
        #expect(report.hardwareBacked && report.application == "ssh:work" && report.name == "ED25519-SK")
        let text = try tools.daypass(["inspect", "key.pub"]).stdoutText
        #expect(text.contains("  kept in     a FIDO authenticator, for \"ssh:work\"\n"))
    }

    @Test func everyLineOfAListIsShownWithItsNumber() throws {
        let tools = try InspectTools()
        try tools.makeKey("key", comment: "one")
        let key = try tools.folder.readText("key.pub").split(separator: " ").prefix(2).joined(separator: " ")
        let list = """
            # people
            \(key) one

            from="10.0.0.0/8",no-pty \(key) two
            @cert-authority *.example.com \(key) three
            ssh-ed25519 broken
            al@example.com \(key)
            """
        let result = try tools.daypass(["inspect", "--format", "json", "-"], stdin: Array(list.utf8))
        #expect(result.status == 1)
        #expect(result.stderrText == "error: standard input:6: key: not strict base64\n")
        let reports = try tools.decodeReports(result)
        #expect(reports.map(\.line) == [2, 4, 5, 7, 6])
        #expect(reports.map(\.comment) == ["one", "two", "three", nil, nil])
        #expect(reports.map(\.options) == [nil, "from=\"10.0.0.0/8\",no-pty", nil, nil, nil])
        #expect(reports.map(\.names) == [nil, nil, "@cert-authority *.example.com", "al@example.com", nil])
        let text = try tools.daypass(["inspect", "-"], stdin: Array(list.utf8)).stdoutText
        #expect(text.contains("\nstandard input:4: public key\n"))
        #expect(text.contains("\n  names       @cert-authority *.example.com\n"))
    }
}
