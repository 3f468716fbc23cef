// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import CSodium

extension PrivateKey {
    /// Makes a key from a scalar that was read, and compares its public half with the one that was read beside it.
    ///
    /// - Parameters:
    ///   - scalar: big-endian, leading zero bytes or not. The caller's copy stays the caller's to wipe.
    ///   - point: SEC 1's form, compressed or not; nil where none was read.
    /// - Throws: `.invalidKey` for a scalar that is out of range, or another point's.
    public static func ecdsa(
        _ curve: Curve, scalar: Span<UInt8>, point: [UInt8]?, comment: String
    ) throws(SSHWireError) -> PrivateKey {
        var start = 0
        while start < scalar.count, scalar[start] == 0 { start += 1 }
        let significant = scalar.extracting(start..<scalar.count)
        let size = curve.coordinateBytes
        guard significant.count <= size else {
            throw SSHWireError(
                .invalidKey, "ECDSA scalar: \(significant.count) bytes, at most \(size) expected")
        }
        let secret = try unsafe SecretBytes(count: size) { buffer throws(SSHWireError) in
            var writer = unsafe SecretWriter(buffer)
            for _ in significant.count..<size { try writer.write(0 as UInt8) }
            try writer.writeRaw(significant)
        }
        let computed = try secret.withSpan { (scalar) throws(SSHWireError) in
            try publicPoint(of: scalar, on: curve)
        }
        // openssl can be told to write points compressed (SEC 1, section 2.3.3): the sign of y, then x.
        let compressed = [2 | (computed.last ?? 0) & 1] + computed[1...size]
        if let point, point != computed, point != compressed {
            throw SSHWireError(.invalidKey, "ECDSA key: its public half is not its scalar's")
        }
        let publicKey = try PublicKey(.ecdsa(curve, point: computed))
        return PrivateKey(publicKey, secret: secret, comment: comment)
    }

    /// Opens an ECDSA key's scalar, big-endian and as long as a coordinate, while `body` runs; nil for other keys.
    ///
    /// For file formats of others: what `body` copies elsewhere is no longer guarded.
    public func withECDSAScalar<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R? {
        guard case .ecdsa = publicKey.material else { return nil }
        return try secret.withSpan(body)
    }

    /// Makes a new key by drawing scalars until one is in range (FIPS 186-5, appendix A.2.2).
    ///
    /// libcrypto's own generator leaves a copy on the stack and would hand the scalar over through the heap.
    static func generateECDSA(_ curve: Curve, comment: String) throws(SSHWireError) -> PrivateKey {
        let size = curve.coordinateBytes
        // A draw is out of range once in 2^32 for P-256 and less often for the others.
        for _ in 0..<16 {
            let scalar = try unsafe SecretBytes(count: size) { buffer throws(SSHWireError) in
                guard let base = buffer.baseAddress else { return }
                unsafe randombytes_buf(base, size)
                unsafe buffer[0] &= UInt8(truncatingIfNeeded: 0xff >> (size * 8 - curve.bits))
            }
            do throws(SSHWireError) {
                return try scalar.withSpan { (scalar) throws(SSHWireError) in
                    try ecdsa(curve, scalar: scalar, point: nil, comment: comment)
                }
            } catch  where error.code == .invalidKey {
                continue
            }
        }
        throw SSHWireError(.cryptoFailure, "libsodium: the random source gives no usable numbers")
    }

    /// The scalar times the curve's generator, as an uncompressed point.
    ///
    /// - Throws: `.invalidKey` for a scalar that OpenSSH refuses (`sshkey_ec_validate_private`): of half the order's
    ///   bits or fewer, or not below the order less one.
    private static func publicPoint(of scalar: Span<UInt8>, on curve: Curve) throws(SSHWireError) -> [UInt8] {
        let group = unsafe EC_GROUP_new_by_curve_name(curve.identifier)
        let point = unsafe EC_POINT_new(group)
        let limit = unsafe BN_new()
        defer {
            unsafe EC_GROUP_free(group)
            unsafe EC_POINT_free(point)
            unsafe BN_free(limit)
        }
        let number = try SecretNumber(scalar)
        let arithmetic = try SecretArithmetic()
        guard unsafe EC_GROUP_get_order(group, limit, arithmetic.context) == 1,
            unsafe BN_sub_word(limit, 1) == 1
        else { throw .libcrypto("curve \(curve.rawValue)") }
        guard number.bits > Int(unsafe BN_num_bits(limit)) / 2, unsafe BN_cmp(number.pointer, limit) < 0
        else {
            throw SSHWireError(.invalidKey, "ECDSA scalar: out of range")
        }
        var bytes = [UInt8](repeating: 0, count: 2 * curve.coordinateBytes + 1)
        let isMultiplied =
            unsafe EC_POINT_mul(group, point, number.pointer, nil, nil, arithmetic.context) == 1
        let written = unsafe EC_POINT_point2oct(
            group, point, POINT_CONVERSION_UNCOMPRESSED, &bytes, bytes.count, arithmetic.context)
        // The multiplication may leave the scalar's digits in its stack frame.
        wipeTraces()
        guard isMultiplied, written == bytes.count else { throw .libcrypto("point multiplication") }
        return bytes
    }
}

extension LibcryptoKey {
    /// A key that signs, from the scalar alone: with the point beside it, libcrypto would check that each time.
    convenience init(_ curve: Curve, scalar: Span<UInt8>) throws(SSHWireError) {
        let number = try SecretNumber(scalar)
        try self.init(type: "EC", selection: DAYPASS_PKEY_KEYPAIR) { parameters in
            unsafe parameters.push("group", curve.libcryptoName) && parameters.push("priv", number.pointer)
        }
        withExtendedLifetime(number) {}
    }

    /// A signature over `message` in libcrypto's encoding, DER for ECDSA.
    func sign(_ message: Span<UInt8>, digest: OpaquePointer?) throws(SSHWireError) -> [UInt8] {
        let context = unsafe EVP_MD_CTX_new()
        defer {
            unsafe EVP_MD_CTX_free(context)
            wipeTraces()
        }
        var signature = [UInt8](repeating: 0, count: Int(unsafe EVP_PKEY_get_size(pointer)))
        var count = signature.count
        let isSigned = unsafe message.withUnsafeBufferPointer { message in
            unsafe EVP_DigestSignInit(context, nil, digest, nil, pointer) == 1
                && EVP_DigestSign(context, &signature, &count, message.baseAddress, message.count) == 1
        }
        guard isSigned, count <= signature.count else { throw .libcrypto("signing") }
        signature.removeLast(signature.count - count)
        return signature
    }
}

/// ECDSA signatures in SSH's encoding (RFC 5656, section 3.1.2) from libcrypto's (X9.62, DER).
func sshSignature(fromDER der: [UInt8]) throws(SSHWireError) -> [UInt8] {
    var reader = DERReader(der.span)
    var inner = DERReader(try reader.read("ECDSA signature", .sequence))
    try reader.finish("ECDSA signature")
    var writer = WireWriter(reserving: der.count + 8)
    writer.writePositiveInteger([UInt8](try inner.readPositiveInteger("ECDSA signature r")))
    writer.writePositiveInteger([UInt8](try inner.readPositiveInteger("ECDSA signature s")))
    try inner.finish("ECDSA signature")
    return writer.bytes
}
