// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The most that is accepted from outside, each with where the number comes from.
public enum Limits {
    /// A key or certificate blob, in bytes. The largest that can be valid (an RSA-16384 subject and CA, 256
    /// principals, options) stays under 256 KiB: `SSHBUF_SIZE_MAX` in OpenSSH is 128 MiB.
    public static let keyBlobBytes = 256 << 10
    /// A type or algorithm name, in bytes (RFC 4251, section 6).
    public static let nameBytes = 64
    /// A certificate's nonce, in bytes. Issuers use 16 to 64; OpenSSH sets no limit.
    public static let nonceBytes = 256
    /// A certificate's key ID, in bytes. OpenSSH sets none; sshd's log line holds 1,024 (`MSGBUFSIZ` in log.c).
    public static let keyIDBytes = 1_024
    /// Principals in one certificate (`SSHKEY_CERT_MAX_PRINCIPALS` in sshkey.h).
    public static let principals = 256
    /// One principal, in bytes. A host name has at most 253, an account 32.
    public static let principalBytes = 1_024
    /// All options of one kind in a certificate, in bytes.
    public static let optionsBytes = 64 << 10
    /// One option's name, in bytes.
    public static let optionNameBytes = 256
    /// Options of one kind in a certificate.
    public static let options = 256
    /// RSA moduli, in bits: OpenSSH accepts 1,024 and up and warns under 2,048; 16,384 is
    /// `SSHBUF_MAX_BIGNUM` (sshbuf.h).
    public static let rsaModulusBits = 2_048...16_384
    /// An RSA public exponent, in bytes; libcrypto refuses longer ones above 3,072 bits.
    public static let rsaExponentBytes = 8
    /// A FIDO application name ("ssh:…"), in bytes.
    public static let applicationBytes = 1_024
    /// A signature blob, in bytes: an RSA-16384 signature with its name.
    public static let signatureBytes = 4 << 10
}

/// Private keys.
extension Limits {
    /// A private key's file, in bytes: an RSA-16384 key takes 13 KB in the longest of its forms. OpenSSH reads up to
    /// 1 MiB (`MAX_KEY_FILE_SIZE` in authfile.h).
    public static let privateKeyFileBytes = 64 << 10
    /// A private key's comment, in bytes (ssh-keygen takes 1,024 from a terminal, more as an argument).
    public static let privateKeyCommentBytes = 4 << 10
    /// bcrypt rounds of an encrypted key: a million are 40 minutes of work. ssh-keygen makes 16 or 24 unless `-a`
    /// asks for more, and has no limit.
    public static let bcryptRounds = 1 << 20
    /// The salt of an encrypted key, in bytes; ssh-keygen and openssl make 8 or 16.
    public static let keySaltBytes = 1 << 10
    /// PBKDF2 iterations of an encrypted PEM file: ten million take some seconds. openssl makes 2,048.
    public static let pbkdf2Iterations = 10_000_000
    /// What scrypt may take for an encrypted PEM file, in bytes: openssl's own choice takes 16 MiB.
    public static let scryptMemoryBytes = 128 << 20
    /// How often scrypt may pass over its memory for an encrypted PEM file (p); openssl's own choice is 1.
    public static let scryptPasses = 16
}
