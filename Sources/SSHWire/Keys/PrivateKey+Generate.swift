// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium

extension PrivateKey {
    /// Makes a new key from the system's random source.
    ///
    /// - Throws: `.unsupportedType` for keys of an authenticator, which only the authenticator can make.
    public static func generate(_ type: KeyType, comment: String) throws(SSHWireError) -> PrivateKey {
        guard Sodium.isReady else { throw SSHWireError(.cryptoFailure, "libsodium: no random source") }
        switch type {
        case .ed25519:
            return try unsafe ed25519(comment: comment) { seed throws(SSHWireError) in
                guard let base = seed.baseAddress else { return }
                unsafe randombytes_buf(base, seed.count)
            }
        case .ecdsaP256, .ecdsaP384, .ecdsaP521, .rsa, .skEd25519, .skECDSAP256:
            throw SSHWireError(.unsupportedType, "\(type.rawValue): such a private key cannot be made here")
        }
    }
}
