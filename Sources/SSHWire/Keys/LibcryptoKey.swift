// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// An `EVP_PKEY` of libcrypto's, freed with this object (libcrypto wipes what is private in it).
@safe final class LibcryptoKey {
    let pointer: OpaquePointer

    /// Takes the pointer over.
    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe EVP_PKEY_free(pointer) }

    /// Builds a key from parameters that `fill` pushes; what they point to must live until `fill`'s caller is done.
    ///
    /// - Parameter selection: `DAYPASS_PKEY_PUBLIC_KEY` or `DAYPASS_PKEY_KEYPAIR`.
    convenience init(
        type: String, selection: Int32, _ fill: (LibcryptoParameters) -> Bool
    ) throws(SSHWireError) {
        guard let builder = unsafe OSSL_PARAM_BLD_new() else { throw .libcrypto("no memory") }
        defer { unsafe OSSL_PARAM_BLD_free(builder) }
        guard unsafe fill(LibcryptoParameters(builder)),
            let parameters = unsafe OSSL_PARAM_BLD_to_param(builder)
        else { throw .libcrypto("key parameters") }
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
        try self.init(type: "EC", selection: DAYPASS_PKEY_PUBLIC_KEY) { parameters in
            parameters.push("group", curve.libcryptoName) && parameters.push("pub", point)
        }
        withExtendedLifetime(point) {}
    }

    /// The public half of an RSA key.
    convenience init(modulus: [UInt8], exponent: [UInt8]) throws(SSHWireError) {
        let n = unsafe BN_bin2bn(modulus, Int32(clamping: modulus.count), nil)
        let e = unsafe BN_bin2bn(exponent, Int32(clamping: exponent.count), nil)
        defer {
            unsafe BN_free(n)
            unsafe BN_free(e)
        }
        try self.init(type: "RSA", selection: DAYPASS_PKEY_PUBLIC_KEY) { parameters in
            unsafe parameters.push("n", n) && parameters.push("e", e)
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

/// Parameters of a key that is being built.
///
/// libcrypto's builder copies neither names nor values before the key is made. A Swift string that is passed to C lives
/// only for that call, so names and texts are literals here.
@safe struct LibcryptoParameters {
    private let builder: OpaquePointer

    fileprivate init(_ builder: OpaquePointer) { unsafe self.builder = builder }

    /// Adds a text.
    func push(_ name: StaticString, _ text: StaticString) -> Bool {
        unsafe OSSL_PARAM_BLD_push_utf8_string(builder, characters(name), characters(text), 0) == 1
    }

    /// Adds bytes.
    func push(_ name: StaticString, _ bytes: [UInt8]) -> Bool {
        // An array's storage stays where it is for as long as the array does and nobody changes it.
        unsafe OSSL_PARAM_BLD_push_octet_string(builder, characters(name), bytes, bytes.count) == 1
    }

    /// Adds a number.
    func push(_ name: StaticString, _ number: OpaquePointer?) -> Bool {
        unsafe OSSL_PARAM_BLD_push_BN(builder, characters(name), number) == 1
    }

    private func characters(_ literal: StaticString) -> UnsafePointer<CChar>? {
        unsafe UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}

extension Curve {
    /// libcrypto's name of the curve.
    var libcryptoName: StaticString {
        switch self {
        case .p256: "P-256"
        case .p384: "P-384"
        case .p521: "P-521"
        }
    }

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
