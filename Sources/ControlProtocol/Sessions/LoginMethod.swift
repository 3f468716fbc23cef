// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// One of the methods by which somebody logged in: a line of sshd's `SSH_AUTH_INFO_0` (auth2.c,
/// `auth2_update_session_info`).
public struct LoginMethod: Sendable, Hashable {
    /// What was shown beside the method's name.
    public enum Proof: Sendable, Hashable {
        /// A certificate.
        case certificate(CertificateUse)
        /// A plain key: its type and `SHA256:` fingerprint.
        case key(type: String, fingerprint: String)
        /// Something that could not be read: why, and the SHA-256 of the text in hexadecimal.
        case unreadable(reason: String, sha256: String)
    }

    /// The most methods of one login; `AuthenticationMethods` has no limit of its own, but a line has.
    public static let maximumCount = 32

    /// sshd's name for it: "publickey", "password", "keyboard-interactive/pam", "hostbased", ….
    public var name: String
    public var proof: Proof?

    public init(_ name: String, _ proof: Proof? = nil) {
        self.name = name
        self.proof = proof
    }
}

/// A certificate as a record tells it. What sshd's own messages do not say is nil when it came from them.
public struct CertificateUse: Sendable, Hashable {
    /// The CA's key.
    public struct Authority: Sendable, Hashable {
        /// The `SHA256:` fingerprint.
        public var fingerprint: String
        /// The key's type, "ssh-ed25519".
        public var type: String?
        /// The comment behind it in the host's list of trusted CAs.
        public var name: String?
        /// True when the key stood in that list when the record was made.
        public var isTrusted: Bool

        public init(fingerprint: String, type: String?, name: String?, isTrusted: Bool) {
            self.fingerprint = fingerprint
            self.type = type
            self.name = name
            self.isTrusted = isTrusted
        }
    }

    /// A critical option or an extension.
    public struct Option: Sendable, Hashable {
        public var name: String
        /// Its text; nil for a flag.
        public var value: String?
        /// Its data in hexadecimal, where that is no text.
        public var data: String?

        public init(name: String, value: String? = nil, data: String? = nil) {
            self.name = name
            self.value = value
            self.data = data
        }
    }

    /// The type's name, "ssh-ed25519-cert-v01@openssh.com".
    public var type: String?
    /// "user" or "host".
    public var kind: String?
    public var serial: UInt64
    public var keyID: String
    public var principals: [String]
    public var validAfter: UnixTime?
    public var validBefore: UnixTime?
    public var criticalOptions: [Option]
    public var extensions: [Option]
    /// The `SHA256:` fingerprint of the key that it is about.
    public var keyFingerprint: String?
    /// SHA-256 of the whole certificate in hexadecimal.
    public var sha256: String?
    /// SHA-256 of what the CA signed, the certificate up to its signature, in hexadecimal: what a log of issuances has.
    public var signedSHA256: String?
    public var authority: Authority

    /// What sshd's own messages say: a key ID, a serial, the CA's fingerprint.
    public init(serial: UInt64, keyID: String, authority: Authority) {
        self.serial = serial
        self.keyID = keyID
        self.authority = authority
        principals = []
        criticalOptions = []
        extensions = []
    }

    /// Whom it was issued to: the key ID up to its last `#`, behind which the authority puts the serial. All of it
    /// where there is none.
    public var identity: String {
        // By bytes: a # with a combining mark behind it is one character, but still a #.
        keyID.utf8.lastIndex(of: UInt8(ascii: "#")).map { String(keyID[..<$0]) } ?? keyID
    }
}

extension CertificateUse {
    /// Takes a certificate's fields over.
    public init(_ certificate: Certificate, authority: Authority) {
        let fields = certificate.fields
        self.init(serial: fields.serial, keyID: fields.keyID.string, authority: authority)
        type = certificate.typeName
        kind = fields.kind.name
        principals = fields.principals.map(\.string)
        validAfter = fields.validAfter
        validBefore = fields.validBefore
        criticalOptions = fields.criticalOptions.map(Option.init)
        extensions = fields.extensions.map(Option.init)
        keyFingerprint = fields.key.fingerprint
        sha256 = hexadecimal(certificate.sha256)
        signedSHA256 = hexadecimal(Digest.sha256(certificate.signedBytes))
    }
}

extension CertificateUse.Option {
    init(_ option: CertificateOption) {
        self.init(name: option.name.string)
        guard !option.data.isEmpty else { return }
        do { value = try option.value?.string } catch { data = hexadecimal(option.data) }
    }
}
