// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

@Suite("daypass issue: files")
struct CLIIssueFileTests {
    private let tools: CLITools
    private let before: [LoggedEntry]

    init() throws {
        tools = try CLITools.withCA()
        before = try tools.log()
    }

    @Test func aCertificateInsteadOfAKeyIsRefused() throws {
        try tools.issue().orThrow("issue")
        let logged = try tools.log()
        expectFailure(
            try tools.issue(key: "id-cert.pub"), 64,
            "id-cert.pub: a certificate, a plain public key is needed")
        #expect(try tools.log() == logged)
        #expect(!tools.folder.contains("id-cert-cert.pub"))
    }

    @Test(arguments: [
        ["-t", "ed25519"], ["-t", "rsa", "-b", "2048", "-m", "PEM"], ["-t", "ecdsa", "-m", "PKCS8"],
    ])
    func aPrivateKeyIsRefusedAndNothingOfItShown(_ options: [String]) throws {
        try tools.makeKey("secret", options)
        let result = try tools.issue(key: "secret")
        #expect(result.status == 1 && result.stdout.isEmpty, "\(result)")
        #expect(result.stderrText.hasPrefix("error: secret: public key: this is a private key"), "\(result)")
        #expect(result.stderrText.hasSuffix(")\n") && result.stderrText.count < 160, "\(result)")
        let lines = try tools.folder.readText("secret").split(separator: "\n").filter { !$0.hasPrefix("-") }
        #expect(!lines.contains { result.stderrText.contains($0) })
        #expect(try tools.log() == before)
    }

    @Test func otherKeysAreRefusedByName() throws {
        try tools.folder.write("ssh-dss AAAAB3NzaC1kc3M= x\n", to: "dsa.pub")
        try tools.folder.write("ssh-foo AAAAB3NzaC1mb28= x\n", to: "foo.pub")
        try tools.makeKey("small", ["-t", "rsa", "-b", "1024"])
        expectFailure(
            try tools.issue(key: "dsa.pub"), 1,
            "dsa.pub: key type ssh-dss: DSA is not secure and is not supported")
        expectFailure(
            try tools.issue(key: "foo.pub"), 1,
            "foo.pub: key type: \"ssh-foo\" is not a key type that is supported")
        let small = try tools.issue(key: "small.pub")
        #expect(small.status == 1 && small.stderrText.contains("1024"), "\(small)")
        expectFailure(
            try tools.issue(key: "nowhere.pub"), 1, "cannot open nowhere.pub: no such file or directory")
        expectFailure(try tools.issue(key: "."), 1, "cannot read .: is a directory")
        #expect(try tools.log() == before)
    }

    /// The program is asked about some of them, the parser that it uses about all.
    @Test(arguments: [["-t", "ed25519"], ["-t", "ecdsa"], ["-t", "rsa", "-b", "2048"]])
    func aKeyThatEndsEarlyIsRefused(_ options: [String]) throws {
        try tools.makeKey("whole", options)
        let whole = try tools.folder.read("whole.pub")
        let words = String(decoding: whole, as: UTF8.self).split(separator: " ")
        let data = words.prefix(2).joined(separator: " ").utf8.count
        let key = try PublicKeyLine(file: whole).content
        for length in 0..<data {
            let parsed = try? PublicKeyLine(file: Array(whole.prefix(length)))
            #expect(parsed == nil, "\(length) of \(data) bytes")
        }
        // Behind the key only a comment is lost.
        for length in data...whole.count {
            #expect(try PublicKeyLine(file: Array(whole.prefix(length))).content == key)
        }
        for length in [0, 1, 11, 12, data / 2, data - 1] {
            try tools.folder.write(Array(whole.prefix(length)), to: "short.pub")
            let result = try tools.issue(key: "short.pub")
            #expect(result.status == 1 && result.stdout.isEmpty, "\(length): \(result)")
            #expect(result.stderrText.hasPrefix("error: short.pub: "), "\(result)")
        }
        #expect(try tools.log() == before)
        #expect(!tools.folder.contains("short-cert.pub"))
        #expect(try tools.issue(key: "whole.pub").status == 0)
    }

    @Test func nothingIsRecordedWhenOneKeyOfManyIsBad() throws {
        try tools.makeKey("two")
        try tools.folder.write("ssh-ed25519 AAAA x\n", to: "bad.pub")
        let result = try tools.daypass([
            "issue", "user", "--identity", "al", "--principal", "deploy", "--key", "id.pub", "two.pub",
            "bad.pub",
        ])
        #expect(result.status == 1 && result.stdout.isEmpty, "\(result)")
        #expect(try tools.log() == before)
        #expect(!tools.folder.contains("id-cert.pub") && !tools.folder.contains("two-cert.pub"))
    }

    @Test func twoKeysAndOneFileAreRefused() throws {
        try tools.makeKey("two")
        let command = ["issue", "user", "--identity", "al", "--principal", "deploy", "--key"]
        expectFailure(
            try tools.daypass(command + ["id.pub", "two.pub", "-o", "cert"]), 64,
            "-o takes the certificate of one key, 2 are given",
            hint: "daypass issue user --help lists what it takes")
        for pair in [["id.pub", "id.pub"], ["id.pub", "id"]] {
            if pair[1] == "id" { try tools.folder.write(try tools.folder.read("id.pub"), to: "id") }
            expectFailure(
                try tools.daypass(command + pair), 64, "id-cert.pub: two certificates would go there")
        }
        #expect(try tools.log() == before)
        #expect(!tools.folder.contains("cert") && !tools.folder.contains("id-cert.pub"))
    }

    /// `-o id` would else take somebody's private key.
    @Test(arguments: ["id", "id.pub", ".daypass/user_ca", ".daypass/config.yaml"])
    func whatIsNoCertificateIsNotReplaced(_ target: String) throws {
        let content = try tools.folder.read(target)
        expectFailure(
            try tools.issue(["-o", target]), 1, "\(target): there is something else than a certificate",
            hint: "remove it, or write the certificate to another file with -o")
        #expect(try tools.folder.read(target) == content)
        #expect(try tools.log() == before)
    }

    /// Root would else put a plain file in the place of /dev/null.
    @Test func aDeviceOrFolderIsNotReplaced() throws {
        try tools.run("mkfifo", ["pipe"])
        try FileManager.default.createSymbolicLink(
            atPath: tools.folder.path("link"), withDestinationPath: "pipe")
        for target in ["pipe", "link", "."] {
            expectFailure(try tools.issue(["-o", target]), 1, "\(target): not a regular file")
            expectFailure(
                try tools.daypass(["krl", "build", "-o", target]), 1, "\(target): not a regular file")
        }
        #expect(try tools.log() == before)
        #expect(try tools.names() == [".daypass", "id", "id.pub", "pipe", "link"])
    }

    /// The record stays, as a record without a certificate does no harm, and no half file.
    @Test func aFileThatCannotBeWrittenIsAnError() throws {
        expectFailure(
            try tools.issue(["-o", "no/where"]), 1,
            "cannot create a file beside no/where: no such file or directory")
        #expect(try tools.log().dropFirst(before.count).map(\.event) == ["issued"])
        #expect(try tools.names() == [".daypass", "id", "id.pub"])
        let published = try tools.folder.readText(".daypass/checkpoint").split(separator: "\n")[1]
        #expect(published == "4")
    }
}

extension CLITools {
    /// A line with a public key that was never seen before; faster than ssh-keygen where many are needed.
    func freshPublicKey() throws -> String {
        let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
        return try PublicKeyLine(.key(key)).text + "\n"
    }
}
