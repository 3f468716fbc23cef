// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// OpenSSH's private key format, openssh-key-v1 (PROTOCOL.key; `sshkey_parse_private2` in sshkey.c).
enum OpenSSHKeyFile {
    /// The label of its first and last line.
    static let label = "OPENSSH PRIVATE KEY"
    /// The first bytes, with the NUL.
    static let magic = Array("openssh-key-v1\0".utf8)

    /// What is readable without a passphrase.
    struct Header {
        var cipherName: String
        var kdfName: String
        var salt: [UInt8] = []
        var rounds: UInt32 = 0
        let publicKey: PublicKey
        /// Where the private section is in the decoded bytes.
        let section: Range<Int>
        /// Where an authenticated cipher's tag is: all that follows the section.
        let tag: Range<Int>
    }

    static func read(_ decoded: SecretBytes, passphrase: SecretBytes?) throws(SSHWireError) -> PrivateKey {
        let header = try decoded.withSpan { (bytes) throws(SSHWireError) in try readHeader(bytes) }
        guard header.cipherName == "none" else {
            throw SSHWireError(.unsupportedType, "private key cipher \(header.cipherName.escapedForTerminal)")
        }
        guard header.tag.isEmpty else {
            throw SSHWireError(.trailingBytes, "private key: \(header.tag.count) bytes follow its last field")
        }
        return try decoded.withSpan { (bytes) throws(SSHWireError) in
            try readSection(bytes.extracting(header.section), header, failure: .invalidKey)
        }
    }

    private static func readHeader(_ bytes: Span<UInt8>) throws(SSHWireError) -> Header {
        var reader = WireReader(bytes)
        let found = [UInt8](try reader.readRaw("private key magic", count: magic.count))
        guard found == magic else {
            throw SSHWireError(.invalidValue, "private key: not openssh-key-v1")
        }
        let cipher = try reader.readText("private key cipher", upTo: Limits.nameBytes).string
        let kdf = try reader.readText("private key kdf", upTo: Limits.nameBytes).string
        var salt: [UInt8] = []
        var rounds: UInt32 = 0
        switch kdf {
        case "none":
            _ = try reader.readString("private key kdf options", upTo: 0)
        case "bcrypt":
            try reader.readNested("private key kdf options", upTo: Limits.keySaltBytes + 8) {
                inner throws(SSHWireError) in
                salt = try inner.readBytes("private key salt", upTo: Limits.keySaltBytes)
                rounds = try inner.readUInt32("private key rounds")
            }
        default:
            throw SSHWireError(
                .unsupportedType, "private key kdf \"\(kdf.escapedForTerminal)\" is not supported")
        }
        guard (cipher == "none") == (kdf == "none") else {
            throw SSHWireError(
                .invalidValue,
                "private key: cipher \(cipher.escapedForTerminal) with kdf \(kdf), both or none of them expected"
            )
        }
        let count = try reader.readUInt32("number of private keys")
        guard count == 1 else {
            throw SSHWireError(.invalidValue, "private key file: \(count) keys, 1 expected")
        }
        let publicKey = try PublicKey(
            encoded: try reader.readString("public key", upTo: Limits.keyBlobBytes))
        if publicKey.keyType.isHardwareBacked { throw livesInAuthenticator(publicKey.keyType) }
        let length = try reader.readString("private section", upTo: Limits.privateKeyFileBytes).count
        return Header(
            cipherName: cipher, kdfName: kdf, salt: salt, rounds: rounds, publicKey: publicKey,
            section: (reader.offset - length)..<reader.offset, tag: reader.offset..<bytes.count)
    }

    /// Such a file holds only a handle to what the authenticator keeps.
    private static func livesInAuthenticator(_ type: KeyType) -> SSHWireError {
        SSHWireError(
            .unsupportedType,
            "private key of type \(type.rawValue): it lives in its authenticator, use it through an ssh-agent"
        )
    }

    /// Reads the decrypted private section.
    ///
    /// - Parameter failure: what it means that the two check numbers differ.
    static func readSection(
        _ section: Span<UInt8>, _ header: Header, failure: SSHWireError.Code
    ) throws(SSHWireError) -> PrivateKey {
        var reader = WireReader(section)
        let first = try reader.readUInt32("private key check")
        guard try reader.readUInt32("private key check") == first else {
            throw SSHWireError(
                failure,
                failure == .wrongPassphrase
                    ? "private key: the passphrase is wrong, or the file is damaged"
                    : "private key: its two check numbers differ, the file is damaged")
        }
        let type = try KeyType(wireName: try reader.readText("private key type", upTo: Limits.nameBytes))
        guard type == header.publicKey.keyType else {
            throw SSHWireError(
                .typeMismatch,
                "private key: of type \(type.rawValue) inside, \(header.publicKey.keyType.rawValue) outside")
        }
        let fields = reader.offset
        try skipKey(type, &reader)
        let comment = try reader.readText("private key comment", upTo: Limits.privateKeyCommentBytes).string
        try readPadding(&reader)
        var keyReader = WireReader(section.extracting(fields..<section.count))
        let key = try readKey(type, &keyReader, comment: comment)
        guard key.publicKey == header.publicKey else {
            throw SSHWireError(
                .invalidKey, "private key: its public key is another one than the file's first")
        }
        return key
    }

    /// Moves behind the key's fields: the comment and the padding show damage more cheaply than arithmetic does.
    private static func skipKey(_ type: KeyType, _ reader: inout WireReader) throws(SSHWireError) {
        let fields =
            switch type {
            case .ed25519, .skEd25519, .skECDSAP256: 2
            case .ecdsaP256, .ecdsaP384, .ecdsaP521: 3
            case .rsa: 6
            }
        for _ in 0..<fields {
            _ = try reader.readString("private key field", upTo: Limits.privateKeyFileBytes)
        }
    }

    /// 1, 2, 3, … to the end (`private2_check_padding`).
    private static func readPadding(_ reader: inout WireReader) throws(SSHWireError) {
        var expected: UInt8 = 1
        while !reader.isAtEnd {
            guard try reader.readUInt8("private key padding") == expected, expected < 255 else {
                throw SSHWireError(.notCanonical, "private key padding: not 1, 2, 3 and so on")
            }
            expected += 1
        }
    }

    private static func readKey(
        _ type: KeyType, _ reader: inout WireReader, comment: String
    ) throws(SSHWireError) -> PrivateKey {
        switch type {
        case .ed25519:
            let publicHalf = try reader.readString("Ed25519 public key", upTo: 32)
            let secret = try reader.readString("Ed25519 private key", upTo: 64)
            guard publicHalf.count == 32, secret.count == 64 else {
                throw SSHWireError(
                    .invalidKey,
                    "Ed25519 key: halves of \(publicHalf.count) and \(secret.count) bytes, 32 and 64 expected"
                )
            }
            let key = try PrivateKey.ed25519(
                seed: secret.extracting(0..<32), publicHalf: secret.extracting(32..<64), comment: comment)
            guard key.publicKey.material == .ed25519([UInt8](publicHalf)) else {
                throw SSHWireError(.invalidKey, "Ed25519 key: its public half is given twice and differs")
            }
            return key
        case .ecdsaP256, .ecdsaP384, .ecdsaP521, .rsa:
            throw SSHWireError(.unsupportedType, "private key of type \(type.rawValue)")
        case .skEd25519, .skECDSAP256: throw livesInAuthenticator(type)
        }
    }
}
