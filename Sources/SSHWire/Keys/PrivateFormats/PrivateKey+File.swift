// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension PrivateKey {
    /// Reads a private key file, encrypted or not: OpenSSH's format (PROTOCOL.key), PKCS#8 (RFC 5958, RFC 8018,
    /// RFC 8410), SEC 1 (RFC 5915) and PKCS#1 (RFC 8017) in PEM.
    ///
    /// Everything that is decoded and decrypted on the way is in guarded memory too.
    ///
    /// - Parameters:
    ///   - fileContents: the file as it is, at most ``Limits/privateKeyFileBytes``.
    ///   - passphrase: not used when the file is not encrypted.
    /// - Throws: `.passphraseRequired` when there is none or an empty one and the file is encrypted,
    ///   `.wrongPassphrase`, `.typeMismatch` for a public key or a certificate, `.unsupportedType`, or the code that
    ///   says what is wrong.
    public convenience init(fileContents: SecretBytes, passphrase: SecretBytes? = nil) throws(SSHWireError) {
        let armour = try fileContents.withSpan { (file) throws(SSHWireError) in try KeyArmour(file) }
        let passphrase = passphrase.flatMap { $0.count == 0 ? nil : $0 }
        let key: PrivateKey
        switch armour.label {
        case OpenSSHKeyFile.label:
            key = try OpenSSHKeyFile.read(try armour.decode(fileContents), passphrase: passphrase)
        case "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY":
            key = try PEMKeyFile.read(armour, fileContents, passphrase: passphrase)
        case "PUBLIC KEY", "RSA PUBLIC KEY", "SSH2 PUBLIC KEY":
            throw SSHWireError(.typeMismatch, "private key file: this is a public key (\(armour.label))")
        case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE REQUEST":
            throw SSHWireError(
                .typeMismatch, "private key file: this is an X.509 certificate or a request for one")
        case "SSH SIGNATURE":
            throw SSHWireError(.typeMismatch, "private key file: this is an SSH signature")
        case "DSA PRIVATE KEY":
            throw SSHWireError(
                .unsupportedType, "private key file: a DSA key; DSA is not secure and is not supported")
        default:
            throw SSHWireError(
                .unsupportedType,
                "private key file: \"\(armour.label.escapedForTerminal)\" is not a supported kind")
        }
        wipeTraces()
        self.init(key.publicKey, secret: key.secret, comment: key.comment)
    }
}
