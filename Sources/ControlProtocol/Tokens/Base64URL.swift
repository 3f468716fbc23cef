// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Base64 with the alphabet for URLs (RFC 4648, section 5) in its strict form: no padding, no white space, no spare
/// bits.
public enum Base64URL {
    /// The text of `bytes`.
    public static func encode(_ bytes: [UInt8]) -> String {
        String(
            decoding: Base64.encode(bytes, padded: false).utf8.map { byte in
                switch byte {
                case UInt8(ascii: "+"): UInt8(ascii: "-")
                case UInt8(ascii: "/"): UInt8(ascii: "_")
                default: byte
                }
            }, as: UTF8.self)
    }

    /// The bytes of `text`.
    ///
    /// - Throws: `.invalidValue` unless it is exactly what ``encode(_:)`` makes of the result: a text that could be
    ///   spelt in two ways would be two tokens with one meaning.
    public static func decode(_ field: StaticString, _ text: some StringProtocol) throws(ControlProtocolError)
        -> [UInt8]
    {
        let refusal = ControlProtocolError(.invalidValue, "\(field): not strict base64url")
        var translated: [UInt8] = []
        translated.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"): translated.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): translated.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"): throw refusal
            default: translated.append(byte)
            }
        }
        do {
            return try Base64.decode(field, String(decoding: translated, as: UTF8.self), padded: false)
        } catch {
            throw refusal
        }
    }
}
