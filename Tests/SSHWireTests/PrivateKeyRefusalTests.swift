// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

/// Files that are no private key, or a damaged one.
@Suite struct PrivateKeyRefusalTests {
    private func refusal(_ file: [UInt8]) throws -> SSHWireError? {
        #expect(throws: SSHWireError.self) { try PrivateKey(fileContents: try secret(file)) }
    }

    private func refusal(_ file: String) throws -> SSHWireError? { try refusal(Array(file.utf8)) }

    @Test(arguments: keygenTypes) func aPublicKeyFileIsRefusedByWhatItIs(type: [String]) throws {
        let folder = try PrivateKeyFolder()
        _ = try folder.keygen(type)
        let error = try refusal(try folder.read("key.pub"))
        #expect(error?.code == .typeMismatch)
        #expect(error?.reason.contains("this is a public key") == true)
    }

    @Test func aCertificateIsRefusedByWhatItIs() throws {
        let folder = try PrivateKeyFolder()
        _ = try folder.keygen(["-t", "ed25519"])
        try run(
            "ssh-keygen", ["-q", "-s", folder.file("key"), "-I", "id", "-n", "me", folder.file("key.pub")]
        ).check()
        let error = try refusal(try folder.read("key-cert.pub"))
        #expect(error?.code == .typeMismatch)
        #expect(error?.reason.contains("this is a certificate") == true)
    }

    @Test(arguments: [["RFC4716"], ["PKCS8"], ["PEM"]])
    func aPublicKeyInAnotherFormatIsRefusedByWhatItIs(format: [String]) throws {
        let folder = try PrivateKeyFolder()
        _ = try folder.keygen(["-t", "rsa", "-b", "2048"])
        let file = try run("ssh-keygen", ["-e", "-f", folder.file("key.pub"), "-m"] + format).check().stdout
        let error = try refusal(file)
        #expect(error?.code == .typeMismatch)
        #expect(error?.reason.contains("public key") == true)
    }

    @Test func anX509CertificateIsRefusedByWhatItIs() throws {
        let folder = try PrivateKeyFolder()
        try run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-keyout",
                folder.file("key"),
                "-out", folder.file("certificate"),
            ]
        ).check()
        #expect(try refusal(try folder.read("certificate"))?.code == .typeMismatch)
        let key = try folder.read("key")
        _ = try PrivateKey(fileContents: try secret(key))
        #expect(try refusal(key + (try folder.read("certificate")))?.code == .trailingBytes)
    }

    @Test(
        arguments: [
            ("", "no line"), ("\n\n", "no line"), ("hello", "no line"),
            ("PuTTY-User-Key-File-3: ssh-ed25519\n", "PuTTY"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "END OPENSSH PRIVATE KEY"),
            ("-----BEGIN SECRET-----\n-----END SECRET-----\n", "SECRET"),
            ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "PKCS#8"),
            ("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", "no line"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n!!!!\n-----END OPENSSH PRIVATE KEY-----\n", "base64"),
        ])
    func otherTextIsRefusedWithWhatIsMissing(text: String, expected: String) throws {
        let error = try refusal(text)
        #expect(error?.reason.contains(expected) == true, "\(error?.reason ?? "")")
    }

    @Test func aFileOverTheLimitIsRefused() throws {
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(["-t", "ed25519"])
        let blanks = [UInt8](repeating: UInt8(ascii: "\n"), count: Limits.privateKeyFileBytes - file.count)
        _ = try PrivateKey(fileContents: try secret(file + blanks))
        #expect(try refusal(file + blanks + [UInt8(ascii: "\n")])?.code == .tooLong)
    }

    /// An authenticator's key file holds only a handle; ssh-keygen can't make one without an authenticator.
    @Test(arguments: [KeyType.skEd25519, .skECDSAP256])
    func anAuthenticatorsKeyFileIsRefusedWithTheWayToUseIt(type: KeyType) throws {
        let material: PublicKey.Material
        if type == .skEd25519 {
            let key = try PrivateKey.generate(.ed25519, comment: "")
            guard case .ed25519(let bytes) = key.publicKey.material else { return }
            material = .skEd25519(bytes, application: "ssh:")
        } else {
            let key = try PrivateKey.generate(.ecdsaP256, comment: "")
            guard case .ecdsa(_, let point) = key.publicKey.material else { return }
            material = .skECDSA(point: point, application: "ssh:")
        }
        let publicKey = try PublicKey(material)
        let file = OpenSSHFile(publicKey: publicKey.encoded) { section in
            section.writeRaw(publicKey.encoded)
            section.write(1 as UInt8)
            section.writeString("handle")
            section.writeString("")
            section.writeString("comment")
        }
        let error = try refusal(file.armoured)
        #expect(error?.code == .unsupportedType)
        #expect(error?.reason.contains("through an ssh-agent") == true)
        #expect(throws: SSHWireError(.unsupportedType, "")) { try PrivateKey.generate(type, comment: "") }
    }

    @Test func aCommentWithAControlCharacterIsRefusedInANewKey() throws {
        #expect(throws: SSHWireError(.notText, "")) { try PrivateKey.generate(.ed25519, comment: "a\nb") }
        _ = try PrivateKey.generate(.ed25519, comment: "a b")
    }

    @Test func anAlgorithmOfAnotherKeyTypeIsRefused() throws {
        let key = try PrivateKey.generate(.ecdsaP256, comment: "")
        #expect(throws: SSHWireError(.typeMismatch, "")) {
            try key.sign([1].span, with: .ecdsaP384)
        }
        #expect(throws: SSHWireError(.typeMismatch, "")) {
            try key.withSigner { signer throws(SSHWireError) in
                var bytes: [UInt8] = []
                try signer.signEd25519([1].span, appendingTo: &bytes)
            }
        }
        _ = try key.sign([1].span, with: .ecdsaP256)
    }
}

/// openssh-key-v1 put together field by field.
struct OpenSSHFile {
    var cipher = "none"
    var kdf = "none"
    var options: [UInt8] = []
    var count: UInt32 = 1
    var publicKey: [UInt8]
    var section: [UInt8]
    var rest: [UInt8] = []

    /// A file whose private section holds two equal check numbers, what `body` writes, and padding.
    init(publicKey: [UInt8], _ body: (inout WireWriter) -> Void) {
        self.publicKey = publicKey
        var writer = WireWriter()
        writer.write(7 as UInt32)
        writer.write(7 as UInt32)
        body(&writer)
        var padding: UInt8 = 1
        while writer.bytes.count % 8 != 0 {
            writer.write(padding)
            padding += 1
        }
        section = writer.bytes
    }

    var encoded: [UInt8] {
        var writer = WireWriter()
        writer.writeRaw(Array("openssh-key-v1\0".utf8))
        writer.writeString(cipher)
        writer.writeString(kdf)
        writer.writeString(options)
        writer.write(count)
        writer.writeString(publicKey)
        writer.writeString(section)
        writer.writeRaw(rest)
        return writer.bytes
    }

    var armoured: [UInt8] { armour(encoded) }
}

/// The bytes between OpenSSH's lines.
func armour(_ bytes: [UInt8]) -> [UInt8] {
    Array(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n\(Base64.encode(bytes))\n-----END OPENSSH PRIVATE KEY-----\n"
            .utf8)
}

/// The bytes between OpenSSH's lines.
func unarmour(_ file: [UInt8]) throws -> [UInt8] {
    let lines = String(decoding: file, as: UTF8.self).split(separator: "\n").dropFirst().dropLast()
    return try Base64.decode("file", lines.joined())
}
