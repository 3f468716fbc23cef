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

/// Lines and files of text.
extension Limits {
    /// One line of a text file, in bytes: the base64 of the largest key blob takes 350 KB, options and a comment
    /// the rest. OpenSSH sets no limit (`getline`).
    public static let textLineBytes = 384 << 10
    /// A text file, in bytes: 100,000 hosts with an Ed25519 key each take 12 MB.
    public static let textFileBytes = 64 << 20
    /// Lines of a text file, blank ones counted.
    public static let textFileLines = 1 << 20
    /// A key's comment, in bytes; usually a file's path or `user@host`.
    public static let commentBytes = 4_096
    /// One list of patterns, in bytes: `match_pattern_list` (match.c) holds one pattern to 1,023, sshd a whole line
    /// to nothing; matching takes pattern times name steps.
    public static let patternListBytes = 16 << 10
    /// What a list of patterns is matched with, in bytes: a host name of 253 with brackets and a port, a user's
    /// mail address (RFC 5321: 254).
    public static let matchedNameBytes = 1_024
    /// Options on one line. OpenSSH takes 4,096 `permitopen` (`SSH_AUTHOPT_PERMIT_MAX`).
    public static let keyOptions = 4_096
    /// An SSHSIG namespace, in bytes. OpenSSH sets none; names are like "git" or "name@domain".
    public static let namespaceBytes = 256
    /// An SSHSIG signature without its armour, in bytes: a key or certificate, a signature, names.
    public static let sshSignatureBytes = keyBlobBytes + (8 << 10)
}

/// The ssh-agent protocol.
extension Limits {
    /// A message in either direction, in bytes, its length field not counted (`AGENT_MAX_LEN` in ssh-agent.c).
    public static let agentMessageBytes = 256 << 10
    /// Identities in one list (`MAX_AGENT_IDENTITIES` in authfd.c).
    public static let agentIdentities = 2_048
    /// A constraint extension's content, in bytes: OpenSSH's largest lists 1,024 destinations.
    public static let agentConstraintBytes = 128 << 10
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
