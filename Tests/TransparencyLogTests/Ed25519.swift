// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import TransparencyLog

/// Ed25519 by libcrypto, as the library's callers bring their own.
struct Ed25519Key: Sendable {
    let seed: [UInt8]

    init(seed: [UInt8]) { self.seed = seed }
    init(_ byte: UInt8) { seed = [UInt8](repeating: byte, count: 32) }

    var publicKey: [UInt8] {
        let key = unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
        defer { unsafe EVP_PKEY_free(key) }
        var bytes = [UInt8](repeating: 0, count: 32)
        var count = bytes.count
        _ = unsafe EVP_PKEY_get_raw_public_key(key, &bytes, &count)
        return bytes
    }

    @Sendable func sign(_ message: [UInt8]) -> [UInt8] {
        let key = unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
        let context = unsafe EVP_MD_CTX_new()
        defer {
            unsafe EVP_MD_CTX_free(context)
            unsafe EVP_PKEY_free(key)
        }
        var signature = [UInt8](repeating: 0, count: 64)
        var count = signature.count
        _ = unsafe EVP_DigestSignInit(context, nil, nil, nil, key)
        _ = unsafe EVP_DigestSign(context, &signature, &count, message, message.count)
        return signature
    }

    @Sendable static func verify(_ publicKey: [UInt8], _ message: [UInt8], _ signature: [UInt8]) -> Bool {
        let key = unsafe EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, publicKey, publicKey.count)
        let context = unsafe EVP_MD_CTX_new()
        defer {
            unsafe EVP_MD_CTX_free(context)
            unsafe EVP_PKEY_free(key)
        }
        guard unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return false }
        return unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    func signer(_ name: String) throws -> NoteSigner {
        try NoteSigner(name: try KeyName(name), publicKey: publicKey, sign: sign)
    }

    func verifier(_ name: String, _ algorithm: NoteAlgorithm = .ed25519) throws -> NoteVerifier {
        try NoteVerifier(
            name: try KeyName(name), algorithm: algorithm, publicKey: publicKey, verify: Self.verify)
    }

    /// A witness's signature line for a text (C2SP tlog-cosignature).
    func cosignature(_ name: String, over text: [UInt8], time: UInt64) throws -> NoteSignature {
        let signature = sign(Array("cosignature/v1\ntime \(time)\n".utf8) + text)
        let timestamp = stride(from: UInt64(56), through: 0, by: -8).map {
            UInt8(truncatingIfNeeded: time >> $0)
        }
        let verifier = try verifier(name, .timestampedCosignature)
        return try NoteSignature(name: verifier.name, keyID: verifier.keyID, signature: timestamp + signature)
    }
}
