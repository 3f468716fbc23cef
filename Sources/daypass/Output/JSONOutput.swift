// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CommandSupport
import Foundation
import SSHWire

/// Results for programs: one JSON value, keys sorted, names in snake_case, serials as strings (they have 64 bits, and
/// many readers keep numbers as doubles).
enum JSONOutput {
    static func write(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        Terminal.write(escaped(Array(try encoder.encode(value))) + [UInt8(ascii: "\n")])
    }

    /// The same JSON with every character as `\uXXXX` that could act on a terminal: people look at JSON, too, and the
    /// encoder escapes only what JSON demands (not U+009B, not the bidirectional overrides).
    private static func escaped(_ json: [UInt8]) -> [UInt8] {
        guard json.contains(where: { $0 >= 0x7f }) else { return json }
        var text = ""
        for scalar in String(decoding: json, as: UTF8.self).unicodeScalars {
            if scalar.value >= 0x7f, String(scalar).holdsControlCharacters {
                // Only inside strings can such a character be.
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return Array(text.utf8)
    }
}
