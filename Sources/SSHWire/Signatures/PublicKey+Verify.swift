// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import CSodium

/// What a FIDO authenticator must vouch for beside the signature itself.
public enum UserPresence: Sendable {
    /// Nothing: for CA signatures (OpenSSH's `cert_parse` asks for nothing either) and keys with
    /// `no-touch-required`.
    case notRequired
    /// Somebody touched the authenticator.
    case touch
    /// The authenticator checked a PIN or a fingerprint, and somebody touched it.
    case verification
}

extension PublicKey {
    /// Checks that `signature` is this key's over `message`.
    ///
    /// - Throws: `.typeMismatch` when the algorithm is another key type's, `.invalidSignature` when the signature or
    ///   what its authenticator vouches for does not hold.
    public func verify(
        _ signature: Signature, over message: Span<UInt8>, presence: UserPresence = .touch
    ) throws(SSHWireError) {
        guard signature.algorithm.keyType == keyType else {
            throw SSHWireError(
                .typeMismatch,
                "signature: \(signature.algorithm.rawValue), but the key is \(keyType.rawValue)")
        }
        let isValid: Bool
        switch material {
        case .ed25519(let key): isValid = isValidEd25519(signature.blob, over: message, by: key)
        case .ecdsa(let curve, let point):
            isValid = try isValidECDSA(signature.blob, over: message, curve, point)
        case .rsa(let modulus, let exponent):
            let digest = unsafe signature.algorithm == .rsaSHA256 ? EVP_sha256() : EVP_sha512()
            // OpenSSH pads a shorter signature with zeros; nobody makes one, and one length is one encoding.
            let key = try LibcryptoKey(modulus: modulus, exponent: exponent)
            isValid =
                unsafe signature.blob.count == modulus.count
                && key.isValid(signature.blob, over: message, digest: digest)
        case .skEd25519(let key, let application):
            let signed = try authenticatorData(application, signature, presence, message)
            isValid = isValidEd25519(signature.blob, over: signed.span, by: key)
        case .skECDSA(let point, let application):
            let signed = try authenticatorData(application, signature, presence, message)
            isValid = try isValidECDSA(signature.blob, over: signed.span, .p256, point)
        }
        guard isValid else {
            throw SSHWireError(.invalidSignature, "signature: not made by this key over these bytes")
        }
    }
}

private func isValidEd25519(_ signature: [UInt8], over message: Span<UInt8>, by key: [UInt8]) -> Bool {
    guard signature.count == Int(crypto_sign_BYTES) else { return false }
    return unsafe message.withUnsafeBufferPointer {
        unsafe crypto_sign_verify_detached(signature, $0.baseAddress, UInt64($0.count), key) == 0
    }
}

private func isValidECDSA(
    _ blob: [UInt8], over message: Span<UInt8>, _ curve: Curve, _ point: [UInt8]
) throws(SSHWireError) -> Bool {
    let signature = try derSignature(fromSSH: blob, curve)
    return unsafe try LibcryptoKey(curve, point: point).isValid(
        signature, over: message, digest: curve.digest)
}

/// ECDSA signatures in libcrypto's encoding (X9.62, DER) from SSH's (RFC 5656, section 3.1.2).
private func derSignature(fromSSH blob: [UInt8], _ curve: Curve) throws(SSHWireError) -> [UInt8] {
    var reader = WireReader(blob.span)
    let r = [UInt8](try reader.readPositiveInteger("signature r", upTo: curve.coordinateBytes))
    let s = [UInt8](try reader.readPositiveInteger("signature s", upTo: curve.coordinateBytes))
    try reader.finish("signature")
    // DER integers have the same content as SSH's: shortest form, a zero byte before a set top bit.
    let fields = [r, s].flatMap { number -> [UInt8] in
        let content = (number.first ?? 0) & 0x80 != 0 ? [0] + number : number
        return [0x02, UInt8(truncatingIfNeeded: content.count)] + content
    }
    // At most 2 * (66 + 1 + 2) = 138 bytes: lengths from 128 on take a second byte.
    let header: [UInt8] = fields.count < 128 ? [0x30] : [0x30, 0x81]
    return header + [UInt8(truncatingIfNeeded: fields.count)] + fields
}

/// What a FIDO authenticator signs: the application's hash, flags, counter, the message's hash.
private func authenticatorData(
    _ application: ExactText, _ signature: Signature, _ presence: UserPresence, _ message: Span<UInt8>
) throws(SSHWireError) -> [UInt8] {
    guard let authenticator = signature.authenticator else {
        throw SSHWireError(.invalidSignature, "signature: an authenticator's flags and counter are missing")
    }
    switch presence {
    case .notRequired: break
    case .touch, .verification:
        guard authenticator.userWasPresent else {
            throw SSHWireError(
                .invalidSignature, "signature: nobody touched the authenticator, which is required")
        }
        guard presence == .touch || authenticator.userWasVerified else {
            throw SSHWireError(
                .invalidSignature, "signature: the authenticator did not verify its user, which is required")
        }
    }
    var writer = WireWriter(reserving: 69)
    writer.writeRaw(Digest.sha256(Array(application.string.utf8)))
    writer.write(authenticator.flags)
    writer.write(authenticator.counter)
    writer.writeRaw(Digest.sha256(message))
    return writer.bytes
}
