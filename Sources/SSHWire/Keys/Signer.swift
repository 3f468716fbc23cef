// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import CSodium

/// A private key that is open: it exists only inside ``PrivateKey/withSigner(_:)``.
@safe public struct Signer: ~Copyable {
    private let publicKey: PublicKey
    /// An Ed25519 key: seed and public key, in guarded memory that is open until the borrow ends, which a borrowed
    /// value that cannot be copied does not outlive. Empty for other keys.
    private let secret: UnsafeRawBufferPointer
    /// Any other key as libcrypto has it: loaded for this signer and wiped with it.
    private let loaded: Result<LibcryptoKey, SSHWireError>

    /// A signer with an Ed25519 key.
    init(_ publicKey: PublicKey, secret: UnsafeRawBufferPointer) {
        self.publicKey = publicKey
        unsafe self.secret = secret
        loaded = .failure(SSHWireError(.typeMismatch, "signature: the key is \(publicKey.keyType.rawValue)"))
    }

    /// A signer with another key, or with the reason for which every signature is going to fail.
    init(_ publicKey: PublicKey, _ loaded: Result<LibcryptoKey, SSHWireError>) {
        self.publicKey = publicKey
        unsafe secret = UnsafeRawBufferPointer(start: nil, count: 0)
        self.loaded = loaded
    }

    /// Signs `message`.
    ///
    /// - Parameter algorithm: one of the key's own; `nil` is the type's default, for RSA `rsa-sha2-512`.
    /// - Throws: `.typeMismatch` when the algorithm is another key type's.
    public borrowing func sign(
        _ message: Span<UInt8>, with algorithm: SignatureAlgorithm? = nil
    ) throws(SSHWireError) -> Signature {
        let algorithm = algorithm ?? publicKey.keyType.defaultSignatureAlgorithm
        guard algorithm.keyType == publicKey.keyType else {
            throw SSHWireError(
                .typeMismatch,
                "signature: \(algorithm.rawValue) asked for, but the key is \(publicKey.keyType.rawValue)")
        }
        switch publicKey.material {
        case .ed25519:
            return Signature(algorithm, blob: try ed25519Signature(message))
        case .ecdsa(let curve, _):
            let der = try unsafe loaded.get().sign(message, digest: curve.digest)
            return Signature(algorithm, blob: try sshSignature(fromDER: der))
        case .rsa:
            let digest = unsafe algorithm == .rsaSHA256 ? EVP_sha256() : EVP_sha512()
            return Signature(algorithm, blob: try unsafe loaded.get().sign(message, digest: digest))
        case .skEd25519, .skECDSA: throw livesInAuthenticator(publicKey.keyType)
        }
    }

    /// Appends the 64 bytes of an Ed25519 signature, without an array of its own.
    ///
    /// - Throws: `.typeMismatch` when the key is of another type.
    public borrowing func signEd25519(
        _ message: Span<UInt8>, appendingTo bytes: inout [UInt8]
    ) throws(SSHWireError) {
        try withEd25519Signature(message) { signature in
            unsafe signature.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        }
    }

    /// Appends the 64 bytes of an Ed25519 signature, without an array of its own and without a length.
    ///
    /// - Throws: `.typeMismatch` when the key is of another type.
    public borrowing func signEd25519(
        _ message: Span<UInt8>, appendingTo writer: inout WireWriter
    ) throws(SSHWireError) {
        try withEd25519Signature(message) { signature in writer.writeRaw(signature) }
    }

    private borrowing func withEd25519Signature(
        _ message: Span<UInt8>, _ body: (Span<UInt8>) -> Void
    ) throws(SSHWireError) {
        let key = try unsafe ed25519Key()
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(crypto_sign_BYTES)) { buffer in
            unsafe write(signatureOver: message, by: key, to: buffer)
            unsafe body(Span(_unsafeElements: UnsafeBufferPointer(buffer)))
        }
    }

    private borrowing func ed25519Signature(_ message: Span<UInt8>) throws(SSHWireError) -> [UInt8] {
        let key = try unsafe ed25519Key()
        return unsafe [UInt8](unsafeUninitializedCapacity: Int(crypto_sign_BYTES)) { buffer, count in
            unsafe write(signatureOver: message, by: key, to: buffer)
            count = Int(crypto_sign_BYTES)
        }
    }

    private borrowing func ed25519Key() throws(SSHWireError) -> UnsafePointer<UInt8> {
        guard case .ed25519 = publicKey.material, unsafe secret.count == Int(crypto_sign_SECRETKEYBYTES),
            let key = unsafe secret.assumingMemoryBound(to: UInt8.self).baseAddress
        else {
            throw SSHWireError(
                .typeMismatch, "signature: Ed25519 asked for, but the key is \(publicKey.keyType.rawValue)")
        }
        return unsafe key
    }
}

/// Writes the 64 bytes of a signature; `buffer` has room for them, and `key` is an open secret key.
private func write(
    signatureOver message: Span<UInt8>, by key: UnsafePointer<UInt8>,
    to buffer: UnsafeMutableBufferPointer<UInt8>
) {
    guard let signature = buffer.baseAddress else { return }
    unsafe message.withUnsafeBufferPointer { message in
        // It can't fail: libsodium returns a status only because other schemes' might.
        _ = unsafe crypto_sign_detached(signature, nil, message.baseAddress, UInt64(message.count), key)
    }
}
