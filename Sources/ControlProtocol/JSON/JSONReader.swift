// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Reads one JSON text, strictly: whole numbers only, no member twice, a bound on size and depth, nothing left over.
struct JSONReader {
    private let bytes: [UInt8]
    private var index = 0
    private let maximumDepth: Int
    private let otherNumbers: JSONValue.OtherNumbers

    init(_ bytes: [UInt8], maximumDepth: Int, otherNumbers: JSONValue.OtherNumbers) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
        self.otherNumbers = otherNumbers
    }

    /// The whole text as one value.
    mutating func readAll() throws(ControlProtocolError) -> JSONValue {
        let value = try readValue(depth: 0)
        skipWhiteSpace()
        guard index == bytes.count else { throw notJSON("more behind its end") }
        return value
    }

    private mutating func readValue(depth: Int) throws(ControlProtocolError) -> JSONValue {
        guard depth <= maximumDepth else {
            throw ControlProtocolError(.tooLong, "JSON: nested deeper than \(maximumDepth)")
        }
        skipWhiteSpace()
        guard let byte = peek else { throw notJSON("it ends where a value should be") }
        switch byte {
        case UInt8(ascii: "{"): return try readObject(depth: depth)
        case UInt8(ascii: "["): return try readArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "t"): return try readWord("true", .bool(true))
        case UInt8(ascii: "f"): return try readWord("false", .bool(false))
        case UInt8(ascii: "n"): return try readWord("null", .null)
        default: return try readNumber()
        }
    }

    private static let fewMembers = 16

    private mutating func readObject(depth: Int) throws(ControlProtocolError) -> JSONValue {
        index += 1
        var members: [JSONValue.Member] = []
        // Only for objects with many members: those of a few are compared one by one, which costs less.
        var names: Set<[UInt8]> = []
        skipWhiteSpace()
        if take(UInt8(ascii: "}")) { return .object([]) }
        while true {
            skipWhiteSpace()
            guard peek == UInt8(ascii: "\"") else { throw notJSON("a member's name expected") }
            let name = try readString()
            // Two readers that keep another one of two members would read two messages.
            let isNew: Bool
            if members.count < Self.fewMembers {
                isNew = !members.contains { $0.name.utf8.elementsEqual(name.utf8) }
            } else {
                if names.isEmpty { names = Set(members.map { Array($0.name.utf8) }) }
                isNew = names.insert(Array(name.utf8)).inserted
            }
            guard isNew else {
                throw ControlProtocolError(.unexpected, "JSON: a member twice at byte \(index)")
            }
            skipWhiteSpace()
            guard take(UInt8(ascii: ":")) else { throw notJSON("a colon expected") }
            members.append(JSONValue.Member(name, try readValue(depth: depth + 1)))
            skipWhiteSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw notJSON("a comma or } expected") }
        }
    }

    private mutating func readArray(depth: Int) throws(ControlProtocolError) -> JSONValue {
        index += 1
        var values: [JSONValue] = []
        skipWhiteSpace()
        if take(UInt8(ascii: "]")) { return .array([]) }
        while true {
            values.append(try readValue(depth: depth + 1))
            skipWhiteSpace()
            if take(UInt8(ascii: "]")) { return .array(values) }
            guard take(UInt8(ascii: ",")) else { throw notJSON("a comma or ] expected") }
        }
    }

    private mutating func readNumber() throws(ControlProtocolError) -> JSONValue {
        let start = index
        _ = take(UInt8(ascii: "-"))
        skipDigits()
        let digits = String(decoding: bytes[start..<index], as: UTF8.self)
        // "01", "-0", "1.5" and "1e3" are refused with what is no number at all.
        if let number = Int64(digits), String(number) == digits,
            !(peek.map { ".eE+-".utf8.contains($0) } ?? false)
        {
            return .number(number)
        }
        guard otherNumbers == .null else { throw notJSON("a whole number of 64 bits expected") }
        index = start
        try skipNumber()
        return .null
    }

    /// Passes over a number of any form and size (RFC 8259, section 6).
    private mutating func skipNumber() throws(ControlProtocolError) {
        _ = take(UInt8(ascii: "-"))
        // A zero stands alone.
        if !take(UInt8(ascii: "0")) { try skipSomeDigits() }
        if take(UInt8(ascii: ".")) { try skipSomeDigits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try skipSomeDigits()
        }
    }

    private mutating func skipSomeDigits() throws(ControlProtocolError) {
        let start = index
        skipDigits()
        guard index > start else { throw notJSON("a digit expected") }
    }

    private mutating func skipDigits() {
        while let byte = peek, (0x30...0x39).contains(byte) { index += 1 }
    }

    private mutating func readString() throws(ControlProtocolError) -> String {
        index += 1
        var content: [UInt8] = []
        // What stands between escapes is taken in one piece.
        var start = index
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                let piece = bytes[start..<index]
                index += 1
                return try content.isEmpty ? text(piece) : text(content + piece)
            case UInt8(ascii: "\\"):
                content += bytes[start..<index]
                index += 1
                content += Array(String(try readEscape()).utf8)
                start = index
            case 0..<0x20: throw notJSON("a control character in a string")
            default: index += 1
            }
        }
        throw notJSON("a string without an end")
    }

    private func text(_ content: some Collection<UInt8>) throws(ControlProtocolError) -> String {
        // Nothing to repair, and several times faster than validating, which is not specialised.
        if content.allSatisfy({ $0 < 0x80 }) { return String(decoding: content, as: UTF8.self) }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw ControlProtocolError(.notText, "JSON: a string that is not UTF-8 before byte \(index)")
        }
        return text
    }

    private mutating func readEscape() throws(ControlProtocolError) -> Unicode.Scalar {
        guard let byte = peek else { throw notJSON("an escape without an end") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw notJSON("an escape that JSON hasn't")
        }
        let unit = try readUnit()
        if let scalar = Unicode.Scalar(UInt32(unit)) { return scalar }
        // Half of a pair: the other half must follow.
        guard unit < 0xdc00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw notJSON("half of a surrogate pair")
        }
        let second = try readUnit()
        guard (0xdc00...0xdfff).contains(second),
            let scalar = Unicode.Scalar(
                0x10000 + (UInt32(unit) - 0xd800) << 10 + (UInt32(second) - 0xdc00))
        else { throw notJSON("half of a surrogate pair") }
        return scalar
    }

    private mutating func readUnit() throws(ControlProtocolError) -> UInt16 {
        guard bytes.count - index >= 4,
            bytes[index..<index + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let unit = UInt16(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
        else { throw notJSON("four hexadecimal digits expected") }
        index += 4
        return unit
    }

    private mutating func readWord(_ word: StaticString, _ value: JSONValue) throws(ControlProtocolError)
        -> JSONValue
    {
        for byte in word.description.utf8 where !take(byte) { throw notJSON("\(word) expected") }
        return value
    }

    private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipWhiteSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { index += 1 }
    }

    private func notJSON(_ what: String) -> ControlProtocolError {
        ControlProtocolError(.notJSON, "JSON: \(what) at byte \(index)")
    }
}

extension JSONValue {
    /// What a reader makes of numbers that a ``JSONValue`` doesn't hold: fractions, exponents, more than 64 bits.
    public enum OtherNumbers: Sendable {
        /// The whole text is refused: nothing of ours has such a number.
        case refused
        /// They are read as null, for what others write: such a number can't be used, but doesn't spoil the rest.
        /// It is not rounded, which would make another number of it.
        case null
    }

    /// Parses one JSON text to its last byte.
    ///
    /// - Parameters:
    ///   - maximumBytes: the most that is looked at.
    ///   - maximumDepth: how many arrays and objects may be within each other.
    ///   - otherNumbers: what becomes of fractions and of numbers over 64 bits.
    /// - Throws: `.tooLong`, `.notJSON`, `.notText`, or `.unexpected` for a member that is there twice.
    public init(
        parsing bytes: [UInt8], maximumBytes: Int, maximumDepth: Int = 16,
        otherNumbers: OtherNumbers = .refused
    ) throws(ControlProtocolError) {
        guard bytes.count <= maximumBytes else {
            throw ControlProtocolError(
                .tooLong, "JSON: \(bytes.count) bytes, at most \(maximumBytes) are allowed")
        }
        var reader = JSONReader(bytes, maximumDepth: maximumDepth, otherNumbers: otherNumbers)
        self = try reader.readAll()
    }
}
