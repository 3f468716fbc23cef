// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A cursor over the bytes of one line: words between blanks (space and tab), as OpenSSH's parsers split.
///
/// It works on bytes and never on Swift's `Character`s, to which a quote and a combining accent behind it would be
/// one.
struct LineScanner {
    let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    /// The next byte, without moving.
    var next: UInt8? { isAtEnd ? nil : bytes[offset] }

    mutating func skipBlanks() {
        while let byte = next, byte.isBlank { offset += 1 }
    }

    /// Moves over the next byte when it is `byte`.
    mutating func skip(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    /// Reads while `condition` holds.
    mutating func read(while condition: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let start = offset
        while let byte = next, condition(byte) { offset += 1 }
        return bytes[start..<offset]
    }

    /// Reads up to the next blank or the end, and moves over the blanks.
    mutating func readWord() -> ArraySlice<UInt8> {
        let word = read { !$0.isBlank }
        skipBlanks()
        return word
    }

    /// Reads the rest of the line without the blanks at its end.
    mutating func readRest() -> ArraySlice<UInt8> {
        var end = bytes.count
        while end > offset, bytes[end - 1].isBlank { end -= 1 }
        defer { offset = bytes.count }
        return bytes[offset..<end]
    }
}

extension UInt8 {
    /// True for space and tab, which separate words in every format here.
    var isBlank: Bool { self == 0x20 || self == 0x09 }
    /// True for ASCII's control characters but tab, which may stand wherever a space may.
    var isControl: Bool { (self < 0x20 && self != 0x09) || self == 0x7f }
    /// ASCII letters in lower case, everything else as it is (C's `tolower` in the C locale).
    var lowercased: UInt8 { (0x41...0x5a).contains(self) ? self + 0x20 : self }
    var isDigit: Bool { (0x30...0x39).contains(self) }
}

extension ExactText {
    /// The text's bytes.
    var bytes: [UInt8] { Array(string.utf8) }

    /// Takes bytes that are known to be a part, between ASCII bytes, of a text that is UTF-8.
    init(part bytes: some Sequence<UInt8>) { self.init(String(decoding: Array(bytes), as: UTF8.self)) }
}

/// The bytes of one line of text: UTF-8 without control characters, of bounded length, its line ending not included.
///
/// - Throws: `.tooLong`, `.notText`.
func lineBytes(_ line: String, _ field: StaticString) throws(SSHWireError) -> [UInt8] {
    guard line.utf8.count <= Limits.textLineBytes else {
        throw SSHWireError(
            .tooLong, "\(field): \(line.utf8.count) bytes, at most \(Limits.textLineBytes) are allowed")
    }
    let bytes = Array(line.utf8)
    try refuseControls(bytes, field)
    return bytes
}

/// Refuses bytes that no line may hold: NUL, line ends, other control characters but tab.
func refuseControls(_ bytes: some Sequence<UInt8>, _ field: StaticString) throws(SSHWireError) {
    if let control = bytes.first(where: \.isControl) {
        throw SSHWireError(.notText, "\(field): control character \(control)")
    }
}

/// A word for an error: what is no name as SSH forms them is not shown, for it may be anything, a secret too.
func describe(_ word: ArraySlice<UInt8>) -> String {
    let isName =
        word.count <= Limits.nameBytes && word.contains(UInt8(ascii: "-"))
        && word.allSatisfy {
            $0.isDigit || (0x61...0x7a).contains($0.lowercased) || "-.@_".utf8.contains($0)
        }
    return isName ? "\"\(ExactText(part: word))\"" : "\(word.count) bytes of something else"
}
