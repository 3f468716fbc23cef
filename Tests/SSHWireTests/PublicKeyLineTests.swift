// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing
import TestSupport

@Suite struct PublicKeyLineTests {
    @Test(arguments: TextVectors.types)
    func everyKeyOfSSHKeygenIsReadAndWrittenBack(type: [String]) throws {
        try withTemporaryFolder { folder in
            let line = try TextVectors.makeKey("key", in: folder, type: type, comment: "alice@web 1")
            let parsed = try PublicKeyLine(file: try folder.read("key.pub"))
            #expect(parsed.text == line)
            #expect(parsed.comment == "alice@web 1")
            #expect(try PublicKeyLine(parsed.text) == parsed)
            let shown = try TextVectors.keygen(["-lf", folder.path("key.pub")], "ssh-keygen -l").stdoutText
            #expect(shown.contains(try parsed.content.plainKey("key").fingerprint))
        }
    }

    @Test func hardwareKeysComeBackAndSSHKeygenReadsThem() throws {
        for key in try TextVectors.hardwareKeys() {
            let line = try PublicKeyLine(.key(key))
            #expect(try PublicKeyLine(line.text).content == .key(key))
            try withTemporaryFolder { folder in
                let path = try folder.write(line.text + "\n", to: "sk.pub")
                let shown = try TextVectors.keygen(["-lf", path], "ssh-keygen -l").stdoutText
                #expect(shown.contains(key.fingerprint))
            }
        }
    }

    @Test func aCertificateIsToldFromAKey() throws {
        try withTemporaryFolder { folder in
            try TextVectors.makeKey("ca", in: folder)
            try TextVectors.makeKey("user", in: folder)
            let line = try TextVectors.makeCertificate(on: "user", by: "ca", in: folder)
            let parsed = try PublicKeyLine(line)
            #expect(parsed.text == line)
            guard case .certificate(let certificate) = parsed.content else {
                Issue.record("a key came out of a certificate's line")
                return
            }
            #expect(certificate.fields.principals == ["alice"])
            #expect(throws: SSHWireError(.nestedCertificate, "")) { try parsed.content.plainKey("CA key") }
        }
    }

    @Test func attack19_theTypeInFrontMustBeTheTypeInside() throws {
        try withTemporaryFolder { folder in
            let words = try TextVectors.makeKey("key", in: folder).split(separator: " ")
            #expect(throws: Never.self) { try PublicKeyLine("\(words[0]) \(words[1])") }
            for name in [
                "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com", "ssh-ed25519-cert-v01@openssh.com",
            ] {
                #expect(throws: SSHWireError(.typeMismatch, "")) { try PublicKeyLine("\(name) \(words[1])") }
            }
        }
    }

    @Test(arguments: [
        "-----BEGIN OPENSSH PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----", "PuTTY-User-Key-File-3: ssh-ed25519",
    ])
    func aPrivateKeyIsRefusedByNameAndNotQuoted(header: String) {
        let file = Array((header + "\nSECRETsecretSECRET\n").utf8)
        let error = wireError { _ = try PublicKeyLine(file: file) }
        #expect(error?.code == .unsupportedType)
        #expect(error?.reason.contains("private key") == true)
        #expect(error?.reason.contains("SECRET") == false)
        let second = wireError { _ = try PublicKeyLine(header) }
        #expect(second?.reason.contains("private key") == true)
    }

    @Test(arguments: [
        ("-----BEGIN PUBLIC KEY-----", "PEM public key"), ("-----BEGIN CERTIFICATE-----", "X.509"),
        ("---- BEGIN SSH2 PUBLIC KEY ----", "RFC 4716"), ("SSHKRL\n\0", "revocation list"),
    ])
    func otherFormatsAreRefusedByName(content: String, word: String) {
        let file = Array(content.utf8)
        let error = wireError { _ = try PublicKeyLine(file: file) }
        #expect(error?.reason.contains(word) == true)
    }

    @Test func theBodyOfAPrivateKeyIsNotQuoted() throws {
        try withTemporaryFolder { folder in
            try TextVectors.makeKey("key", in: folder)
            for line in try folder.readText("key").split(separator: "\n").dropFirst().dropLast() {
                let error = wireError { _ = try PublicKeyLine(String(line)) }
                #expect(error?.code == .unsupportedType)
                #expect(error?.reason.contains(line.prefix(8)) == false)
            }
        }
    }

    @Test func dsaIsRefusedByName() {
        let error = wireError { _ = try PublicKeyLine("ssh-dss AAAAB3NzaC1kc3MAAACBAP9 old") }
        #expect(error?.code == .unsupportedType)
        #expect(error?.reason.contains("DSA") == true)
    }

    @Test func aFileHoldsOneKeyAmongCommentsAndBlankLines() throws {
        let key = try PublicKey(.ed25519([UInt8](repeating: 3, count: 32)))
        for file in [
            "\(key.text)", "\(key.text)\n", "\(key.text)\r\n", "# about it\n\n  \(key.text) \t\n \n",
        ] {
            #expect(try PublicKeyLine(file: Array(file.utf8)).content == .key(key))
        }
        for (file, code) in [
            ("", SSHWireError.Code.truncated), ("# nothing\n", .truncated),
            ("\(key.text)\n\(key.text)\n", .trailingBytes), ("\(key.text) a\rb\n", .notText),
            ("ssh-ed25519\n", .truncated), ("ssh-ed25519 AAAA=\n", .notCanonical),
        ] {
            let error = wireError { _ = try PublicKeyLine(file: Array(file.utf8)) }
            #expect(error?.code == code, "\(file)")
        }
    }

    @Test(arguments: ["two\nlines", "a\rb", "nul\0", "esc\u{1b}[2J", " before", "behind\t"])
    func aCommentThatWouldNotComeBackIsRefused(comment: String) throws {
        let key = KeyOrCertificate.key(try PublicKey(.ed25519([UInt8](repeating: 3, count: 32))))
        #expect(throws: SSHWireError.self) { try PublicKeyLine(key, comment: ExactText(comment)) }
        #expect(throws: Never.self) { try PublicKeyLine(key, comment: "tab\tand é are fine # too") }
    }

    @Test func aLineOverItsLimitIsRefused() throws {
        let key = try PublicKey(.ed25519([UInt8](repeating: 3, count: 32)))
        let blanks = String(repeating: " ", count: Limits.textLineBytes - key.text.utf8.count)
        #expect(try PublicKeyLine(key.text + blanks).content == .key(key))
        #expect(throws: SSHWireError(.tooLong, "")) { try PublicKeyLine(key.text + blanks + " ") }
    }

    @Test func everyPrefixIsRefusedOrIsTheKeyWithLessComment() throws {
        let key = try PublicKey(.ed25519([UInt8](repeating: 3, count: 32)))
        let line = try PublicKeyLine(.key(key), comment: "alice@web")
        for prefix in TextVectors.prefixes(of: Array(line.text.utf8)) {
            guard let text = TextVectors.text(prefix), let parsed = try? PublicKeyLine(text) else { continue }
            #expect(parsed.content == .key(key) && parsed != line)
        }
    }

    @Test func everyChangedByteIsRefusedOrGivesAnotherLine() throws {
        let line = try PublicKeyLine(
            .key(try PublicKey(.ed25519([UInt8](repeating: 3, count: 32)))), comment: "alice@web")
        for changed in TextVectors.changes(of: Array(line.text.utf8)) {
            guard let text = TextVectors.text(changed), let parsed = try? PublicKeyLine(text) else {
                continue
            }
            // A tab for a space separates as well.
            #expect(parsed != line || text.contains("\t"))
            #expect(try PublicKeyLine(parsed.text) == parsed)
        }
    }
}
