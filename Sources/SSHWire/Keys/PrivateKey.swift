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

    /// Opens the key once for all signatures that `body` makes; it stays open, readable to the whole process, until
    /// `body` returns.
    public func withSigner<R: ~Copyable, E: Error>(
        _ body: (borrowing Signer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe secret.withUnsafeBytes { (bytes) throws(E) -> R in
            // Named, not passed as it is made: Swift 6.3.1's optimizer aborts when it inlines that.
            let signer = unsafe Signer(publicKey, secret: bytes)
            return try body(signer)
        }
    }
}
