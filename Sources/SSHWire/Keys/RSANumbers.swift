// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// The secret numbers of an RSA key in one piece of guarded memory, each as an `mpint`: d, q⁻¹ mod p, p, q (what
/// OpenSSH's files hold, in their order), then d mod (p - 1) and d mod (q - 1), which libcrypto needs as well.
enum RSANumbers {
    /// libcrypto's names of those that a file holds, in its order. <openssl/core_names.h> joins most of them from
    /// two literals, which Swift doesn't import.
    static let parametersInFiles: [StaticString] = ["d", "rsa-coefficient1", "rsa-factor1", "rsa-factor2"]
    /// libcrypto's names of all, in their order here.
    static let parameters: [StaticString] = parametersInFiles + ["rsa-exponent1", "rsa-exponent2"]

    /// The secret numbers as they were read, big-endian.
    @safe struct Input: ~Escapable {
        let privateExponent: Span<UInt8>
        let coefficient: Span<UInt8>
        let firstPrime: Span<UInt8>
        let secondPrime: Span<UInt8>

        @_lifetime(copy privateExponent, copy coefficient, copy firstPrime, copy secondPrime)
        init(
            privateExponent: Span<UInt8>, coefficient: Span<UInt8>, firstPrime: Span<UInt8>,
            secondPrime: Span<UInt8>
        ) {
            self.privateExponent = privateExponent
            self.coefficient = coefficient
            self.firstPrime = firstPrime
            self.secondPrime = secondPrime
        }
    }

    /// Checks that the numbers are of one key, and puts them into guarded memory.
    ///
    /// The primes are taken for primes: testing them takes seconds, and a key that its owner made badly is bad anyhow.
    ///
    /// - Throws: `.invalidKey` unless p · q = n, d · e = 1 modulo p - 1 and q - 1, and the coefficient is right.
    static func pack(
        _ input: Input, modulus: [UInt8], exponent: [UInt8]
    ) throws(SSHWireError) -> SecretBytes {
        let d = try SecretNumber(input.privateExponent)
        let coefficient = try SecretNumber(input.coefficient)
        let p = try SecretNumber(input.firstPrime)
        let q = try SecretNumber(input.secondPrime)
        let n = try SecretNumber(modulus.span)
        let e = try SecretNumber(exponent.span)
        let arithmetic = try SecretArithmetic()
        for number in [d, coefficient, p, q] {
            guard number.bits > 1 || number === coefficient, number.bits <= n.bits else {
                throw SSHWireError(.invalidKey, "RSA key: a secret number is out of range")
            }
        }
        let product = try SecretNumber()
        guard unsafe BN_mul(product.pointer, p.pointer, q.pointer, arithmetic.context) == 1 else {
            throw .libcrypto("arithmetic")
        }
        guard unsafe BN_cmp(product.pointer, n.pointer) == 0 else {
            throw SSHWireError(.invalidKey, "RSA key: its primes are not its modulus'")
        }
        let dp = try arithmetic.remainder(d, moduloPredecessorOf: p)
        let dq = try arithmetic.remainder(d, moduloPredecessorOf: q)
        guard try arithmetic.isInverse(d, e, moduloPredecessorOf: p),
            try arithmetic.isInverse(d, e, moduloPredecessorOf: q)
        else { throw SSHWireError(.invalidKey, "RSA key: its private exponent is not its public one's") }
        guard unsafe BN_cmp(coefficient.pointer, p.pointer) < 0,
            try arithmetic.isInverse(coefficient, q, modulo: p)
        else { throw SSHWireError(.invalidKey, "RSA key: its coefficient is not its primes'") }
        return try unsafe SecretBytes(upTo: 6 * (modulus.count + 5)) { buffer throws(SSHWireError) in
            var writer = unsafe SecretWriter(buffer)
            for number in [d, coefficient, p, q, dp, dq] { try writer.writePositiveInteger(number) }
            return writer.count
        }
    }
}

extension PrivateKey {
    /// Makes an RSA key from numbers that were read.
    static func rsa(
        modulus: [UInt8], exponent: [UInt8], _ numbers: RSANumbers.Input, comment: String
    ) throws(SSHWireError) -> PrivateKey {
        let publicKey = try PublicKey(.rsa(modulus: modulus, exponent: exponent))
        let secret = try RSANumbers.pack(numbers, modulus: modulus, exponent: exponent)
        wipeTraces()
        return PrivateKey(publicKey, secret: secret, comment: comment)
    }
}

extension LibcryptoKey {
    /// A key that signs, from what ``RSANumbers`` has packed.
    convenience init(modulus: [UInt8], exponent: [UInt8], packed: Span<UInt8>) throws(SSHWireError) {
        var reader = WireReader(packed)
        var numbers: [SecretNumber] = []
        for _ in RSANumbers.parameters {
            numbers.append(try SecretNumber(try reader.readPositiveInteger("RSA number", upTo: packed.count)))
        }
        try reader.finish("RSA numbers")
        let n = try SecretNumber(modulus.span)
        let e = try SecretNumber(exponent.span)
        try self.init(type: "RSA", selection: DAYPASS_PKEY_KEYPAIR) { parameters in
            var isFilled = unsafe parameters.push("n", n.pointer) && parameters.push("e", e.pointer)
            for (name, number) in zip(RSANumbers.parameters, numbers) {
                isFilled = unsafe isFilled && parameters.push(name, number.pointer)
            }
            return isFilled
        }
        withExtendedLifetime((n, e, numbers)) {}
    }
}
