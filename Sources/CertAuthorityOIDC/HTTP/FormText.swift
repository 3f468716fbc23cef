// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol

/// Text for the body of a form, or the query of an address (`application/x-www-form-urlencoded`).
enum FormText {
    /// Names and values, each encoded.
    static func encode(_ pairs: [(name: String, value: String)]) -> String {
        pairs.map { "\(encode($0.name))=\(encode($0.value))" }.joined(separator: "&")
    }

    /// All but letters, digits and `-._~` as percent and two digits: the strictest reading of every rule for forms, paths
    /// and `Authorization` (RFC 6749, section 2.3.1).
    static func encode(_ text: String) -> String { percentEncode(text, keeping: "-._~") }
}

/// Writes all but ASCII letters, digits and the characters kept as percent and two digits.
///
/// Two texts never become one as long as `%` is not kept.
func percentEncode(_ text: String, keeping kept: StaticString) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    let kept = Array(kept.description.utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: bytes.append(byte)
        case _ where kept.contains(byte): bytes.append(byte)
        default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
