// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

extension PrivateKey {
    /// Makes a new RSA key with the public exponent 65537.
    static func generateRSA(bits: Int, comment: String) throws(SSHWireError) -> PrivateKey {
        guard Limits.rsaModulusBits.contains(bits), bits % 8 == 0 else {
            throw SSHWireError(
                .invalidValue,
                "RSA modulus: \(bits) bits, a multiple of 8 from \(Limits.rsaModulusBits.lowerBound) to "
                    + "\(Limits.rsaModulusBits.upperBound) expected")
        }
        guard SecureHeap.isReady else { throw .libcrypto("secure memory") }
        let context = unsafe EVP_PKEY_CTX_new_from_name(nil, "RSA", nil)
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var pointer: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(context) == 1,
            unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, Int32(clamping: bits)) == 1,
            unsafe EVP_PKEY_generate(context, &pointer) == 1, let pointer = unsafe pointer
        else { throw .libcrypto("making an RSA key") }
        let key = unsafe LibcryptoKey(owning: pointer)
        defer { wipeTraces() }
        let size = bits / 8
        return try unsafe withGuardedScratch(6 * size) { scratch throws(SSHWireError) in
            var numbers: [Range<Int>] = []
            let names = ["n", "e"] + RSANumbers.parametersInFiles
            for (index, name) in names.enumerated() {
                let range = (index * size)..<((index + 1) * size)
                try unsafe key.readNumber(name, into: UnsafeMutableRawBufferPointer(rebasing: scratch[range]))
                numbers.append(range)
            }
            let all = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(scratch))
            let modulus = [UInt8](all.extracting(numbers[0]))
            let exponent = [UInt8](all.extracting(numbers[1]).extracting((size - 3)..<size))
            return try rsa(
                modulus: modulus, exponent: exponent,
                RSANumbers.Input(
                    privateExponent: all.extracting(numbers[2]), coefficient: all.extracting(numbers[3]),
                    firstPrime: all.extracting(numbers[4]), secondPrime: all.extracting(numbers[5])),
                comment: comment)
        }
    }
}

extension LibcryptoKey {
    /// Writes a number of the key, big-endian and padded with zeros.
    ///
    /// `EVP_PKEY_get_bn_param` would do it through a buffer on the stack that it does not wipe.
    fileprivate func readNumber(
        _ name: StaticString, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SSHWireError) {
        let name = unsafe UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
        var parameters = unsafe [
            OSSL_PARAM_construct_BN(
                name, buffer.assumingMemoryBound(to: UInt8.self).baseAddress, buffer.count),
            OSSL_PARAM_construct_end(),
        ]
        // libcrypto pads to the size that it is given, in the machine's byte order.
        guard unsafe EVP_PKEY_get_params(pointer, &parameters) == 1,
            unsafe parameters[0].return_size <= buffer.count
        else { throw .libcrypto("reading an RSA key") }
        var bytes = unsafe buffer
        if 1.littleEndian == 1 { unsafe bytes.reverse() }
    }
}
