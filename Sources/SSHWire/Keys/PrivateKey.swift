// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A private key whose secret lives in guarded memory and is open only while it signs.
///
/// Its public half has been checked against it. It makes Ed25519, ECDSA and RSA signatures; keys that live in a FIDO
/// authenticator have no private half here and are used through an ssh-agent.
public final class PrivateKey: Sendable {
    /// The public half.
    public let publicKey: PublicKey
    /// What its owner calls it, empty when the file's format holds no comment. No secret, but it comes from outside.
    public let comment: String
    /// Ed25519: seed, then public key, as libsodium wants them. ECDSA: the scalar, big-endian, as long as a
    /// coordinate. RSA: see ``RSANumbers``.
    let secret: SecretBytes

    /// Takes parts that belong together.
    init(_ publicKey: PublicKey, secret: SecretBytes, comment: String) {
        self.publicKey = publicKey
        self.secret = secret
        self.comment = comment
    }
}

extension PrivateKey {
    /// Signs `message`.
    ///
    /// - Parameter algorithm: one of this key's own; `nil` is the type's default, for RSA `rsa-sha2-512`.
    /// - Throws: `.typeMismatch` when the algorithm is another key type's.
    public func sign(
        _ message: Span<UInt8>, with algorithm: SignatureAlgorithm? = nil
    ) throws(SSHWireError) -> Signature {
        try withSigner { signer throws(SSHWireError) in try signer.sign(message, with: algorithm) }
    }

    /// Opens the key once for all signatures that `body` makes.
    ///
    /// An Ed25519 key stays open, readable to the whole process, until `body` returns; any other is copied into
    /// libcrypto's secure heap and wiped there afterwards.
    public func withSigner<R: ~Copyable, E: Error>(
        _ body: (borrowing Signer) throws(E) -> R
    ) throws(E) -> R {
        if case .ed25519 = publicKey.material {
            return try unsafe secret.withUnsafeBytes { (bytes) throws(E) -> R in
                // A name of its own: Swift 6.3's optimiser aborts when it inlines a temporary that can't be copied.
                let signer = unsafe Signer(publicKey, secret: bytes)
                return try body(signer)
            }
        }
        let signer = Signer(publicKey, load())
        return try body(signer)
    }

    private func load() -> Result<LibcryptoKey, SSHWireError> {
        do throws(SSHWireError) {
            return .success(
                try secret.withSpan { (secret) throws(SSHWireError) in
                    switch publicKey.material {
                    case .ecdsa(let curve, _): try LibcryptoKey(curve, scalar: secret)
                    case .rsa(let modulus, let exponent):
                        try LibcryptoKey(modulus: modulus, exponent: exponent, packed: secret)
                    case .ed25519, .skEd25519, .skECDSA: throw livesInAuthenticator(publicKey.keyType)
                    }
                })
        } catch {
            return .failure(error)
        }
    }
}

/// Why there is no private key of such a type: its file would hold only a handle to what the authenticator keeps.
func livesInAuthenticator(_ type: KeyType) -> SSHWireError {
    SSHWireError(
        .unsupportedType,
        "private key of type \(type.rawValue): it lives in its authenticator, use it through an ssh-agent")
}
