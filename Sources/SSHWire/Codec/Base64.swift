// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium

/// Base64 (RFC 4648, section 4) in its strict form: no white space, exact padding, no spare bits.
public enum Base64 {
    /// The text of `bytes`.
    public static func encode(_ bytes: Span<UInt8>, padded: Bool = true) -> String {
        let variant = padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING
        // The size that libsodium asks for includes a terminating NUL.
        let size = sodium_base64_encoded_len(bytes.count, variant)
        return unsafe bytes.withUnsafeBufferPointer { input in
            unsafe String(unsafeUninitializedCapacity: size) { text in
                unsafe text.withMemoryRebound(to: CChar.self) { text in
                    guard let start = text.baseAddress else { return 0 }
                    unsafe sodium_bin2base64(start, size, input.baseAddress, input.count, variant)
                    return size - 1
                }
            }
        }
    }

    /// The text of `bytes`.
    public static func encode(_ bytes: [UInt8], padded: Bool = true) -> String {
        encode(bytes.span, padded: padded)
    }

    /// The bytes of `text`.
    ///
    /// - Throws: `.notCanonical` unless it is exactly what ``encode(_:padded:)`` makes of the result.
    public static func decode(
        _ field: StaticString, _ text: some StringProtocol, padded: Bool = true
    ) throws(SSHWireError) -> [UInt8] {
        let variant = padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING
        let input = Array(text.utf8)
        var decoded = [UInt8](repeating: 0, count: input.count / 4 * 3 + 3)
        var count = 0
        let status = unsafe input.withUnsafeBufferPointer { characters in
            unsafe characters.withMemoryRebound(to: CChar.self) { characters in
                unsafe sodium_base642bin(
                    &decoded, decoded.count, characters.baseAddress, characters.count, nil, &count, nil,
                    variant)
            }
        }
        decoded.removeLast(decoded.count - count)
        // libsodium takes text that ends early or has spare bits set for some lengths: only a round trip is strict.
        guard status == 0, encode(decoded, padded: padded).utf8.elementsEqual(input) else {
            throw SSHWireError(.notCanonical, "\(field): not strict base64")
        }
        return decoded
    }
}
