// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A cursor over the lines of a text that holds secrets: it hands out positions, and copies a line to a `String`
/// only when it is asked to.
struct SecretLines: ~Escapable {
    let text: Span<UInt8>
    /// Where the next line starts.
    var next = 0

    @_lifetime(copy text)
    init(_ text: Span<UInt8>) { self.text = text }

    /// The next line without its line end, LF or CR LF; `nil` at the end of the text.
    mutating func read() -> Range<Int>? {
        guard next < text.count else { return nil }
        let start = next
        var end = start
        while end < text.count, text[end] != UInt8(ascii: "\n") { end += 1 }
        next = min(end + 1, text.count)
        if end > start, text[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return start..<end
    }

    /// True when the line starts with these bytes.
    func line(_ line: Range<Int>, startsWith prefix: String) -> Bool {
        guard line.count >= prefix.utf8.count else { return false }
        for (offset, byte) in prefix.utf8.enumerated() where text[line.lowerBound + offset] != byte {
            return false
        }
        return true
    }

    /// True when the line holds `byte`.
    func line(_ line: Range<Int>, contains byte: UInt8) -> Bool {
        for index in line where text[index] == byte { return true }
        return false
    }

    /// A copy of a line that holds no secret, `nil` unless it is printable ASCII of at most `maximum` bytes.
    func copy(_ line: Range<Int>, upTo maximum: Int) -> String? {
        guard line.count <= maximum else { return nil }
        var copy = ""
        for index in line {
            guard (0x20..<0x7f).contains(text[index]) else { return nil }
            copy.unicodeScalars.append(Unicode.Scalar(text[index]))
        }
        return copy
    }

    /// True when only white space is left.
    var onlyBlanksFollow: Bool {
        for index in next..<text.count where text[index] > 0x20 { return false }
        return true
    }
}
