// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium

extension PrivateKey {
    /// Makes a new key from the system's random source.
    ///
    /// - Parameters:
    ///   - comment: what its owner calls it, at most ``Limits/privateKeyCommentBytes`` and without control characters.
    ///   - bits: an RSA modulus' length (``Limits/rsaModulusBits``), not used for other types. 3,072 take about half a
    ///     second, 16,384 minutes.
    /// - Throws: `.unsupportedType` for keys of an authenticator, which only the authenticator can make.
    public static func generate(
        _ type: KeyType, comment: String, bits: Int = 3_072
    ) throws(SSHWireError) -> PrivateKey {
        guard Sodium.isReady else { throw SSHWireError(.cryptoFailure, "libsodium: no random source") }
        guard comment.utf8.count <= Limits.privateKeyCommentBytes, !comment.holdsControlCharacters else {
            throw SSHWireError(
                .notText,
                "key comment: at most \(Limits.privateKeyCommentBytes) bytes without control characters expected"
            )
        }
        switch type {
        case .ed25519:
            return try unsafe ed25519(comment: comment) { seed throws(SSHWireError) in
                guard let base = seed.baseAddress else { return }
                unsafe randombytes_buf(base, seed.count)
            }
        case .ecdsaP256: return try generateECDSA(.p256, comment: comment)
        case .ecdsaP384: return try generateECDSA(.p384, comment: comment)
        case .ecdsaP521: return try generateECDSA(.p521, comment: comment)
        case .rsa: return try generateRSA(bits: bits, comment: comment)
        case .skEd25519, .skECDSAP256: throw livesInAuthenticator(type)
        }
    }
}
