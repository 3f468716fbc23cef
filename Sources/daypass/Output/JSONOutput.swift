// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Results for programs: one JSON value, keys sorted, names in snake_case, serials as strings (they have 64 bits, and
/// many readers keep numbers as doubles).
enum JSONOutput {
    static func write(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        Terminal.write(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
    }
}
