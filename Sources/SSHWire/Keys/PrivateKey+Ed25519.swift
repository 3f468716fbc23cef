// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium

extension PrivateKey {
    /// Makes a key from a seed of 32 bytes that `fillSeed` writes (RFC 8032, section 5.1.5).
    static func ed25519(
        comment: String, _ fillSeed: (UnsafeMutableRawBufferPointer) throws(SSHWireError) -> Void
    ) throws(SSHWireError) -> PrivateKey {
        var publicHalf = [UInt8](repeating: 0, count: Int(crypto_sign_PUBLICKEYBYTES))
        let secret = try unsafe SecretBytes(count: Int(crypto_sign_SECRETKEYBYTES)) {
            buffer throws(SSHWireError) in
            // The seed has a place of its own: the secret key's bytes are written before the seed is read to its end.
            try unsafe withGuardedScratch(Int(crypto_sign_SEEDBYTES)) { seed throws(SSHWireError) in
                try unsafe fillSeed(seed)
                guard let key = unsafe buffer.assumingMemoryBound(to: UInt8.self).baseAddress,
                    let seed = unsafe seed.assumingMemoryBound(to: UInt8.self).baseAddress,
                    unsafe crypto_sign_seed_keypair(&publicHalf, key, seed) == 0
                else { throw SSHWireError(.cryptoFailure, "libsodium: making an Ed25519 key failed") }
            }
        }
        // The multiplication may leave the scalar's digits in its stack frame.
        wipeTraces()
        return PrivateKey(try PublicKey(.ed25519(publicHalf)), secret: secret, comment: comment)
    }

    /// Makes a key from a seed that was read, and compares its public half with the one that was read beside it.
    static func ed25519(
        seed: Span<UInt8>, publicHalf: [UInt8]?, comment: String
    ) throws(SSHWireError) -> PrivateKey {
        guard seed.count == Int(crypto_sign_SEEDBYTES) else {
            throw SSHWireError(.invalidKey, "Ed25519 seed: \(seed.count) bytes, 32 expected")
        }
        let key = try unsafe ed25519(comment: comment) { buffer throws(SSHWireError) in
            unsafe seed.withUnsafeBytes { unsafe buffer.copyMemory(from: $0) }
        }
        if let publicHalf {
            guard key.publicKey.material == .ed25519(publicHalf) else {
                throw SSHWireError(.invalidKey, "Ed25519 key: its public half is not its seed's")
            }
        }
        return key
    }
}
