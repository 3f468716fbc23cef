// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Recognises what people hand in instead of a public key, by its first line alone, so that the refusal can say what
/// it is. Nothing of the content goes into an error: it may be a private key.
enum MisplacedContent {
    /// The beginning of each kind of content, and what to say about it.
    private static let kinds: [(beginning: String, advice: String)] = [
        (
            "-----BEGIN OPENSSH PRIVATE KEY",
            "this is a private key; give its public half (the .pub file beside it, or ssh-keygen -y)"
        ),
        ("-----BEGIN ENCRYPTED PRIVATE KEY", privatePEM),
        ("-----BEGIN PRIVATE KEY", privatePEM),
        ("-----BEGIN RSA PRIVATE KEY", privatePEM),
        ("-----BEGIN EC PRIVATE KEY", privatePEM),
        ("-----BEGIN DSA PRIVATE KEY", privatePEM),
        ("-----BEGIN PUBLIC KEY", "this is a PEM public key; convert it with ssh-keygen -i -m PKCS8 -f FILE"),
        (
            "-----BEGIN RSA PUBLIC KEY",
            "this is a PEM public key; convert it with ssh-keygen -i -m PEM -f FILE"
        ),
        (
            "---- BEGIN SSH2 PUBLIC KEY",
            "this is an RFC 4716 public key; convert it with ssh-keygen -i -f FILE"
        ),
        (
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY",
            "this is a private key of another program; give its public half in OpenSSH's format"
        ),
        ("PuTTY-User-Key-File", "this is a PuTTY private key; export its public half in OpenSSH's format"),
        ("-----BEGIN SSH SIGNATURE", "this is a signature (SSHSIG)"),
        ("-----BEGIN CERTIFICATE", "this is an X.509 certificate, which SSH does not use"),
        ("-----BEGIN", "this is a PEM file of another kind"),
        ("SSHKRL\n\0", "this is a key revocation list"),
    ]

    private static let privatePEM =
        "this is a private key in PEM form; give its public half (ssh-keygen -y -f FILE prints it)"

    /// The refusal for content that is recognised, nil for everything else.
    static func refusal(_ content: some Collection<UInt8>) -> SSHWireError? {
        for (beginning, advice) in kinds where content.starts(with: beginning.utf8) {
            return SSHWireError(.unsupportedType, "public key: \(advice)")
        }
        return nil
    }
}
