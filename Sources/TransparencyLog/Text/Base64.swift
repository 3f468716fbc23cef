// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Standard Base64 (RFC 4648, section 4) that has one text for each value.
enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xff, count: 256)
        for (value, character) in alphabet.enumerated() {
            values[Int(character)] = UInt8(truncatingIfNeeded: value)
        }
        return values
    }()

    /// The padded text of `bytes`.
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for position in 0..<4 {
                let sextet = Int(bits >> UInt32(18 - 6 * position) & 0x3f)
                text.append(position <= group.count ? alphabet[sextet] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads padded text without white space whose unused bits are zero.
    ///
    /// Throws `.tooLong` above `maximum` decoded bytes, before anything is decoded, `.malformed` for a character
    /// or length that Base64 does not have, `.notCanonical` for unused bits that are set.
    static func decode(
        _ text: ArraySlice<UInt8>, _ field: StaticString, upTo maximum: Int
    ) throws(TransparencyLogError) -> [UInt8] {
        guard text.count <= (maximum + 2) / 3 * 4 else {
            throw TransparencyLogError(
                .tooLong, "\(field): \(text.count) characters of base64, at most \(maximum) bytes are allowed"
            )
        }
        guard text.count % 4 == 0 else {
            throw TransparencyLogError(
                .malformed, "\(field): \(text.count) characters of base64, a multiple of 4 expected")
        }
        var significant = text
        for _ in 0..<2 where significant.last == UInt8(ascii: "=") { significant.removeLast() }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for character in significant {
            let value = values[Int(character)]
            guard value != 0xff else {
                throw TransparencyLogError(
                    .malformed, "\(field): byte 0x\(String(character, radix: 16)) is not base64")
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
                bits &= (1 << count) - 1
            }
        }
        guard bits == 0 else {
            throw TransparencyLogError(.notCanonical, "\(field): unused bits of base64 are set")
        }
        guard bytes.count <= maximum else {
            throw TransparencyLogError(
                .tooLong, "\(field): \(bytes.count) bytes, at most \(maximum) are allowed")
        }
        return bytes
    }
}
