// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// One line of sshd_config(5) with a meaning: a keyword and its arguments, taken apart as sshd does.
public struct ConfigurationLine: Sendable, Hashable {
    /// The keyword in lower case: sshd compares without case.
    public let keyword: String
    /// The arguments without their quotes and escapes.
    public let arguments: [String]
    /// The line's number in its file; the first has 1.
    public let number: Int

    public init(keyword: String, arguments: [String], number: Int) {
        self.keyword = keyword
        self.arguments = arguments
        self.number = number
    }
}

extension ConfigurationLine {
    /// The most lines of one file; nothing that people keep has a hundredth of it.
    static let maximumLines = 1 << 18

    /// Takes a file's content apart; blank lines and comments are left out.
    ///
    /// Bytes that are not UTF-8 become replacement characters: a comment or a banner's path may hold any.
    ///
    /// - Parameter name: what the content is called in errors.
    /// - Throws: `.sshd` for what makes sshd refuse the whole file: quotes without an end, a keyword without an argument
    ///   (servconf.c, `process_server_config_line_depth`), and for NUL, where sshd would join lines.
    public static func parse(_ content: [UInt8], name: String) throws(AgentError) -> [ConfigurationLine] {
        var lines: [ConfigurationLine] = []
        var number = 0
        var rest = content[...]
        while !rest.isEmpty {
            number += 1
            guard number <= maximumLines else {
                throw AgentError(.sshd, "\(name.escapedForTerminal): over \(maximumLines) lines")
            }
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            if let line = try parse(line: rest[rest.startIndex..<end], number, name) { lines.append(line) }
            rest = rest[min(end + 1, rest.endIndex)...]
        }
        return lines
    }

    private static func parse(line: ArraySlice<UInt8>, _ number: Int, _ name: String) throws(AgentError)
        -> ConfigurationLine?
    {
        func refusal(_ reason: String) -> AgentError {
            AgentError(
                .sshd, "\(name.escapedForTerminal) line \(number): \(reason)", hint: "sshd -t shows the same")
        }
        guard !line.contains(0) else { throw refusal("a NUL byte") }
        var text = line.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
        // A form feed is white space at the end only.
        while let last = text.last, last.isSpace || last == 0x0c { text.removeLast() }
        var words = KeywordScanner(text)
        guard var keyword = words.next() else {
            // A quote without an end: sshd sees no keyword and skips the line.
            return nil
        }
        // "= Port 22": what stands before a separator at the beginning is an empty word.
        if keyword.isEmpty {
            guard let second = words.next() else { return nil }
            keyword = second
        }
        guard let first = keyword.first, first != UInt8(ascii: "#") else { return nil }
        let shown = String(decoding: keyword, as: UTF8.self)
        guard let rest = words.rest, !rest.isEmpty else {
            throw refusal("no argument after \"\(shown.escapedForTerminal)\"")
        }
        guard let arguments = splitArguments(rest) else { throw refusal("quotes without an end") }
        return ConfigurationLine(
            keyword: shown.lowercased(),
            arguments: arguments.map { String(decoding: $0, as: UTF8.self) }, number: number)
    }

    /// Splits what stands behind a keyword, up to a comment (misc.c, `argv_split`).
    ///
    /// - Returns: nil for quotes without an end.
    static func splitArguments(_ text: ArraySlice<UInt8>) -> [[UInt8]]? {
        var arguments: [[UInt8]] = []
        var bytes = text
        while let first = bytes.first {
            if first.isBlank {
                bytes.removeFirst()
                continue
            }
            if first == UInt8(ascii: "#") { break }
            var argument: [UInt8] = []
            var quote: UInt8?
            while let byte = bytes.first {
                if byte == UInt8(ascii: "\\") {
                    if let next = bytes.dropFirst().first,
                        "'\"\\".utf8.contains(next) || (quote == nil && next == 0x20)
                    {
                        bytes.removeFirst()
                        argument.append(next)
                    } else {
                        argument.append(byte)
                    }
                } else if quote == nil, byte.isBlank {
                    break
                } else if quote == nil, byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                    quote = byte
                } else if byte == quote {
                    quote = nil
                } else {
                    argument.append(byte)
                }
                bytes.removeFirst()
            }
            guard quote == nil else { return nil }
            arguments.append(argument)
        }
        return arguments
    }
}

/// Cuts words off a line's front at white space, quotes or one "=" (misc.c, `strdelim`).
private struct KeywordScanner {
    /// What is left; nil when a word went to the line's end.
    private(set) var rest: ArraySlice<UInt8>?

    init(_ line: ArraySlice<UInt8>) { rest = line }

    /// - Returns: nil when nothing is left, or behind a quote without an end.
    mutating func next() -> [UInt8]? {
        guard let text = rest else { return nil }
        guard
            let end = text.firstIndex(where: {
                $0.isSpace || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "=")
            })
        else {
            rest = nil
            return Array(text)
        }
        let word = Array(text[..<end])
        if text[end] == UInt8(ascii: "\"") {
            // The quote's content joins what stands before it.
            let quoted = text[(end + 1)...]
            guard let close = quoted.firstIndex(of: UInt8(ascii: "\"")) else {
                rest = nil
                return nil
            }
            rest = quoted[(close + 1)...].drop(while: \.isSpace)
            return word + quoted[..<close]
        }
        let isEqualsSign = text[end] == UInt8(ascii: "=")
        var behind = text[(end + 1)...].drop(while: \.isSpace)
        if !isEqualsSign, behind.first == UInt8(ascii: "=") {
            behind = behind.dropFirst().drop(while: \.isSpace)
        }
        rest = behind
        return word
    }
}

extension UInt8 {
    /// Space and tab.
    fileprivate var isBlank: Bool { self == 0x20 || self == 0x09 }
    /// misc.c's WHITESPACE.
    fileprivate var isSpace: Bool { isBlank || self == 0x0d || self == 0x0a }
}
