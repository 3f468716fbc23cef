// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The plain public key types that Daypass reads and certifies, by their names on the wire.
public enum KeyType: String, Sendable, CaseIterable {
    /// RFC 8709.
    case ed25519 = "ssh-ed25519"
    /// RFC 5656.
    case ecdsaP256 = "ecdsa-sha2-nistp256"
    case ecdsaP384 = "ecdsa-sha2-nistp384"
    case ecdsaP521 = "ecdsa-sha2-nistp521"
    /// RFC 4253, section 6.6; signatures by RFC 8332 only.
    case rsa = "ssh-rsa"
    /// OpenSSH's PROTOCOL.u2f: keys in a FIDO authenticator.
    case skEd25519 = "sk-ssh-ed25519@openssh.com"
    case skECDSAP256 = "sk-ecdsa-sha2-nistp256@openssh.com"

    /// The type of a certificate on such a key (draft-ietf-sshm-cert-01, section 2.1).
    public var certificateName: String {
        switch self {
        case .ed25519: "ssh-ed25519-cert-v01@openssh.com"
        case .ecdsaP256: "ecdsa-sha2-nistp256-cert-v01@openssh.com"
        case .ecdsaP384: "ecdsa-sha2-nistp384-cert-v01@openssh.com"
        case .ecdsaP521: "ecdsa-sha2-nistp521-cert-v01@openssh.com"
        case .rsa: "ssh-rsa-cert-v01@openssh.com"
        case .skEd25519: "sk-ssh-ed25519-cert-v01@openssh.com"
        case .skECDSAP256: "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"
        }
    }

    /// The key type that a certificate type's name is about.
    public init?(certificateName: String) {
        guard let type = Self.allCases.first(where: { $0.certificateName == certificateName }) else {
            return nil
        }
        self = type
    }

    /// The name that ssh-keygen shows ("ED25519", "ECDSA", …).
    public var displayName: String {
        switch self {
        case .ed25519: "ED25519"
        case .ecdsaP256, .ecdsaP384, .ecdsaP521: "ECDSA"
        case .rsa: "RSA"
        case .skEd25519: "ED25519-SK"
        case .skECDSAP256: "ECDSA-SK"
        }
    }

    /// True for keys that live in a FIDO authenticator.
    public var isHardwareBacked: Bool { self == .skEd25519 || self == .skECDSAP256 }

    /// The type named `name`, or the refusal that says why there is none.
    ///
    /// - Throws: `.nestedCertificate` for a certificate's name, `.unsupportedType` for all other names.
    public init(wireName name: ExactText) throws(SSHWireError) {
        if let type = KeyType(rawValue: name.string) {
            self = type
        } else if name.string.contains("-cert-v") {
            throw SSHWireError(
                .nestedCertificate,
                "key type \(name.string.escapedForTerminal): a plain key expected, not a certificate")
        } else if name == "ssh-dss" {
            throw SSHWireError(.unsupportedType, "key type ssh-dss: DSA is not secure and is not supported")
        } else {
            throw SSHWireError(
                .unsupportedType, "key type \"\(name.string.escapedForTerminal)\" is not supported")
        }
    }
}

/// The NIST curves that SSH names (RFC 5656, section 10.1).
public enum Curve: String, Sendable, CaseIterable {
    case p256 = "nistp256"
    case p384 = "nistp384"
    case p521 = "nistp521"

    /// A coordinate's or scalar's length, in bytes.
    public var coordinateBytes: Int {
        switch self {
        case .p256: 32
        case .p384: 48
        case .p521: 66
        }
    }

    /// The curve's field, in bits.
    public var bits: Int {
        switch self {
        case .p256: 256
        case .p384: 384
        case .p521: 521
        }
    }

    /// The plain key type on this curve.
    public var keyType: KeyType {
        switch self {
        case .p256: .ecdsaP256
        case .p384: .ecdsaP384
        case .p521: .ecdsaP521
        }
    }
}
