// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// The two ways in which PEM private keys are encrypted.
enum PEMEncryption {
    /// `EncryptedPrivateKeyInfo` with PBES2 (RFC 5958, section 3; RFC 8018, section 6.2): a key from PBKDF2 or scrypt,
    /// AES or triple DES in CBC mode.
    static func decryptPKCS8(
        _ file: SecretBytes, passphrase: SecretBytes?
    ) throws(SSHWireError) -> SecretBytes {
        let scheme = try file.withSpan { (der) throws(SSHWireError) in try readScheme(der) }
        guard let passphrase else { throw passphraseRequired }
        let key = try unsafe SecretBytes(count: scheme.cipher.keyBytes) { key throws(SSHWireError) in
            try unsafe scheme.derivation.derive(passphrase, to: key)
        }
        return try file.withSpan { (file) throws(SSHWireError) in
            try decrypt(file.extracting(scheme.ciphertext), scheme.cipher, key, vector: scheme.vector)
        }
    }

    /// RFC 1421's headers with the key from one MD5 (`EVP_BytesToKey`), as `ssh-keygen -m PEM` writes them. Weak: a
    /// guess costs an attacker nearly nothing.
    static func decryptTraditional(
        _ file: SecretBytes, headers: [String], passphrase: SecretBytes?
    ) throws(SSHWireError) -> SecretBytes {
        guard headers.first == "Proc-Type: 4,ENCRYPTED", headers.count == 2,
            let information = headers.last, information.hasPrefix("DEK-Info: ")
        else {
            throw SSHWireError(
                .invalidValue,
                "private key file: \"Proc-Type: 4,ENCRYPTED\" and DEK-Info expected before the base64")
        }
        let parts = information.dropFirst("DEK-Info: ".count).split(separator: ",")
        guard parts.count == 2, let cipher = Cipher.allCases.first(where: { $0.rawValue == parts[0] }) else {
            throw SSHWireError(
                .unsupportedType, "private key file: \"\(information.escapedForTerminal)\" is not supported")
        }
        let vector = bytes(hexadecimal: parts[1])
        guard let vector, vector.count == cipher.vectorBytes else {
            throw SSHWireError(
                .invalidValue,
                "private key file: \(2 * cipher.vectorBytes) hexadecimal digits expected in DEK-Info")
        }
        guard let passphrase else { throw passphraseRequired }
        let key = try unsafe SecretBytes(count: cipher.keyBytes) { key throws(SSHWireError) in
            // The vector's first 8 bytes are the salt as well.
            let count = unsafe passphrase.withUnsafeBytes { passphrase in
                unsafe EVP_BytesToKey(
                    cipher.implementation, EVP_md5(), vector,
                    passphrase.assumingMemoryBound(to: UInt8.self).baseAddress,
                    Int32(clamping: passphrase.count),
                    1, key.assumingMemoryBound(to: UInt8.self).baseAddress, nil)
            }
            guard Int(count) == key.count else { throw .libcrypto("deriving a key from a passphrase") }
        }
        return try file.withSpan { (file) throws(SSHWireError) in
            try decrypt(file, cipher, key, vector: vector)
        }
    }

    private static let passphraseRequired = SSHWireError(
        .passphraseRequired, "private key: encrypted, a passphrase is required")

    private static func decrypt(
        _ ciphertext: Span<UInt8>, _ cipher: Cipher, _ key: SecretBytes, vector: [UInt8]
    ) throws(SSHWireError) -> SecretBytes {
        try unsafe SecretBytes(upTo: ciphertext.count) { output throws(SSHWireError) in
            try key.withSpan { (key) throws(SSHWireError) in
                try unsafe EVPCipher(cipher.implementation, isPadded: true).decrypt(
                    ciphertext, tag: Span<UInt8>(), key: key, vector: vector.span, to: output)
            }
        }
    }
}

extension PEMEncryption {
    /// The ciphers, by their names in DEK-Info.
    enum Cipher: String, CaseIterable {
        case aes128CBC = "AES-128-CBC"
        case aes192CBC = "AES-192-CBC"
        case aes256CBC = "AES-256-CBC"
        case tripleDESCBC = "DES-EDE3-CBC"

        init?(objectIdentifier: String) {
            switch objectIdentifier {
            case "2.16.840.1.101.3.4.1.2": self = .aes128CBC
            case "2.16.840.1.101.3.4.1.22": self = .aes192CBC
            case "2.16.840.1.101.3.4.1.42": self = .aes256CBC
            case "1.2.840.113549.3.7": self = .tripleDESCBC
            default: return nil
            }
        }

        var keyBytes: Int {
            switch self {
            case .aes128CBC: 16
            case .aes192CBC, .tripleDESCBC: 24
            case .aes256CBC: 32
            }
        }

        var vectorBytes: Int { self == .tripleDESCBC ? 8 : 16 }

        @safe var implementation: OpaquePointer? {
            switch self {
            case .aes128CBC: unsafe EVP_aes_128_cbc()
            case .aes192CBC: unsafe EVP_aes_192_cbc()
            case .aes256CBC: unsafe EVP_aes_256_cbc()
            case .tripleDESCBC: unsafe EVP_des_ede3_cbc()
            }
        }
    }

    /// What an encrypted PKCS#8 file says about its encryption.
    struct Scheme {
        let derivation: KeyDerivation
        let cipher: Cipher
        let vector: [UInt8]
        /// Where the encrypted key is: the last of the file's bytes.
        let ciphertext: Range<Int>
    }

    private static func readScheme(_ der: Span<UInt8>) throws(SSHWireError) -> Scheme {
        var outer = DERReader(der)
        var fields = DERReader(try outer.read("encrypted key", .sequence))
        try outer.finish("encrypted key")
        var algorithm = DERReader(try fields.read("encryption", .sequence))
        let identifier = try algorithm.readObjectIdentifier("encryption")
        guard identifier == "1.2.840.113549.1.5.13" else {
            throw SSHWireError(
                .unsupportedType,
                "private key file: encrypted by \(identifier), which is not PBES2; openssl pkcs8 -topk8 -v2 aes256 "
                    + "changes it")
        }
        var parameters = DERReader(try algorithm.read("PBES2", .sequence))
        try algorithm.finish("encryption")
        var derivation = DERReader(try parameters.read("key derivation", .sequence))
        var encryption = DERReader(try parameters.read("cipher", .sequence))
        try parameters.finish("PBES2")
        let cipherIdentifier = try encryption.readObjectIdentifier("cipher")
        guard let cipher = Cipher(objectIdentifier: cipherIdentifier) else {
            throw SSHWireError(
                .unsupportedType,
                "private key file: encrypted with the cipher \(cipherIdentifier), AES-CBC expected")
        }
        let vector = [UInt8](try encryption.read("initial vector", .octetString))
        try encryption.finish("cipher")
        guard vector.count == cipher.vectorBytes else {
            throw SSHWireError(
                .invalidValue, "initial vector: \(vector.count) bytes, \(cipher.vectorBytes) expected")
        }
        let scheme = try KeyDerivation(&derivation, keyBytes: cipher.keyBytes)
        let ciphertext = try fields.read("encrypted key", .octetString).count
        try fields.finish("encrypted key")
        return Scheme(
            derivation: scheme, cipher: cipher, vector: vector,
            ciphertext: (der.count - ciphertext)..<der.count)
    }
}
