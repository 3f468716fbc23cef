// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// How an encrypted PKCS#8 file gets its key from a passphrase.
enum KeyDerivation {
    /// RFC 8018, section 5.2.
    case pbkdf2(salt: [UInt8], iterations: Int, PseudorandomFunction)
    /// RFC 7914.
    case scrypt(salt: [UInt8], cost: Int, blockSize: Int, passes: Int)

    /// PBKDF2's, always an HMAC.
    enum PseudorandomFunction {
        case sha1, sha224, sha256, sha384, sha512

        init?(objectIdentifier: String) {
            switch objectIdentifier {
            case "1.2.840.113549.2.7": self = .sha1
            case "1.2.840.113549.2.8": self = .sha224
            case "1.2.840.113549.2.9": self = .sha256
            case "1.2.840.113549.2.10": self = .sha384
            case "1.2.840.113549.2.11": self = .sha512
            default: return nil
            }
        }

        @safe fileprivate var digest: OpaquePointer? {
            switch self {
            case .sha1: unsafe EVP_sha1()
            case .sha224: unsafe EVP_sha224()
            case .sha256: unsafe EVP_sha256()
            case .sha384: unsafe EVP_sha384()
            case .sha512: unsafe EVP_sha512()
            }
        }
    }

    /// Reads an `AlgorithmIdentifier`'s content to its end (RFC 8018, appendix A.2; RFC 7914, section 7).
    ///
    /// - Throws: `.tooLong` when it asks for more work or memory than ``Limits`` allow.
    init(_ reader: inout DERReader, keyBytes: Int) throws(SSHWireError) {
        let identifier = try reader.readObjectIdentifier("key derivation")
        var fields = DERReader(try reader.read("key derivation", .sequence))
        try reader.finish("key derivation")
        let salt = [UInt8](try fields.read("salt", .octetString))
        guard salt.count <= Limits.keySaltBytes else {
            throw SSHWireError(
                .tooLong, "salt: \(salt.count) bytes, at most \(Limits.keySaltBytes) are allowed")
        }
        switch identifier {
        case "1.2.840.113549.1.5.12":
            let iterations = try fields.readCount("PBKDF2 iterations")
            guard (1...Limits.pbkdf2Iterations).contains(iterations) else {
                throw SSHWireError(
                    .tooLong,
                    "PBKDF2: \(iterations) iterations, 1 to \(Limits.pbkdf2Iterations) are allowed")
            }
            try Self.checkLength(&fields, keyBytes)
            var function = PseudorandomFunction.sha1
            if fields.isNext(.sequence) {
                var algorithm = DERReader(try fields.read("PBKDF2 function", .sequence))
                let name = try algorithm.readObjectIdentifier("PBKDF2 function")
                try algorithm.skip("PBKDF2 function", ifNext: .null)
                try algorithm.finish("PBKDF2 function")
                guard let named = PseudorandomFunction(objectIdentifier: name) else {
                    throw SSHWireError(.unsupportedType, "PBKDF2 function \(name): not supported")
                }
                function = named
            }
            self = .pbkdf2(salt: salt, iterations: iterations, function)
        case "1.3.6.1.4.1.11591.4.11":
            let cost = try fields.readCount("scrypt cost")
            let blockSize = try fields.readCount("scrypt block size")
            let passes = try fields.readCount("scrypt passes")
            try Self.checkLength(&fields, keyBytes)
            let (blocks, overflow) = cost.multipliedReportingOverflow(by: blockSize)
            guard !overflow, (1...Limits.scryptMemoryBytes / 128).contains(blocks),
                (1...Limits.scryptPasses).contains(passes)
            else {
                throw SSHWireError(
                    .tooLong,
                    "scrypt: cost \(cost), block size \(blockSize), \(passes) passes; at most "
                        + "\(Limits.scryptMemoryBytes >> 20) MiB and \(Limits.scryptPasses) passes are allowed"
                )
            }
            self = .scrypt(salt: salt, cost: cost, blockSize: blockSize, passes: passes)
        default:
            throw SSHWireError(.unsupportedType, "key derivation \(identifier): PBKDF2 or scrypt expected")
        }
        try fields.finish("key derivation")
    }

    /// The optional length of the key, which the cipher fixes anyway.
    private static func checkLength(_ fields: inout DERReader, _ keyBytes: Int) throws(SSHWireError) {
        guard fields.isNext(.integer) else { return }
        let length = try fields.readCount("derived key's length")
        guard length == keyBytes else {
            throw SSHWireError(
                .invalidValue, "derived key: \(length) bytes, \(keyBytes) expected by its cipher")
        }
    }

    /// Fills `key`.
    func derive(_ passphrase: SecretBytes, to key: UnsafeMutableRawBufferPointer) throws(SSHWireError) {
        let isDerived = unsafe passphrase.withUnsafeBytes { passphrase in
            let text = unsafe passphrase.assumingMemoryBound(to: CChar.self).baseAddress
            let output = unsafe key.assumingMemoryBound(to: UInt8.self).baseAddress
            switch self {
            case .pbkdf2(let salt, let iterations, let function):
                return unsafe PKCS5_PBKDF2_HMAC(
                    text, Int32(clamping: passphrase.count), salt, Int32(clamping: salt.count),
                    Int32(clamping: iterations), function.digest, Int32(clamping: key.count), output) == 1
            case .scrypt(let salt, let cost, let blockSize, let passes):
                // libcrypto's limit counts some blocks beside the large table.
                let limit = UInt64(clamping: 2 * Limits.scryptMemoryBytes)
                return unsafe EVP_PBE_scrypt(
                    text, passphrase.count, salt, salt.count, UInt64(clamping: cost),
                    UInt64(clamping: blockSize),
                    UInt64(clamping: passes), limit, output, key.count) == 1
            }
        }
        guard isDerived else {
            ERR_clear_error()
            throw SSHWireError(.invalidValue, "private key: its key derivation's values are not usable")
        }
    }
}
