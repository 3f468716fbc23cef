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

/// Key revocation lists.
extension Limits {
    /// A KRL, in bytes: what sshd loads (`SSHBUF_SIZE_MAX` in sshbuf.h, tested by `sshbuf_load_fd`).
    public static let krlBytes = 128 << 20
    /// A serial bitmap, in bits. OpenSSH reads it as a big number of at most `SSHBUF_MAX_BIGNUM` bytes (sshbuf.h)
    /// and refuses the whole KRL for one bit more.
    public static let krlBitmapBits = 16_384
    /// Separate ranges of serials in one KRL, all authorities together. Ours: 64 MiB of memory, four times the
    /// largest list that we promise to handle. A bitmap packs a range into two bits, so bytes alone don't bound it.
    public static let krlSerialRanges = 1 << 22
    /// Key IDs, keys and fingerprints in one KRL, each kind on its own. Ours.
    public static let krlEntries = 1 << 20
    /// Certificate sections in one KRL. Ours: each may bring a curve point that is costly to check.
    public static let krlCertificateSections = 4_096
    /// Extensions that are not critical in one KRL. Ours.
    public static let krlExtensions = 256
    /// A KRL's comment, or a reserved field, in bytes. Ours.
    public static let krlTextBytes = 4_096
}
