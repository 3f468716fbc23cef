// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

/// What openssl(1) and `ssh-keygen -m` write.
@Suite struct PrivateKeyPEMTests {
    /// openssl's arguments for each type of key.
    private static let types: [String: [String]] = [
        "ed25519": ["-algorithm", "ed25519"],
        "P-256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "P-384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "P-521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
        "RSA": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    ]

    /// ssh-keygen's reading of the public half; it does not know PKCS#8 Ed25519 keys, openssl's own DER does then.
    private func publicKey(_ folder: PrivateKeyFolder, _ name: String) throws -> PublicKey {
        let der = try run("openssl", ["pkey", "-in", folder.file(name), "-pubout", "-outform", "DER"]).check()
        if der.stdout.count == 44 { return try PublicKey(.ed25519(Array(der.stdout.suffix(32)))) }
        let line = try run("ssh-keygen", ["-y", "-P", "", "-f", folder.file(name)]).check().stdoutText
        let blob = try #require(line.split(whereSeparator: { $0 == " " || $0 == "\n" }).dropFirst().first)
        return try PublicKey(encoded: try Base64.decode("key", blob))
    }

    private func generate(_ folder: PrivateKeyFolder, _ type: String, to name: String = "plain") throws {
        let arguments = try #require(Self.types[type])
        try run("openssl", ["genpkey"] + arguments + ["-out", folder.file(name)]).check()
        try run("chmod", ["600", folder.file(name)]).check()
    }

    @Test(arguments: Array(types.keys)) func aPKCS8KeyIsReadAndSigns(type: String) throws {
        let folder = try PrivateKeyFolder()
        try generate(folder, type)
        let key = try PrivateKey(fileContents: try secret(try folder.read("plain")))
        #expect(key.publicKey == (try publicKey(folder, "plain")))
        #expect(key.comment.isEmpty)
        try key.proveItSigns()
    }

    @Test(
        arguments: Array(types.keys),
        [
            ["-v2", "aes-128-cbc"], ["-v2", "aes-192-cbc"],
            ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"],
            ["-v2", "des3", "-v2prf", "hmacWithSHA1"], ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA384"],
            ["-v2", "aes256", "-iter", "5000", "-v2prf", "hmacWithSHA224"], ["-scrypt"],
        ])
    func anEncryptedPKCS8KeyIsReadWithItsPassphraseOnly(type: String, encryption: [String]) throws {
        let folder = try PrivateKeyFolder()
        try generate(folder, type)
        try run(
            "openssl",
            ["pkcs8", "-topk8", "-in", folder.file("plain"), "-out", folder.file("sealed")] + encryption
                + ["-passout", "pass:correct hörse"]
        ).check()
        let file = try folder.read("sealed")
        let key = try PrivateKey(fileContents: try secret(file), passphrase: try secret("correct hörse"))
        #expect(key.publicKey == (try publicKey(folder, "plain")))
        try key.proveItSigns()
        #expect(throws: SSHWireError(.passphraseRequired, "")) {
            try PrivateKey(fileContents: try secret(file))
        }
        #expect(throws: SSHWireError(.wrongPassphrase, "")) {
            try PrivateKey(fileContents: try secret(file), passphrase: try secret("correct horse"))
        }
    }

    /// One wrong passphrase in 256 gives right padding; it must not look like anything else.
    @Test func everyWrongPassphraseOfManyIsCalledWrong() throws {
        let folder = try PrivateKeyFolder()
        try generate(folder, "P-256")
        try run(
            "openssl",
            [
                "pkcs8", "-topk8", "-in", folder.file("plain"), "-out", folder.file("sealed"), "-v2",
                "aes256",
                "-iter", "1", "-passout", "pass:right",
            ]
        ).check()
        let file = try secret(try folder.read("sealed"))
        for number in 0..<2_000 {
            #expect(throws: SSHWireError(.wrongPassphrase, "")) {
                try PrivateKey(fileContents: file, passphrase: try secret("wrong \(number)"))
            }
        }
    }

    @Test(arguments: ["prime256v1", "secp384r1", "secp521r1"])
    func aSEC1KeyIsReadWithAndWithoutItsParametersBlock(curve: String) throws {
        let folder = try PrivateKeyFolder()
        try run("openssl", ["ecparam", "-name", curve, "-genkey", "-out", folder.file("both")]).check()
        try run("openssl", ["ec", "-in", folder.file("both"), "-out", folder.file("alone")]).check()
        let both = try PrivateKey(fileContents: try secret(try folder.read("both")))
        let alone = try PrivateKey(fileContents: try secret(try folder.read("alone")))
        #expect(both.publicKey == alone.publicKey)
        #expect(try folder.readText("both").hasPrefix("-----BEGIN EC PARAMETERS-----"))
        #expect(alone.publicKey == (try publicKey(folder, "alone")))
        try both.proveItSigns()
    }

    @Test func aSEC1KeyWithACompressedOrNoPublicHalfIsRead() throws {
        let folder = try PrivateKeyFolder()
        try generate(folder, "P-256")
        let expected = try publicKey(folder, "plain")
        for form in [["-conv_form", "compressed"], ["-no_public"]] {
            try run("openssl", ["ec", "-in", folder.file("plain"), "-out", folder.file("other")] + form)
                .check()
            let key = try PrivateKey(fileContents: try secret(try folder.read("other")))
            #expect(key.publicKey == expected)
        }
    }

    @Test(
        arguments: keygenTypes.dropFirst(),
        [("PEM", ""), ("PEM", "correct horse"), ("PKCS8", ""), ("PKCS8", "x y z")])
    func whatSSHKeygenWritesAsPEMIsRead(type: [String], form: (String, String)) throws {
        let (format, passphrase) = form
        let folder = try PrivateKeyFolder()
        let file = try folder.keygen(type + ["-m", format], passphrase: passphrase)
        let key = try PrivateKey(fileContents: try secret(file), passphrase: try secret(passphrase))
        #expect(key.publicKey == (try folder.publicKey()))
        try key.proveItSigns()
        guard !passphrase.isEmpty else { return }
        #expect(throws: SSHWireError(.passphraseRequired, "")) {
            try PrivateKey(fileContents: try secret(file))
        }
        for number in 0..<300 where format == "PEM" {
            #expect(throws: SSHWireError(.wrongPassphrase, "")) {
                try PrivateKey(fileContents: try secret(file), passphrase: try secret("wrong \(number)"))
            }
        }
    }

    @Test(arguments: ["-aes128", "-aes192", "-aes256", "-des3"])
    func aPKCS1KeyEncryptedInTheOldWayIsRead(cipher: String) throws {
        let folder = try PrivateKeyFolder()
        try generate(folder, "RSA")
        try run(
            "openssl",
            [
                "rsa", "-traditional", cipher, "-passout", "pass:correct horse", "-in", folder.file("plain"),
                "-out", folder.file("sealed"),
            ]
        ).check()
        let file = try folder.read("sealed")
        #expect(try folder.readText("sealed").contains("Proc-Type: 4,ENCRYPTED"))
        let key = try PrivateKey(fileContents: try secret(file), passphrase: try secret("correct horse"))
        #expect(key.publicKey == (try publicKey(folder, "plain")))
    }

    /// Key derivations with these parameters, as openssl's own configuration language puts them together.
    @Test(
        arguments: [
            ("1.2.840.113549.1.5.12", "10000000", SSHWireError.Code.wrongPassphrase),
            ("1.2.840.113549.1.5.12", "10000001", .tooLong),
            ("1.2.840.113549.1.5.12", "0", .tooLong),
            ("1.2.840.113549.1.5.12", "0xffffffffffffff", .tooLong),
            ("1.3.6.1.4.1.11591.4.11", "16384 8 1", .wrongPassphrase),
            ("1.3.6.1.4.1.11591.4.11", "131072 8 1", .wrongPassphrase),
            ("1.3.6.1.4.1.11591.4.11", "262144 8 1", .tooLong),
            ("1.3.6.1.4.1.11591.4.11", "16384 8 17", .tooLong),
            ("1.3.6.1.4.1.11591.4.11", "0x40000000000000 0x40000000000000 1", .tooLong),
            ("1.3.6.1.4.1.11591.4.11", "16383 8 1", .invalidValue),
        ])
    func moreWorkThanTheLimitsIsRefusedBeforeItIsDone(
        derivation: String, numbers: String, expected: SSHWireError.Code
    ) throws {
        let folder = try PrivateKeyFolder()
        let integers = numbers.split(separator: " ").enumerated().map {
            "n\($0.offset)=INTEGER:\($0.element)"
        }
        let text = """
            asn1=SEQUENCE:outer
            [outer]
            algorithm=SEQUENCE:pbes2
            data=FORMAT:HEX,OCTETSTRING:000102030405060708090a0b0c0d0e0f
            [pbes2]
            oid=OID:1.2.840.113549.1.5.13
            parameters=SEQUENCE:parameters
            [parameters]
            derivation=SEQUENCE:derivation
            cipher=SEQUENCE:cipher
            [derivation]
            oid=OID:\(derivation)
            numbers=SEQUENCE:numbers
            [numbers]
            salt=FORMAT:HEX,OCTETSTRING:0001020304050607
            \(integers.joined(separator: "\n"))
            [cipher]
            oid=OID:2.16.840.1.101.3.4.1.42
            iv=FORMAT:HEX,OCTETSTRING:000102030405060708090a0b0c0d0e0f

            """
        let configuration = try folder.write(Array(text.utf8), to: "configuration")
        try run(
            "openssl", ["asn1parse", "-genconf", configuration, "-noout", "-out", folder.file("der")]
        ).check()
        let body = Base64.encode(try folder.read("der"))
        let file = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\(body)\n-----END ENCRYPTED PRIVATE KEY-----\n"
        let error = #expect(throws: SSHWireError.self) {
            try PrivateKey(fileContents: try secret(file), passphrase: try secret("x"))
        }
        #expect(error?.code == expected, "\(error?.reason ?? "")")
    }

    @Test(
        arguments: [
            (["genpkey", "-algorithm", "ed448"], "1.3.101.113"),
            (["genpkey", "-algorithm", "x25519"], "1.3.101.110"),
            (["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "1.3.132.0.10"),
            (
                [
                    "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt",
                    "ec_param_enc:explicit",
                ], "by numbers"
            ),
            (
                ["genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
                "1.2.840.113549.1.1.10"
            ),
            (["ecparam", "-name", "secp256k1", "-genkey", "-noout"], "1.3.132.0.10"),
        ])
    func aKeyThatSSHHasNoTypeForIsRefusedByName(arguments: [String], expected: String) throws {
        let folder = try PrivateKeyFolder()
        try run("openssl", arguments + ["-out", folder.file("key")]).check()
        let file = try secret(try folder.read("key"))
        let error = #expect(throws: SSHWireError.self) { try PrivateKey(fileContents: file) }
        #expect(error?.code == .unsupportedType)
        #expect(error?.reason.contains(expected) == true)
    }

    @Test func aDSAKeyIsRefusedInBothForms() throws {
        let folder = try PrivateKeyFolder()
        try run("openssl", ["dsaparam", "-out", folder.file("parameters"), "1024"]).check()
        try run("openssl", ["gendsa", "-out", folder.file("new"), folder.file("parameters")]).check()
        try run(
            "openssl", ["dsa", "-in", folder.file("new"), "-out", folder.file("old")]
        ).check()
        for name in ["new", "old"] {
            let file = try secret(try folder.read(name))
            let error = #expect(throws: SSHWireError.self) { try PrivateKey(fileContents: file) }
            #expect(error?.code == .unsupportedType)
            #expect(error?.reason.contains("DSA is not secure") == true)
        }
    }

    @Test func aShortRSAKeyIsRefused() throws {
        let folder = try PrivateKeyFolder()
        try run("openssl", ["genrsa", "-out", folder.file("key"), "1024"]).check()
        let file = try secret(try folder.read("key"))
        let error = #expect(throws: SSHWireError.self) { try PrivateKey(fileContents: file) }
        #expect(error?.code == .invalidKey)
        #expect(error?.reason.contains("1024 bits") == true)
    }

    @Test func anOldPKCS8EncryptionIsRefusedByName() throws {
        let folder = try PrivateKeyFolder()
        try generate(folder, "RSA")
        try run(
            "openssl",
            [
                "pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-in", folder.file("plain"), "-out",
                folder.file("sealed"), "-passout", "pass:x",
            ]
        ).check()
        let file = try secret(try folder.read("sealed"))
        let error = #expect(throws: SSHWireError.self) {
            try PrivateKey(fileContents: file, passphrase: try secret("x"))
        }
        #expect(error?.code == .unsupportedType)
        #expect(error?.reason.contains("PBES2") == true)
    }
}
