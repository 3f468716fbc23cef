// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import TestSupport
import Testing

private let message = Array("a message\n".utf8)

/// What `ssh-keygen -Y sign` makes with the key in `name`.
private func sign(
    with name: String, in folder: TemporaryFolder, namespace: String = "file", hash: String = "sha512"
) throws -> [UInt8] {
    try TextVectors.keygen(
        ["-Y", "sign", "-q", "-n", namespace, "-O", "hashalg=\(hash)", "-f", folder.path(name)],
        "ssh-keygen -Y sign", stdin: message
    ).stdout
}

@Suite struct SSHSIGTests {
    @Test(arguments: TextVectors.types)
    func aSignatureOfSSHKeygenVerifies(type: [String]) throws {
        try withTemporaryFolder { folder in
            let line = try TextVectors.makeKey("key", in: folder, type: type)
            for hash in ["sha256", "sha512"] {
                let text = try sign(with: "key", in: folder, hash: hash)
                let signature = try SSHSignature(armoured: text)
                #expect(signature.armoured == String(decoding: text, as: UTF8.self))
                #expect(try SSHSignature(encoded: signature.encoded) == signature)
                #expect(signature.hashAlgorithm.rawValue == hash)
                #expect(signature.signer == (try PublicKeyLine(line).content))
                #expect(throws: Never.self) { try signature.verify(message, namespace: "file") }
                #expect(throws: SSHWireError(.invalidSignature, "")) {
                    try signature.verify(message + [0], namespace: "file")
                }
                #expect(throws: SSHWireError(.invalidSignature, "")) {
                    try signature.verify(message, namespace: "email")
                }
                #expect(throws: SSHWireError(.invalidSignature, "")) {
                    try signature.verify(digest: [1, 2], namespace: "file")
                }
            }
        }
    }

    @Test func aSignatureByACertificateIsReadAsOne() throws {
        try withTemporaryFolder { folder in
            try TextVectors.makeKey("ca", in: folder)
            try TextVectors.makeKey("user", in: folder)
            let line = try TextVectors.makeCertificate(on: "user", by: "ca", in: folder)
            // ssh-keygen takes the private half from beside the certificate.
            let text = try sign(with: "user-cert.pub", in: folder)
            let signature = try SSHSignature(armoured: text)
            #expect(signature.signer == (try PublicKeyLine(line).content))
            #expect(throws: Never.self) { try signature.verify(message, namespace: "file") }
        }
    }

    @Test func aSignatureOfOursIsVerifiedBySSHKeygen() throws {
        try withTemporaryFolder { folder in
            let key = try PrivateKey.generate(.ed25519, comment: "")
            for hash in SSHSignature.HashAlgorithm.allCases {
                let signature = try SSHSignature.sign(
                    message, hash, namespace: "file", signer: .key(key.publicKey)
                ) { (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm) }
                let path = try folder.write(signature.armoured, to: "sig")
                let allowed = try folder.write("alice \(key.publicKey.text)\n", to: "allowed")
                let verified = try Tool.run(
                    "ssh-keygen",
                    ["-Y", "verify", "-n", "file", "-I", "alice", "-f", allowed, "-s", path], stdin: message)
                #expect(verified.succeeded, "\(verified)")
                let other = try Tool.run(
                    "ssh-keygen",
                    ["-Y", "verify", "-n", "git", "-I", "alice", "-f", allowed, "-s", path], stdin: message)
                #expect(!other.succeeded)
            }
        }
    }

    @Test func aSignerThatSignsSomethingElseIsFoundOut() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        #expect(throws: SSHWireError(.invalidSignature, "")) {
            try SSHSignature.sign(message, namespace: "file", signer: .key(key.publicKey)) {
                (_, algorithm) throws(SSHWireError) in try key.sign([1].span, with: algorithm)
            }
        }
    }

    @Test(arguments: ["", "a\nb", "a\0", "a\tb", String(repeating: "n", count: 257)])
    func aNamespaceThatIsNoneIsRefused(namespace: String) throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        #expect(throws: SSHWireError.self) {
            try SSHSignature.sign(message, namespace: ExactText(namespace), signer: .key(key.publicKey)) {
                (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm)
            }
        }
    }

    /// A signature's parts, with one of them replaced.
    private static func blob(
        magic: String = "SSHSIG", version: UInt32 = 1, key: [UInt8], namespace: String = "file",
        reserved: [UInt8] = [], hash: String = "sha512", signature: [UInt8], behind: [UInt8] = []
    ) -> [UInt8] {
        var writer = WireWriter()
        writer.writeRaw(Array(magic.utf8))
        writer.write(version)
        writer.writeString(key)
        writer.writeString(namespace)
        writer.writeString(reserved)
        writer.writeString(hash)
        writer.writeString(signature)
        writer.writeRaw(behind)
        return writer.bytes
    }

    @Test func everyOtherFormIsRefused() throws {
        let key = try PublicKey(.ed25519([UInt8](repeating: 1, count: 32))).encoded
        let signature = Signature(.ed25519, blob: [UInt8](repeating: 0, count: 64)).encoded
        let ecdsa = Signature(.ecdsaP256, blob: [1]).encoded
        #expect(throws: Never.self) { try SSHSignature(encoded: Self.blob(key: key, signature: signature)) }
        for (bytes, code): ([UInt8], SSHWireError.Code) in [
            (Self.blob(magic: "SSHSIK", key: key, signature: signature), .unsupportedType),
            (Self.blob(version: 0, key: key, signature: signature), .unsupportedType),
            (Self.blob(version: 2, key: key, signature: signature), .unsupportedType),
            (Self.blob(key: key, namespace: "", signature: signature), .invalidValue),
            (Self.blob(key: key, reserved: [1], signature: signature), .notCanonical),
            (Self.blob(key: key, hash: "sha1", signature: signature), .unsupportedType),
            (Self.blob(key: key, hash: "sha384", signature: signature), .unsupportedType),
            (Self.blob(key: key, signature: ecdsa), .typeMismatch),
            (Self.blob(key: key, signature: signature, behind: [0]), .trailingBytes),
            (Self.blob(key: [], signature: signature), .truncated),
        ] {
            let error = wireError { _ = try SSHSignature(encoded: bytes) }
            #expect(error?.code == code)
        }
    }

    @Test func anRSASignatureWithSHA1IsRefused() throws {
        try withTemporaryFolder { folder in
            let line = try TextVectors.makeKey("key", in: folder, type: ["rsa", "-b", "2048"])
            let key = try PublicKeyLine(line).content.encoded
            var old = WireWriter()
            old.writeString("ssh-rsa")
            old.writeString([UInt8](repeating: 1, count: 256))
            #expect(throws: SSHWireError(.unsupportedType, "")) {
                try SSHSignature(encoded: Self.blob(key: key, signature: old.bytes))
            }
        }
    }

    @Test func attack20_aFIDOSignatureWithoutATouchIsRefused() throws {
        let key = try TextVectors.hardwareKeys()[0]
        var writer = WireWriter()
        writer.writeString("sk-ssh-ed25519@openssh.com")
        writer.writeString([UInt8](repeating: 0, count: 64))
        writer.write(UInt8(0))
        writer.write(UInt32(1))
        let signature = try SSHSignature(encoded: Self.blob(key: key.encoded, signature: writer.bytes))
        let error = wireError { try signature.verify(message, namespace: "file") }
        #expect(error?.reason.contains("touched") == true)
        let other = wireError { try signature.verify(message, namespace: "file", presence: .notRequired) }
        #expect(other?.reason.contains("touched") == false)
    }

    @Test func armourIsStrict() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        let signature = try SSHSignature.sign(message, namespace: "file", signer: .key(key.publicKey)) {
            (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm)
        }
        let text = signature.armoured
        let windows = text.split(separator: "\n").joined(separator: "\r\n")
        for good in [text, String(text.dropLast()), windows, windows + "\r\n"] {
            #expect(try SSHSignature(armoured: Array(good.utf8)) == signature)
        }
        let lines = text.split(separator: "\n").map(String.init)
        let base64 = lines.dropFirst().dropLast().joined()
        for bad in [
            "", "\n" + text, " " + text, text + "\n", text + "x", text + text,
            lines.dropFirst().joined(separator: "\n"),
            lines.dropLast().joined(separator: "\n"),
            text.replacing("SIGNATURE-----\n", with: "SIGNATURE-----\n\n"),
            "\(lines[0])\n\(base64)\n\(lines[lines.count - 1])\n", "\(lines[0])\n\(lines[lines.count - 1])\n",
            text.replacing("BEGIN SSH", with: "BEGIN  SSH"), text.replacing("-----\nU", with: "-----\n"),
        ] {
            #expect(throws: SSHWireError.self) { try SSHSignature(armoured: Array(bad.utf8)) }
        }
    }

    @Test func everyPrefixAndChangedByteIsRefusedOrDoesNotVerify() throws {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        let signature = try SSHSignature.sign(message, namespace: "file", signer: .key(key.publicKey)) {
            (bytes, algorithm) throws(SSHWireError) in try key.sign(bytes, with: algorithm)
        }
        for prefix in TextVectors.prefixes(of: signature.encoded) {
            #expect(throws: SSHWireError.self) { try SSHSignature(encoded: prefix) }
        }
        for changed in TextVectors.changes(of: signature.encoded) {
            guard let parsed = try? SSHSignature(encoded: changed) else { continue }
            #expect(parsed != signature && parsed.encoded == changed)
            #expect(throws: SSHWireError.self) { try parsed.verify(message, namespace: "file") }
        }
        let text = Array(signature.armoured.utf8)
        for bytes in TextVectors.prefixes(of: Array(text.dropLast())) + TextVectors.changes(of: text) {
            guard let parsed = try? SSHSignature(armoured: bytes), parsed == signature else { continue }
            // Only line ends have another spelling.
            #expect(bytes.count == text.count && bytes.filter { $0 != 0x0a } == text.filter { $0 != 0x0a })
        }
    }
}
