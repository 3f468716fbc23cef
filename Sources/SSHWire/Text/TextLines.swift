// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The lines of a text file, with the endings that they had.
struct TextLines {
    struct Line: Sendable, Hashable {
        /// The line without its ending.
        var text: String
        /// "\n", "\r\n", or nothing at the file's end.
        var ending: String

        /// True for lines that every one of OpenSSH's readers skips: nothing but blanks, or `#` as the first
        /// character behind them.
        var isBlankOrComment: Bool {
            let first = text.utf8.first { !$0.isBlank }
            return first == nil || first == UInt8(ascii: "#")
        }
    }

    let lines: [Line]

    /// Splits a file's content, which must be UTF-8 without NUL.
    ///
    /// - Throws: `.notText` with the line's number, `.tooLong`.
    init(_ content: [UInt8], _ field: StaticString) throws(SSHWireError) {
        guard content.count <= Limits.textFileBytes else {
            throw SSHWireError(
                .tooLong, "\(field): \(content.count) bytes, at most \(Limits.textFileBytes) are allowed")
        }
        var lines: [Line] = []
        var rest = content[...]
        while !rest.isEmpty {
            guard lines.count < Limits.textFileLines else {
                throw SSHWireError(.tooLong, "\(field): over \(Limits.textFileLines) lines")
            }
            let end = rest.firstIndex(of: UInt8(ascii: "\n"))
            var text = rest[rest.startIndex..<(end ?? rest.endIndex)]
            var ending = end == nil ? "" : "\n"
            if end != nil, text.last == UInt8(ascii: "\r") {
                text.removeLast()
                ending = "\r\n"
            }
            guard let decoded = String(validating: text, as: UTF8.self), !text.contains(0) else {
                throw SSHWireError(.notText, "\(field): line \(lines.count + 1) is not UTF-8, or holds NUL")
            }
            lines.append(Line(text: decoded, ending: ending))
            rest = rest[(end.map { $0 + 1 } ?? rest.endIndex)...]
        }
        self.lines = lines
    }
}
