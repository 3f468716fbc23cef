// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A cursor over the lines of a text, each of which ends in a newline.
struct Lines {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    /// Everything that has not been read.
    var rest: ArraySlice<UInt8> { bytes[offset...] }

    /// Reads a line, without its newline; throws `.truncated` where there is none.
    mutating func next(_ field: StaticString) throws(TransparencyLogError) -> ArraySlice<UInt8> {
        guard let end = bytes[offset...].firstIndex(of: UInt8(ascii: "\n")) else {
            throw TransparencyLogError(.truncated, "\(field): a line that ends in a newline expected")
        }
        defer { offset = end + 1 }
        return bytes[offset..<end]
    }
}

/// Reads an ASCII decimal without leading zeros that is at most `maximum`.
///
/// Throws `.malformed`, `.notCanonical` for leading zeros, or `.outOfRange`.
func decimal(
    _ text: ArraySlice<UInt8>, _ field: StaticString, upTo maximum: UInt64
) throws(TransparencyLogError) -> UInt64 {
    guard !text.isEmpty, text.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
        throw TransparencyLogError(.malformed, "\(field): \(quoted(text)), a decimal number expected")
    }
    guard text.count == 1 || text.first != UInt8(ascii: "0") else {
        throw TransparencyLogError(.notCanonical, "\(field): \(quoted(text)) has leading zeros")
    }
    var value: UInt64 = 0
    for digit in text {
        let (scaled, scaleOverflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, sumOverflow) = scaled.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
        guard !scaleOverflow, !sumOverflow, sum <= maximum else {
            throw TransparencyLogError(
                .outOfRange, "\(field): \(quoted(text)), at most \(maximum) is allowed")
        }
        value = sum
    }
    return value
}

/// Input for an error's reason: in quotes, cut after 80 bytes, everything but printable ASCII escaped.
func quoted(_ text: some Collection<UInt8>) -> String {
    var shown = "\""
    for byte in text.prefix(80) {
        switch byte {
        case UInt8(ascii: "\\"): shown += "\\\\"
        case UInt8(ascii: "\""): shown += "\\\""
        case 0x20..<0x7f: shown.unicodeScalars.append(Unicode.Scalar(byte))
        default: shown += "\\x" + hexadecimal(UInt64(byte), digits: 2)
        }
    }
    return shown + (text.count > 80 ? "…\"" : "\"")
}

extension Unicode.Scalar {
    /// True for what a reader can't see or what acts on a terminal: controls, format characters, separators of lines,
    /// characters that nothing is assigned to or that have nothing to show. No name and no checkpoint holds one: two
    /// names that look alike would be two logs.
    var isUnprintable: Bool {
        if (0x20...0x7e).contains(value) { return false }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
            true
        default: properties.isDefaultIgnorableCodePoint
        }
    }
}

/// Lower-case hexadecimal with leading zeros.
func hexadecimal(_ value: UInt64, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}
