// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The head of an HTTP/1.1 answer, strictly read (RFC 9112): CRLF at every line's end, no folded lines.
public struct HTTPResponseHead: Sendable, Hashable {
    public let status: Int
    /// Names in lower case, values without white space around them, in their order.
    public let fields: [Field]

    public struct Field: Sendable, Hashable {
        public let name: String
        public let value: String
    }

    /// The longest head, in bytes: servers' usual limit for a request's.
    public static let maximumBytes = 16 << 10
    /// The most fields.
    public static let maximumFields = 100

    /// The value of the one field of a name; nil when there is none, or several.
    public func value(_ name: String) -> String? {
        let found = fields.filter { $0.name == name }
        return found.count == 1 ? found[0].value : nil
    }

    /// True when one of the field's comma-separated elements is `token`, upper or lower case.
    public func lists(_ token: String, in name: String) -> Bool {
        fields.filter { $0.name == name }.contains { field in
            field.value.split(separator: ",").contains {
                $0.trimmingASCIISpace.lowercased() == token.lowercased()
            }
        }
    }

    /// Reads a head at the start of `bytes`.
    ///
    /// - Returns: the head and how many bytes it has, its empty line included; nil when it isn't whole yet.
    /// - Throws: `.tooLong` when ``maximumBytes`` or ``maximumFields`` are over, `.invalidValue` for anything that is no
    ///   HTTP/1 answer.
    public static func read(_ bytes: [UInt8]) throws(ControlProtocolError) -> (head: Self, count: Int)? {
        let looked = bytes.prefix(maximumBytes)
        guard let end = looked.firstRange(of: [0x0d, 0x0a, 0x0d, 0x0a]) else {
            guard bytes.count < maximumBytes else {
                throw ControlProtocolError(.tooLong, "HTTP head: over \(maximumBytes) bytes")
            }
            return nil
        }
        let refusal = ControlProtocolError(.invalidValue, "HTTP head: not one of HTTP/1.1")
        var lines = looked[..<end.lowerBound].split(separator: 0x0a, omittingEmptySubsequences: false)
        guard lines.count <= maximumFields + 1 else {
            throw ControlProtocolError(.tooLong, "HTTP head: over \(maximumFields) fields")
        }
        // Every line but the last, whose end was cut off, ends with a CR.
        for index in lines.indices.dropLast() {
            guard lines[index].popLast() == 0x0d else { throw refusal }
        }
        guard let first = lines.first, let status = status(String(decoding: first, as: UTF8.self)) else {
            throw refusal
        }
        var fields: [Field] = []
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                line[..<colon].allSatisfy(isTokenByte),
                line[colon...].allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7f })
            else { throw refusal }
            fields.append(
                Field(
                    name: String(decoding: line[..<colon], as: UTF8.self).lowercased(),
                    value: String(
                        String(decoding: line[(colon + 1)...], as: UTF8.self).trimmingASCIISpace)))
        }
        return (Self(status: status, fields: fields), end.upperBound)
    }

    /// The code of "HTTP/1.1 101 Switching Protocols"; its words may be missing.
    private static func status(_ line: String) -> Int? {
        guard line.hasPrefix("HTTP/1.1 ") || line.hasPrefix("HTTP/1.0 ") else { return nil }
        let rest = line.utf8.dropFirst(9)
        guard rest.count == 3 || rest.dropFirst(3).first == 0x20, !line.holdsControlCharacters,
            rest.prefix(3).allSatisfy({ (0x30...0x39).contains($0) }),
            let code = Int(String(decoding: rest.prefix(3), as: UTF8.self)), (100...599).contains(code)
        else { return nil }
        return code
    }

    /// RFC 9110, section 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}

extension StringProtocol {
    /// The text without spaces and tabs at its ends.
    var trimmingASCIISpace: SubSequence {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) })
        else { return self[endIndex...] }
        return self[first...last]
    }
}
