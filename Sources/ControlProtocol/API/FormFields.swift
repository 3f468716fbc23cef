// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The fields of a form or a query (`application/x-www-form-urlencoded`, WHATWG URL section 5.1), each once.
///
/// A field that comes twice is refused, as RFC 6749 section 3.1 wants it of what an authorization server sends: one reader
/// would take the first, another the last.
public struct FormFields: Sendable, Hashable {
    /// Names and values, decoded.
    private let values: [String: String]

    /// The most fields.
    public static let maximumFields = 32

    /// - Parameters:
    ///   - text: what follows the question mark, or the body.
    ///   - maximumBytes: the longest text.
    /// - Throws: `.tooLong` for more bytes or fields; `.invalidValue` for an escape that is none, what is not UTF-8, control
    ///   characters, and a name that comes twice.
    public init(parsing text: some Sequence<UInt8>, maximumBytes: Int) throws(ControlProtocolError) {
        let bytes = Array(text.prefix(maximumBytes + 1))
        guard bytes.count <= maximumBytes else {
            throw ControlProtocolError(.tooLong, "form: at most \(maximumBytes) bytes are allowed")
        }
        var values: [String: String] = [:]
        for pair in bytes.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decode(parts[0])
            guard values[name] == nil else {
                throw ControlProtocolError(.invalidValue, "form: \"\(name.escapedForTerminal)\" comes twice")
            }
            guard values.count < Self.maximumFields else {
                throw ControlProtocolError(.tooLong, "form: at most \(Self.maximumFields) fields are allowed")
            }
            values[name] = parts.count == 2 ? try Self.decode(parts[1]) : ""
        }
        self.values = values
    }

    /// The value of a field; nil where there is none of this name.
    public subscript(name: String) -> String? { values[name] }

    private static func decode(_ text: ArraySlice<UInt8>) throws(ControlProtocolError) -> String {
        var decoded: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): decoded.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit)
                else { throw ControlProtocolError(.invalidValue, "form: two digits expected after %") }
                decoded.append(high << 4 | low)
            default: decoded.append(byte)
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self), !text.holdsControlCharacters else {
            throw ControlProtocolError(.invalidValue, "form: text without control characters expected")
        }
        return text
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
