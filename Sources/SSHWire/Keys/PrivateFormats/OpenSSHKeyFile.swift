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
        let cipherName: String
        let kdfName: String
        let salt: [UInt8]
        let rounds: UInt32
        let publicKey: PublicKey
        /// Where the private section is in the decoded bytes.
        let section: Range<Int>
        /// Where an authenticated cipher's tag is: all that follows the section.
        let tag: Range<Int>
    }

    /// Reads what stood between the file's lines of text.
    static func read(_ decoded: SecretBytes, passphrase: SecretBytes?) throws(SSHWireError) -> PrivateKey {
        let header = try decoded.withSpan { (bytes) throws(SSHWireError) in try readHeader(bytes) }
        guard header.cipherName != "none" else {
            try checkSizes(header, blockBytes: unencryptedBlockBytes, tagBytes: 0)
            return try decoded.withSpan { (bytes) throws(SSHWireError) in
                try readSection(
                    bytes.extracting(header.section), header,
                    failure: SSHWireError(
                        .invalidKey, "private key: its two check numbers differ, the file is damaged"))
            }
        }
        guard let cipher = KeyCipher(rawValue: header.cipherName) else {
            throw SSHWireError(
                .unsupportedType,
                "private key cipher \"\(header.cipherName.escapedForTerminal)\" is not supported; "
                    + "ssh-keygen -p -Z aes256-ctr changes it")
        }
        try checkSizes(header, blockBytes: cipher.blockBytes, tagBytes: cipher.tagBytes)
        guard let passphrase else {
            throw SSHWireError(.passphraseRequired, "private key: encrypted, a passphrase is required")
        }
        let key = try BcryptPBKDF.derive(
            passphrase, salt: header.salt, rounds: header.rounds, count: cipher.keyBytes + cipher.vectorBytes)
        let section = try decoded.withSpan { (bytes) throws(SSHWireError) in
            try cipher.decrypt(
                bytes.extracting(header.section), tag: bytes.extracting(header.tag), key: key)
        }
        return try section.withSpan { (section) throws(SSHWireError) in
            try readSection(section, header, failure: .wrongKeyPassphrase)
        }
    }

    /// Sections without a cipher are padded to this (`sshkey_private_to_blob2`).
    static let unencryptedBlockBytes = 8

    private static func checkSizes(_ header: Header, blockBytes: Int, tagBytes: Int) throws(SSHWireError) {
        guard header.section.count % blockBytes == 0, !header.section.isEmpty else {
            throw SSHWireError(
                .invalidValue,
                "private section: \(header.section.count) bytes, a multiple of \(blockBytes) expected")
        }
        guard header.tag.count == tagBytes else {
            throw SSHWireError(
                header.tag.count < tagBytes ? .truncated : .trailingBytes,
                "private key: \(header.tag.count) bytes after the private section, \(tagBytes) expected")
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

    /// Reads the decrypted private section.
    ///
    /// - Parameter failure: what it means that the two check numbers differ.
    private static func readSection(
        _ section: Span<UInt8>, _ header: Header, failure: SSHWireError
    ) throws(SSHWireError) -> PrivateKey {
        var reader = WireReader(section)
        let first = try reader.readUInt32("private key check")
        guard try reader.readUInt32("private key check") == first else { throw failure }
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
            let secondHalf = [UInt8](secret.extracting(32..<64))
            guard secondHalf == [UInt8](publicHalf) else {
                throw SSHWireError(.invalidKey, "Ed25519 key: its public half is given twice and differs")
            }
            return try PrivateKey.ed25519(
                seed: secret.extracting(0..<32), publicHalf: secondHalf, comment: comment)
        case .ecdsaP256: return try readECDSA(.p256, &reader, comment: comment)
        case .ecdsaP384: return try readECDSA(.p384, &reader, comment: comment)
        case .ecdsaP521: return try readECDSA(.p521, &reader, comment: comment)
        case .rsa:
            let maximum = Limits.rsaModulusBits.upperBound / 8
            let modulus = [UInt8](try reader.readPositiveInteger("RSA modulus", upTo: maximum))
            let exponent = [UInt8](
                try reader.readPositiveInteger("RSA exponent", upTo: Limits.rsaExponentBytes))
            let privateExponent = try reader.readPositiveInteger("RSA private exponent", upTo: maximum)
            let coefficient = try reader.readPositiveInteger("RSA coefficient", upTo: maximum)
            let firstPrime = try reader.readPositiveInteger("RSA prime p", upTo: maximum)
            let secondPrime = try reader.readPositiveInteger("RSA prime q", upTo: maximum)
            return try PrivateKey.rsa(
                modulus: modulus, exponent: exponent,
                RSANumbers.Input(
                    privateExponent: privateExponent, coefficient: coefficient, firstPrime: firstPrime,
                    secondPrime: secondPrime),
                comment: comment)
        case .skEd25519, .skECDSAP256: throw livesInAuthenticator(type)
        }
    }

    private static func readECDSA(
        _ curve: Curve, _ reader: inout WireReader, comment: String
    ) throws(SSHWireError) -> PrivateKey {
        let name = try reader.readText("curve", upTo: Limits.nameBytes)
        guard name.string == curve.rawValue else {
            throw SSHWireError(
                .typeMismatch,
                "curve: the key type says \(curve.rawValue), the key says \"\(name.string.escapedForTerminal)\""
            )
        }
        let point = try reader.readBytes("curve point", upTo: 2 * curve.coordinateBytes + 1)
        let scalar = try reader.readPositiveInteger("ECDSA scalar", upTo: curve.coordinateBytes)
        return try PrivateKey.ecdsa(curve, scalar: scalar, point: point, comment: comment)
    }
}
