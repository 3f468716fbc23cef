// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

/// Truncated, changed and contradictory files: refused, or another key, and never the end of the process.
@Suite struct PrivateKeyDamageTests {
    private func pem(_ folder: PrivateKeyFolder, _ form: [String]) throws -> (label: String, der: [UInt8]) {
        try run("openssl", form + ["-out", folder.file("pem")]).check()
        let text = try folder.readText("pem").split(separator: "\n")
        let label = text[0].dropFirst(11).dropLast(5)
        return (String(label), try Base64.decode("file", text.dropFirst().dropLast().joined()))
    }

    private func refusal(_ file: [UInt8], passphrase: String = "") throws -> SSHWireError? {
        #expect(throws: SSHWireError.self) {
            try PrivateKey(fileContents: try secret(file), passphrase: try secret(passphrase))
        }
    }

    @Test func everyPrefixOfAFileIsRefused() throws {
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(["-t", "ed25519"])
        // Without its last line end it is whole.
        for count in 0..<(file.count - 1) { _ = try refusal(Array(file.prefix(count))) }
        _ = try PrivateKey(fileContents: try secret(Array(file.dropLast())))
    }

    @Test(arguments: keygenTypes) func everyPrefixOfWhatAFileHoldsIsRefused(type: [String]) throws {
        let folder = try PrivateKeyFolder()
        let blob = try unarmour(try folder.keygen(type))
        for count in 0..<blob.count { _ = try refusal(armour(Array(blob.prefix(count)))) }
        #expect(try refusal(armour(blob + [0]))?.code == .trailingBytes)
        _ = try PrivateKey(fileContents: try secret(armour(blob)))
    }

    /// The check numbers, the public half given two or three times, the padding and the arithmetic leave nothing that
    /// could change unseen except the comment.
    @Test(arguments: keygenTypes) func everyChangedByteIsRefusedOrChangesTheComment(type: [String]) throws {
        let folder = try PrivateKeyFolder()
        let blob = try unarmour(try folder.keygen(type))
        var changedComments = 0
        for index in blob.indices {
            for change in type[1] == "ed25519" ? [0x01, 0x20, 0x80, 0xff] as [UInt8] : [0x01] {
                var damaged = blob
                damaged[index] ^= change
                guard let key = try? PrivateKey(fileContents: try secret(armour(damaged))) else { continue }
                #expect(key.comment != "a comment", "byte \(index)")
                changedComments += 1
            }
        }
        #expect(changedComments >= "a comment".utf8.count)
    }

    @Test func everyChangedByteOfTheTextIsRefusedOrOnlyALineEnd() throws {
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(["-t", "ed25519"])
        for index in file.indices {
            for change in [0x01, 0x02, 0x20, 0x80, 0xff] as [UInt8] {
                var damaged = file
                damaged[index] ^= change
                guard let key = try? PrivateKey(fileContents: try secret(damaged)) else { continue }
                #expect(key.comment != "a comment" || file[index] == UInt8(ascii: "\n"), "byte \(index)")
            }
        }
    }

    @Test(
        arguments: [
            ["genpkey", "-algorithm", "ed25519"],
            ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            ["ecparam", "-name", "secp384r1", "-genkey", "-noout"],
            ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        ])
    func everyChangedByteAndPrefixOfAPEMKeyIsRefused(form: [String]) throws {
        let folder = try PrivateKeyFolder()
        let (label, der) = try pem(folder, form)
        func file(_ der: [UInt8]) -> [UInt8] {
            Array("-----BEGIN \(label)-----\n\(Base64.encode(der))\n-----END \(label)-----\n".utf8)
        }
        let key = try PrivateKey(fileContents: try secret(file(der)))
        for count in 0..<der.count { _ = try refusal(file(Array(der.prefix(count)))) }
        for index in der.indices {
            for change in [0x01, 0x80] as [UInt8] {
                var damaged = der
                damaged[index] ^= change
                // An Ed25519 seed is a key whatever its bytes are, and has no public half beside it here.
                guard let other = try? PrivateKey(fileContents: try secret(file(damaged))) else { continue }
                #expect(other.publicKey != key.publicKey, "byte \(index)")
            }
        }
    }

    @Test(arguments: ["aes256-ctr", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"])
    func aChangedByteOfAnEncryptedFileIsRefusedOrChangesTheComment(cipher: String) throws {
        let folder = try PrivateKeyFolder()
        let blob = try unarmour(
            try folder.keygen(["-t", "ed25519", "-a", "1", "-Z", cipher], passphrase: "abcde"))
        // The rounds: a change there costs time, not trust. They follow magic, cipher, kdf, two lengths and the salt.
        let rounds = 15 + 4 + cipher.utf8.count + 4 + 6 + 4 + 4 + 16
        for index in blob.indices where !(rounds..<(rounds + 4)).contains(index) {
            var damaged = blob
            damaged[index] ^= 0x01
            let key = try? PrivateKey(
                fileContents: try secret(armour(damaged)), passphrase: try secret("abcde"))
            #expect(key == nil || (cipher == "aes256-ctr" && key?.comment != "a comment"), "byte \(index)")
        }
    }

    @Test func contradictionsAreRefusedByName() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        let other = try PrivateKey.generate(.ed25519, comment: "")
        let blob = try unarmour(exposed(try key.openSSHFile(passphrase: nil)))
        let seed = Array(blob[(blob.count - 5 - 4 - 64)...].prefix(32))
        guard case .ed25519(let half) = key.publicKey.material,
            case .ed25519(let otherHalf) = other.publicKey.material
        else { return }
        func file(_ outer: PublicKey, _ inner: [UInt8], _ secret: [UInt8]) -> OpenSSHFile {
            OpenSSHFile(publicKey: outer.encoded) { section in
                section.writeString("ssh-ed25519")
                section.writeString(inner)
                section.writeString(secret)
                section.writeString("comment")
            }
        }
        let good = file(key.publicKey, half, seed + half)
        _ = try PrivateKey(fileContents: try secret(good.armoured))
        #expect(try refusal(file(other.publicKey, half, seed + half).armoured)?.code == .invalidKey)
        #expect(try refusal(file(key.publicKey, otherHalf, seed + half).armoured)?.code == .invalidKey)
        #expect(try refusal(file(key.publicKey, half, seed + otherHalf).armoured)?.code == .invalidKey)
        #expect(try refusal(file(other.publicKey, otherHalf, seed + otherHalf).armoured)?.code == .invalidKey)

        var two = good
        two.count = 2
        #expect(try refusal(two.armoured)?.reason.contains("2 keys") == true)
        var halfEncrypted = good
        halfEncrypted.cipher = "aes256-ctr"
        #expect(try refusal(halfEncrypted.armoured)?.code == .invalidValue)
        var unknown = good
        unknown.cipher = "3des-cbc"
        unknown.kdf = "bcrypt"
        unknown.options = [0, 0, 0, 1, 7, 0, 0, 0, 1]
        #expect(try refusal(unknown.armoured, passphrase: "x")?.reason.contains("3des-cbc") == true)
        unknown.kdf = "argon2"
        #expect(try refusal(unknown.armoured)?.reason.contains("argon2") == true)
        var long = good
        long.section += [UInt8](repeating: 0, count: 8)
        #expect(try refusal(long.armoured)?.code == .notCanonical)
        var tagged = good
        tagged.rest = [UInt8](repeating: 0, count: 16)
        #expect(try refusal(tagged.armoured)?.code == .trailingBytes)
    }

    @Test(arguments: [0x0010_0001, 0xffff_ffff] as [UInt32])
    func tooManyRoundsAreRefusedBeforeTheyAreDone(rounds: UInt32) throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        var file = OpenSSHFile(publicKey: key.publicKey.encoded) { _ in }
        file.section = [UInt8](repeating: 0, count: 160)
        file.cipher = "aes256-ctr"
        file.kdf = "bcrypt"
        file.options = [0, 0, 0, 1, 7] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: rounds >> $0) }
        #expect(try refusal(file.armoured, passphrase: "x")?.code == .tooLong)
        file.options = [0, 0, 0, 1, 7, 0, 0, 0, 1]
        #expect(try refusal(file.armoured, passphrase: "x")?.code == .wrongPassphrase)
    }

    @Test func attack16_aCertificateInAPrivateKeyFileIsRefused() throws {
        let folder = try PrivateKeyFolder()
        _ = try folder.keygen(["-t", "ed25519"])
        try run(
            "ssh-keygen", ["-q", "-s", folder.file("key"), "-I", "id", "-n", "me", folder.file("key.pub")]
        ).check()
        let fields = try folder.readText("key-cert.pub").split(separator: " ")
        let certificate = try Base64.decode("certificate", fields[1])
        let file = OpenSSHFile(publicKey: certificate) { $0.writeString("ssh-ed25519-cert-v01@openssh.com") }
        #expect(try refusal(file.armoured)?.code == .nestedCertificate)
        let plain = try folder.publicKey().encoded
        let inner = OpenSSHFile(publicKey: plain) { $0.writeString("ssh-ed25519-cert-v01@openssh.com") }
        #expect(try refusal(inner.armoured)?.code == .nestedCertificate)
    }

    @Test func attack19_aPrivateKeyOfAnotherTypeOrCurveThanDeclaredIsRefused() throws {
        let key = try PrivateKey.generate(.ecdsaP256, comment: "")
        guard case .ecdsa(_, let point) = key.publicKey.material else { return }
        for (type, curve) in [
            ("ecdsa-sha2-nistp384", "nistp384"), ("ecdsa-sha2-nistp256", "nistp384"),
            ("ssh-ed25519", "nistp256"),
        ] {
            let file = OpenSSHFile(publicKey: key.publicKey.encoded) { section in
                section.writeString(type)
                section.writeString(curve)
                section.writeString(point)
                section.writeString([1] + [UInt8](repeating: 0, count: 31))
                section.writeString("comment")
            }
            #expect(try refusal(file.armoured)?.code == .typeMismatch, "\(type) \(curve)")
        }
    }

    @Test(arguments: keygenTypes) func attack30_aLengthThatIsNotThereIsRefused(type: [String]) throws {
        let folder = try PrivateKeyFolder()
        let blob = try unarmour(try folder.keygen(type))
        for start in 0...(blob.count - 4) {
            var damaged = blob
            damaged.replaceSubrange(start..<(start + 4), with: [0xff, 0xff, 0xff, 0xff])
            let key = try? PrivateKey(fileContents: try secret(armour(damaged)))
            #expect(key == nil || key?.comment != "a comment")
        }
    }
}
