// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The signature algorithms that Daypass makes or checks, by their names on the wire.
///
/// `ssh-rsa` (RSA with SHA-1) is not among them and is refused by name.
public enum SignatureAlgorithm: String, Sendable, CaseIterable {
    case ed25519 = "ssh-ed25519"
    case ecdsaP256 = "ecdsa-sha2-nistp256"
    case ecdsaP384 = "ecdsa-sha2-nistp384"
    case ecdsaP521 = "ecdsa-sha2-nistp521"
    /// RFC 8332.
    case rsaSHA256 = "rsa-sha2-256"
    case rsaSHA512 = "rsa-sha2-512"
    /// OpenSSH's PROTOCOL.u2f.
    case skEd25519 = "sk-ssh-ed25519@openssh.com"
    case skECDSAP256 = "sk-ecdsa-sha2-nistp256@openssh.com"

    /// The type of key that makes such signatures.
    public var keyType: KeyType {
        switch self {
        case .ed25519: .ed25519
        case .ecdsaP256: .ecdsaP256
        case .ecdsaP384: .ecdsaP384
        case .ecdsaP521: .ecdsaP521
        case .rsaSHA256, .rsaSHA512: .rsa
        case .skEd25519: .skEd25519
        case .skECDSAP256: .skECDSAP256
        }
    }

    /// The algorithm named `name`, or the refusal that says why there is none.
    public init(wireName name: ExactText) throws(SSHWireError) {
        if let algorithm = SignatureAlgorithm(rawValue: name.string) {
            self = algorithm
        } else if name == "ssh-rsa" {
            throw SSHWireError(
                .unsupportedType, "signature algorithm ssh-rsa: SHA-1 is not secure and is not accepted")
        } else {
            throw SSHWireError(
                .unsupportedType, "signature algorithm \"\(name.string.escapedForTerminal)\" is not supported"
            )
        }
    }
}

extension KeyType {
    /// The algorithm that a key of this type signs with unless told otherwise; RSA keys use SHA-512, as OpenSSH does.
    public var defaultSignatureAlgorithm: SignatureAlgorithm {
        switch self {
        case .ed25519: .ed25519
        case .ecdsaP256: .ecdsaP256
        case .ecdsaP384: .ecdsaP384
        case .ecdsaP521: .ecdsaP521
        case .rsa: .rsaSHA512
        case .skEd25519: .skEd25519
        case .skECDSAP256: .skECDSAP256
        }
    }
}
