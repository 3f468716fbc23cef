// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

private let message = Array("a message\n".utf8)
/// 2026-06-01T00:00:00Z.
private let june = UnixTime(seconds: 1_780_272_000)

private func someKey(_ byte: UInt8 = 1) throws -> PublicKey {
    try PublicKey(.ed25519([UInt8](repeating: byte, count: 32)))
}

private func ask(_ principal: ExactText, _ namespace: ExactText = "file") -> AllowedSigners.Question {
    AllowedSigners.Question(principal: principal, namespace: namespace, time: june)
}

@Suite struct AllowedSignersTests {
    @Test(arguments: [
        ("alice", "alice"), ("alice@example.com,*@b.example", "alice@example.com,*@b.example"),
        ("\"Alice A,bob\"", "\"Alice A,bob\""), ("\"alice\"", "alice"),
        ("* CERT-AUTHORITY", "* cert-authority"),
        ("a namespaces=\"file,git*\"", "a namespaces=\"file,git*\""),
        (
            "a valid-before=\"20300101\",valid-after=\"202001010000Z\"",
            "a valid-after=\"202001010000Z\",valid-before=\"20300101\""
        ),
        ("a cert-authority,Namespaces=\"x y\"", "a cert-authority,namespaces=\"x y\""),
    ])
    func aLineComesBack(text: String, written: String) throws {
        let key = try someKey().text
        let parsed = try AllowedSigner(line: "  \(text) \(key) note")
        #expect(parsed.line == "\(written) \(key) note")
        #expect(try AllowedSigner(line: parsed.line) == parsed)
    }

    @Test(arguments: [
        "", "a,,b", "a restrict", "a namespaces=\"x\",namespaces=\"y\"", "a cert-authority,cert-authority",
        "a namespaces=x", "a namespaces", "a namespaces=\"\"", "a valid-after=\"20261301\"",
        "a valid-after=\"19700101Z\"", "a valid-after=\"20270101Z\",valid-before=\"20260101Z\"",
        "a valid-after=\"20270101\",valid-before=\"20270101\"", "a future=\"1\"", "\"a", "a\"b\"", "\"a\"b",
        "a cert-authority=\"1\"", "a namespaces=\"x\\\"",
    ])
    func aLineThatSSHKeygenRefusesIsRefused(text: String) throws {
        let key = try someKey().text
        #expect(throws: SSHWireError.self) { try AllowedSigner(line: "\(text) \(key)") }
    }

    /// Lines, who is asked for and for what, and whether it is allowed; KEY is the signer's.
    private static let verdicts: [(String, String, String, Bool)] = [
        ("alice KEY", "alice", "file", true), ("alice KEY", "bob", "file", false),
        ("alice KEY", "Alice", "file", false), ("*@example.com KEY", "alice@example.com", "file", true),
        ("*@example.com,!bob@* KEY", "bob@example.com", "file", false),
        ("\"Alice A\" KEY", "Alice A", "file", true),
        ("alice namespaces=\"git,fi*\" KEY", "alice", "file", true),
        ("alice namespaces=\"git\" KEY", "alice", "file", false),
        ("alice namespaces=\"*,!file\" KEY", "alice", "file", false),
        ("alice valid-after=\"20260101Z\" KEY", "alice", "file", true),
        ("alice valid-after=\"20260601Z\" KEY", "alice", "file", true),
        ("alice valid-after=\"20260601000001Z\" KEY", "alice", "file", false),
        ("alice valid-before=\"20260601Z\" KEY", "alice", "file", true),
        ("alice valid-before=\"20260531235959Z\" KEY", "alice", "file", false),
        ("alice cert-authority KEY", "alice", "file", false), ("alice OTHER", "alice", "file", false),
        ("alice namespaces=\"git\" KEY\nalice KEY", "alice", "file", true),
        ("nonsense\n# alice KEY\n\nalice KEY", "alice", "file", true),
    ]

    @Test(arguments: Self.verdicts)
    func aVerdictIsSSHKeygens(file: String, principal: String, namespace: String, isAllowed: Bool) throws {
        try withTemporaryFolder { folder in
            let line = try TextVectors.makeKey("key", in: folder, comment: "")
            let key = try PublicKeyLine(line).content
            let text = file.replacing("KEY", with: try key.plainKey("key").text)
                .replacing("OTHER", with: try someKey().text)
            let sign = ["-Y", "sign", "-q", "-n", namespace, "-f", folder.path("key")]
            let armoured = try TextVectors.keygen(sign, "ssh-keygen -Y sign", stdin: message).stdout
            let signature = try SSHSignature(armoured: armoured)
            let signers = try AllowedSigners(Array(text.utf8))
            let verdict = signers.judge(
                signature, over: message, ask(ExactText(principal), ExactText(namespace)))
            if case .allowed(let number, _) = verdict {
                #expect(
                    isAllowed && number == text.split(separator: "\n", omittingEmptySubsequences: false).count
                )
            } else {
                #expect(!isAllowed)
            }
            let verify = [
                "-Y", "verify", "-n", namespace, "-I", principal, "-O", "verify-time=20260601000000Z", "-f",
                try folder.write(text + "\n", to: "allowed"), "-s", try folder.write(armoured, to: "sig"),
            ]
            #expect(try Tool.run("ssh-keygen", verify, stdin: message).succeeded == isAllowed)
        }
    }

    @Test func aRefusalSaysWhichLineAndWhy() throws {
        let key = try someKey()
        let signers = try AllowedSigners(
            Array("bob \(key.text)\nalice namespaces=\"git\" \(key.text)\n".utf8))
        guard case .refused(let refusals) = signers.judge(.key(key), ask("alice")) else {
            Issue.record("allowed")
            return
        }
        #expect(refusals.map(\.line) == [1, 2])
        #expect(refusals.map { $0.reason.contains("git") } == [false, true])
        #expect(signers.judge(.key(try someKey(2)), ask("alice")) == .refused([]))
        #expect(AllowedSigners().judge(.key(key), ask("alice")) == .refused([]))
    }

    @Test func aTimeWithoutZNeedsAZone() throws {
        let key = try someKey()
        let signers = try AllowedSigners(Array("alice valid-after=\"202606010100\" \(key.text)\n".utf8))
        var question = ask("alice")
        if case .allowed = signers.judge(.key(key), question) { Issue.record("allowed without a zone") }
        question.zoneOffset = 0
        if case .allowed = signers.judge(.key(key), question) { Issue.record("allowed an hour early") }
        question.zoneOffset = 3_600
        #expect(signers.judge(.key(key), question) == .allowed(line: 1, presence: .touch))
    }

    @Test func aSignatureThatDoesNotVerifyIsRefused() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        let signature = try SSHSignature.sign(message, namespace: "file", signer: .key(key.publicKey)) {
            (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm)
        }
        let signers = try AllowedSigners(Array("alice \(key.publicKey.text)\n".utf8))
        #expect(signers.judge(signature, over: message, ask("alice")) == .allowed(line: 1, presence: .touch))
        for (text, namespace): ([UInt8], ExactText) in [(message + [1], "file"), (message, "git")] {
            let verdict = signers.judge(signature, over: text, ask("alice", namespace))
            guard case .refused(let refusals) = verdict else {
                Issue.record("allowed")
                continue
            }
            #expect(refusals.map(\.line) == [1])
        }
    }

    @Test func aCertificateIsJudgedByItsAuthoritysLine() throws {
        try withTemporaryFolder { folder in
            let ca = try TextVectors.makeKey("ca", in: folder, type: ["ecdsa"], comment: "")
            try TextVectors.makeKey("user", in: folder)
            try TextVectors.makeCertificate(
                on: "user", by: "ca", in: folder, principals: "alice@example.com,bob@example.com,carol@other")
            let armoured = try TextVectors.keygen(
                ["-Y", "sign", "-q", "-n", "file", "-f", folder.path("user-cert.pub")], "ssh-keygen -Y sign",
                stdin: message
            ).stdout
            let signature = try SSHSignature(armoured: armoured)
            let allowed = try folder.write("*@example.com cert-authority \(ca)\n", to: "allowed")
            let signers = try AllowedSigners(try folder.read("allowed"))
            let path = try folder.write(armoured, to: "sig")
            for (name, isAllowed) in [
                ("alice@example.com", true), ("bob@example.com", true), ("dave@example.com", false),
                ("carol@other", false),
            ] {
                let verdict = signers.judge(signature, over: message, ask(ExactText(name)))
                if case .allowed = verdict { #expect(isAllowed) } else { #expect(!isAllowed) }
                let verified = try Tool.run(
                    "ssh-keygen", ["-Y", "verify", "-n", "file", "-I", name, "-f", allowed, "-s", path],
                    stdin: message)
                #expect(verified.succeeded == isAllowed)
            }
            let names = signers.principals(of: signature.signer, at: june)
            #expect(names == ["alice@example.com", "bob@example.com"])
            let found = try TextVectors.keygen(
                ["-Y", "find-principals", "-f", allowed, "-s", path], "find-principals", stdin: message)
            #expect(found.stdoutText == "alice@example.com\nbob@example.com\n")
            var late = ask("alice@example.com")
            late.time = UnixTime(seconds: 4_200_000_000)
            if case .allowed = signers.judge(signature.signer, late) { Issue.record("allowed after its end") }
            // Without cert-authority the line is for the CA's own signatures, and with it for none of them.
            let plain = try AllowedSigners(Array("* \(ca)\n".utf8))
            #expect(plain.judge(signature.signer, ask("alice@example.com")) == .refused([]))
        }
    }

    @Test func aHostCertificateSignsForNobody() throws {
        try withTemporaryFolder { folder in
            let ca = try TextVectors.makeKey("ca", in: folder, comment: "")
            try TextVectors.makeKey("host", in: folder)
            let line = try TextVectors.makeCertificate(on: "host", by: "ca", in: folder, options: ["-h"])
            let signers = try AllowedSigners(Array("* cert-authority \(ca)\n".utf8))
            let signer = try PublicKeyLine(line).content
            if case .allowed = signers.judge(signer, ask("alice")) { Issue.record("allowed") }
            #expect(signers.principals(of: signer, at: june) == [])
        }
    }

    @Test func thePrincipalsOfAKeyAreItsFirstValidLines() throws {
        let key = try someKey()
        let signers = try AllowedSigners(
            Array(
                "old valid-before=\"20200101Z\" \(key.text)\nlocal valid-after=\"20200101\" \(key.text)\na,b* \(key.text)\n"
                    .utf8))
        #expect(signers.principals(of: .key(key), at: june) == ["a", "b*"])
        #expect(signers.principals(of: .key(key), at: june, zoneOffset: 0) == ["local"])
        #expect(signers.principals(of: .key(try someKey(2)), at: june) == [])
    }

    @Test func attack16_aCertificateIsNoLinesKey() throws {
        try withTemporaryFolder { folder in
            try TextVectors.makeKey("ca", in: folder)
            try TextVectors.makeKey("user", in: folder)
            let line = try TextVectors.makeCertificate(on: "user", by: "ca", in: folder)
            #expect(throws: SSHWireError(.nestedCertificate, "")) {
                try AllowedSigner(line: "alice cert-authority \(line)")
            }
        }
    }

    @Test func aFileComesBackByteForByte() throws {
        let key = try someKey().text
        let text = "# signers\n\n  alice\t\(key)  two words\r\nbad line\n\"b c\" namespaces=\"x\"  \(key)"
        let signers = try AllowedSigners(Array(text.utf8))
        #expect(signers.file.bytes == Array(text.utf8))
        #expect(signers.file.entries.map(\.number) == [3, 5])
        #expect(signers.file.problems.map(\.number) == [4])
    }

    @Test func everyPrefixAndChangedByteIsRefusedOrComesBack() throws {
        let line =
            "\"a b\",!c cert-authority,namespaces=\"f,!g\",valid-after=\"20260101Z\" \(try someKey().text) c"
            .replacing("\"a b\",!c", with: "\"a b,!c\"")
        let original = try AllowedSigner(line: line)
        for bytes in TextVectors.prefixes(of: Array(line.utf8)) + TextVectors.changes(of: Array(line.utf8)) {
            guard let text = TextVectors.text(bytes), let parsed = try? AllowedSigner(line: text) else {
                continue
            }
            #expect(try AllowedSigner(line: parsed.line) == parsed)
            if parsed == original { #expect(text.contains("\t") || text.contains("z")) }
        }
    }
}
