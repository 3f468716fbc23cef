// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// The digests that OpenSSH makes of keys and files.
public enum Digest {
    /// SHA-256: 32 bytes.
    public static func sha256(_ data: Span<UInt8>) -> [UInt8] {
        // Not `SHA256`, which looks its own implementation up by name each time.
        unsafe digest(data, 32) { input, count, output in
            unsafe daypass_sha256(input, count, output)
            return unsafe output
        }
    }
    /// SHA-256: 32 bytes.
    public static func sha256(_ data: [UInt8]) -> [UInt8] { sha256(data.span) }
    /// SHA-512: 64 bytes.
    public static func sha512(_ data: [UInt8]) -> [UInt8] { unsafe digest(data.span, 64, SHA512) }
    /// SHA-1, 20 bytes: only for KRLs that name keys by it.
    public static func insecureSHA1(_ data: [UInt8]) -> [UInt8] { unsafe digest(data.span, 20, SHA1) }
    /// MD5, 16 bytes: only for fingerprints in the old style.
    public static func insecureMD5(_ data: [UInt8]) -> [UInt8] {
        unsafe digest(data.span, 16) { input, count, output in
            _ = unsafe EVP_Digest(input, count, output, nil, EVP_md5(), nil)
            return unsafe output
        }
    }

    private static func digest(
        _ data: Span<UInt8>, _ size: Int,
        _ function: (UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt8>?) -> UnsafeMutablePointer<UInt8>?
    ) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: size)
        unsafe data.withUnsafeBufferPointer { input in
            unsafe result.withUnsafeMutableBufferPointer { output in
                _ = unsafe function(input.baseAddress, input.count, output.baseAddress)
            }
        }
        return result
    }
}

extension PublicKey {
    /// The fingerprint that OpenSSH shows: `SHA256:` and unpadded base64.
    public var fingerprint: String {
        "SHA256:" + Base64.encode(Digest.sha256(encoded).span, padded: false)
    }

    /// The fingerprint in the old style: `MD5:` and colon-separated hexadecimal.
    public var fingerprintMD5: String {
        "MD5:" + Digest.insecureMD5(encoded).map { hexadecimal([$0]) }.joined(separator: ":")
    }
}
