// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

/// ssh-keygen's arguments for each type of key.
let keygenTypes = [
    ["-t", "ed25519"], ["-t", "ecdsa", "-b", "256"], ["-t", "ecdsa", "-b", "384"],
    ["-t", "ecdsa", "-b", "521"], ["-t", "rsa", "-b", "2048"],
]

private let ciphers = [
    "aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-cbc", "aes192-cbc", "aes256-cbc",
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
]

/// OpenSSH's own private key files.
@Suite struct PrivateKeyOpenSSHTests {
    @Test(arguments: keygenTypes)
    func anUnencryptedFileOfSSHKeygenIsReadAndItsKeySigns(type: [String]) throws {
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(type, comment: "kõmment with spaces")
        let key = try PrivateKey(fileContents: try secret(file))
        #expect(key.publicKey == (try folder.publicKey()))
        #expect(key.comment == "kõmment with spaces")
        try key.proveItSigns()
    }

    @Test(arguments: keygenTypes, ciphers)
    func anEncryptedFileOfSSHKeygenIsReadAndItsKeySigns(type: [String], cipher: String) throws {
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(type + ["-Z", cipher, "-a", "1"], passphrase: "correct horse")
        let key = try PrivateKey(fileContents: try secret(file), passphrase: try secret("correct horse"))
        #expect(key.publicKey == (try folder.publicKey()))
        #expect(key.comment == "a comment")
        try key.proveItSigns()
        #expect(throws: SSHWireError(.wrongPassphrase, "")) {
            try PrivateKey(fileContents: try secret(file), passphrase: try secret("correct horsf"))
        }
    }

    /// bcrypt's vectors: whatever ssh-keygen derives, from short, long, repeating and non-ASCII passphrases.
    @Test(
        arguments: [
            "12345", "correct horse battery staple", "a\u{20ac}\u{1f511} z",
            String(repeating: "x", count: 72),
            String(repeating: "long passphrase ", count: 16), " leading and trailing ", "\"'\\$`",
        ], [1, 2, 3, 16, 24])
    func aPassphraseAndRoundsGiveTheKeyThatSSHKeygenDerives(passphrase: String, rounds: Int) throws {
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(["-t", "ed25519", "-a", "\(rounds)"], passphrase: passphrase)
        let key = try PrivateKey(fileContents: try secret(file), passphrase: try secret(passphrase))
        #expect(key.publicKey == (try folder.publicKey()))
    }

    @Test func anEncryptedFileWithoutAPassphraseSaysThatItIsRequired() throws {
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(["-t", "ed25519", "-a", "1"], passphrase: "12345")
        for passphrase in [nil, try secret("")] {
            #expect(throws: SSHWireError(.passphraseRequired, "")) {
                try PrivateKey(fileContents: try secret(file), passphrase: passphrase)
            }
        }
    }

    @Test func aPassphraseForAFileThatIsNotEncryptedIsNotUsed() throws {
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(["-t", "ed25519"])
        let key = try PrivateKey(fileContents: try secret(file), passphrase: try secret("not needed"))
        #expect(key.publicKey == (try folder.publicKey()))
    }
}

/// What is written, and what OpenSSH makes of it.
@Suite struct PrivateKeyWritingTests {
    private static let types: [KeyType] = [.ed25519, .ecdsaP256, .ecdsaP384, .ecdsaP521, .rsa]

    @Test(arguments: types, ["", "correct horse"])
    func aWrittenFileIsReadBackAndBySSHKeygen(type: KeyType, passphrase: String) throws {
        let folder = try PrivateKeyFolder()
        let key = try PrivateKey.generate(type, comment: "made hère", bits: 2_048)
        let written = try key.openSSHFile(passphrase: try secret(passphrase), rounds: 2)
        let back = try PrivateKey(fileContents: written, passphrase: try secret(passphrase))
        #expect(back.publicKey == key.publicKey)
        #expect(back.comment == "made hère")
        try back.proveItSigns()
        let path = try folder.write(exposed(written), to: "written")
        let shown = try run("ssh-keygen", ["-y", "-P", passphrase, "-f", path]).check().stdoutText
        let blob = try #require(shown.split(separator: " ").dropFirst().first)
        #expect(try PublicKey(encoded: try Base64.decode("key", blob.trimmingLine)) == key.publicKey)
    }

    @Test(arguments: types) func sshKeygenSignsWithAWrittenFile(type: KeyType) throws {
        let folder = try PrivateKeyFolder()
        let key = try PrivateKey.generate(type, comment: "", bits: 2_048)
        let path = try folder.write(exposed(try key.openSSHFile(passphrase: nil)), to: "written")
        let message = try folder.write(someMessage, to: "message")
        try run("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", path, message]).check()
        let line = "me \(type.rawValue) \(Base64.encode(key.publicKey.encoded))\n"
        let signers = try folder.write(Array(line.utf8), to: "signers")
        try run(
            "ssh-keygen",
            ["-Y", "verify", "-f", signers, "-I", "me", "-n", "file", "-s", message + ".sig"],
            input: someMessage
        ).check()
    }

    @Test func anUnencryptedFileOfSSHKeygenIsWrittenAgainByteForByteButForItsCheckNumbers() throws {
        let folder = try PrivateKeyFolder()
        for type in keygenTypes {
            let file = try folder.keygen(type)
            let key = try PrivateKey(fileContents: try secret(file))
            let again = exposed(try key.openSSHFile(passphrase: nil))
            // The two check numbers are random: 8 bytes of base64 that may begin and end inside a character.
            #expect(again.count == file.count)
            let differing = zip(again, file).enumerated().filter { $0.element.0 != $0.element.1 }.map(
                \.offset)
            #expect((differing.last ?? 0) - (differing.first ?? 0) <= 12)
        }
    }

    @Test func noRoundsAndTooManyAreRefused() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        #expect(throws: SSHWireError(.invalidValue, "")) {
            try key.openSSHFile(passphrase: try secret("x"), rounds: 0)
        }
        #expect(throws: SSHWireError(.tooLong, "")) {
            try key.openSSHFile(passphrase: try secret("x"), rounds: 1_048_577)
        }
        _ = try key.openSSHFile(passphrase: try secret("x"), rounds: 1)
    }
}

extension Substring {
    /// Without a line end.
    fileprivate var trimmingLine: Substring { last == "\n" ? dropLast() : self }
}
