// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Percent-encodes everything but what a path's part or a query may hold as it is (RFC 3986, section 2.3).
func queryEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
        let isPlain =
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "-._~".utf8.contains(byte)
        encoded += isPlain ? String(UnicodeScalar(byte)) : "%" + hexadecimal([byte]).uppercased()
    }
    return encoded
}
