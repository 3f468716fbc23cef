// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// An `EVP_PKEY` of libcrypto's, freed with this object (libcrypto wipes what is private in it).
@safe final class LibcryptoKey {
    let pointer: OpaquePointer

    /// Takes the pointer over.
    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe EVP_PKEY_free(pointer) }

    /// Builds a key from parameters that `fill` pushes; what they point to must live until this returns.
    ///
    /// - Parameter selection: `DAYPASS_PKEY_PUBLIC_KEY` or `DAYPASS_PKEY_KEYPAIR`.
    convenience init(
        type: String, selection: Int32, _ fill: (OpaquePointer) -> Bool
    ) throws(SSHWireError) {
        guard let builder = unsafe OSSL_PARAM_BLD_new() else { throw .libcrypto("no memory") }
        defer { unsafe OSSL_PARAM_BLD_free(builder) }
        guard unsafe fill(builder), let parameters = unsafe OSSL_PARAM_BLD_to_param(builder) else {
            throw .libcrypto("key parameters")
        }
        defer { unsafe OSSL_PARAM_free(parameters) }
        let context = unsafe EVP_PKEY_CTX_new_from_name(nil, type, nil)
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_fromdata_init(context) == 1,
            unsafe EVP_PKEY_fromdata(context, &key, selection, parameters) == 1, let key = unsafe key
        else {
            ERR_clear_error()
            throw SSHWireError(.invalidKey, "\(type) key: its values do not make a key")
        }
        unsafe self.init(owning: key)
    }

    /// The public half of an ECDSA key.
    convenience init(_ curve: Curve, point: [UInt8]) throws(SSHWireError) {
        // The builder keeps the pointer until the key is made.
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: point.count)
        defer { unsafe bytes.deallocate() }
        _ = unsafe bytes.initialize(from: point)
        try unsafe self.init(type: "EC", selection: DAYPASS_PKEY_PUBLIC_KEY) { builder in
            unsafe daypass_push_group(builder, Int32(curve.bits)) == 1
                && daypass_push_public_point(builder, bytes.baseAddress, bytes.count) == 1
        }
    }

    /// The public half of an RSA key.
    convenience init(modulus: [UInt8], exponent: [UInt8]) throws(SSHWireError) {
        let n = unsafe BN_bin2bn(modulus, Int32(clamping: modulus.count), nil)
        let e = unsafe BN_bin2bn(exponent, Int32(clamping: exponent.count), nil)
        // The builder keeps the pointers until the key is made.
        defer {
            unsafe BN_free(n)
            unsafe BN_free(e)
        }
        try unsafe self.init(type: "RSA", selection: DAYPASS_PKEY_PUBLIC_KEY) { builder in
            unsafe daypass_push_rsa_public(builder, n, e) == 1
        }
    }

    /// True when `signature` (DER for ECDSA) is this key's over `message`.
    func isValid(_ signature: [UInt8], over message: Span<UInt8>, digest: OpaquePointer?) -> Bool {
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        defer { ERR_clear_error() }
        guard unsafe EVP_DigestVerifyInit(context, nil, digest, nil, pointer) == 1 else { return false }
        return unsafe message.withUnsafeBufferPointer {
            unsafe EVP_DigestVerify(context, signature, signature.count, $0.baseAddress, $0.count) == 1
        }
    }
}

extension Curve {
    /// The digest that SSH pairs with the curve (RFC 5656, section 6.2.1).
    @safe var digest: OpaquePointer? {
        switch self {
        case .p256: unsafe EVP_sha256()
        case .p384: unsafe EVP_sha384()
        case .p521: unsafe EVP_sha512()
        }
    }
}

extension SSHWireError {
    /// libcrypto failed where only a lack of memory or a broken installation can make it fail.
    static func libcrypto(_ what: String) -> SSHWireError {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        return SSHWireError(.cryptoFailure, "libcrypto: \(what) failed with code \(code)")
    }
}
