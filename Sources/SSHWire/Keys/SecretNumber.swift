// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// A secret number of libcrypto's in its secure heap, wiped with this object.
///
/// libcrypto also uses its constant-time code for it.
@safe final class SecretNumber {
    let pointer: OpaquePointer

    /// A number that something is still to be written to.
    init() throws(SSHWireError) {
        guard SecureHeap.isReady, let number = unsafe BN_secure_new() else {
            throw .libcrypto("secure memory")
        }
        unsafe pointer = number
        unsafe BN_set_flags(number, BN_FLG_CONSTTIME)
    }

    /// A number from its big-endian magnitude.
    convenience init(_ magnitude: Span<UInt8>) throws(SSHWireError) {
        try self.init()
        let isRead = unsafe magnitude.withUnsafeBufferPointer {
            unsafe BN_bin2bn($0.baseAddress, Int32(clamping: $0.count), pointer) != nil
        }
        guard isRead else { throw .libcrypto("secure memory") }
    }

    deinit { unsafe BN_clear_free(pointer) }

    /// The number of significant bits.
    var bits: Int { Int(unsafe BN_num_bits(pointer)) }
}

/// Temporary numbers for libcrypto's arithmetic, in its secure heap too.
@safe final class SecretArithmetic {
    let context: OpaquePointer

    init() throws(SSHWireError) {
        guard SecureHeap.isReady, let context = unsafe BN_CTX_secure_new() else {
            throw .libcrypto("secure memory")
        }
        unsafe self.context = context
    }

    deinit { unsafe BN_CTX_free(context) }

    /// `value` modulo `divisor - 1`, as RSA's exponents for the primes are made.
    func remainder(_ value: SecretNumber, moduloPredecessorOf divisor: SecretNumber) throws(SSHWireError)
        -> SecretNumber
    {
        let divisor = try predecessor(divisor)
        let result = try SecretNumber()
        guard unsafe BN_div(nil, result.pointer, value.pointer, divisor.pointer, context) == 1 else {
            throw .libcrypto("arithmetic")
        }
        return result
    }

    /// True when `one * other` is 1 modulo `modulus`.
    func isInverse(
        _ one: SecretNumber, _ other: SecretNumber, modulo modulus: SecretNumber
    ) throws(SSHWireError) -> Bool {
        let product = try SecretNumber()
        guard unsafe BN_mod_mul(product.pointer, one.pointer, other.pointer, modulus.pointer, context) == 1
        else {
            throw .libcrypto("arithmetic")
        }
        return unsafe BN_is_one(product.pointer) == 1
    }

    /// True when `one * other` is 1 modulo `prime - 1`.
    func isInverse(
        _ one: SecretNumber, _ other: SecretNumber, moduloPredecessorOf prime: SecretNumber
    ) throws(SSHWireError) -> Bool {
        try isInverse(one, other, modulo: try predecessor(prime))
    }

    private func predecessor(_ number: SecretNumber) throws(SSHWireError) -> SecretNumber {
        let result = try SecretNumber()
        guard unsafe BN_sub(result.pointer, number.pointer, BN_value_one()) == 1 else {
            throw .libcrypto("arithmetic")
        }
        return result
    }
}

/// libcrypto's secure heap: locked, between guard pages, left out of core dumps, wiped on release.
enum SecureHeap {
    /// In bytes, a power of two. An RSA-4096 key takes 4 KiB of it during a signature and an ECDSA key 200 bytes, so
    /// 60 threads may sign at once; a process may lock 8 MiB on current systems.
    private static let size = 256 << 10
    /// The smallest piece that it hands out, in bytes.
    private static let minimum = 16

    /// True when numbers can be put into it. Somebody else in the process may have arranged it before us.
    static let isReady =
        CRYPTO_secure_malloc_initialized() == 1 || CRYPTO_secure_malloc_init(size, minimum) != 0
}
