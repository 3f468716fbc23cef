// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// One kind of line with a meaning, in a text file that OpenSSH reads.
///
/// `init(line:)` and `line` are inverse: what `line` gives is read back as an equal value.
public protocol TextFileLine: Sendable, Hashable {
    /// What the file is called in errors.
    static var fileName: StaticString { get }
    /// True when OpenSSH reads lines that end as on Windows as it reads others.
    static var allowsCarriageReturns: Bool { get }

    /// Parses a line without its line ending.
    init(line: String) throws(SSHWireError)

    /// The line without a line ending.
    var line: String { get }
}

/// A text file taken apart: what is not touched comes back byte for byte, comments and unreadable lines too.
public struct TextFile<Entry: TextFileLine>: Sendable {
    /// One line.
    public struct Line: Sendable {
        /// What a line is.
        public enum Content: Sendable {
            /// Blank, or a comment.
            case comment
            case entry(Entry)
            /// Neither. OpenSSH ignores many of these; whether that is safe is for the file's kind to say.
            case unreadable(SSHWireError)
        }

        /// What it is.
        public let content: Content
        /// As it was, without its ending.
        public let text: String
        let ending: String

        /// The entry, if it is one.
        public var entry: Entry? {
            guard case .entry(let entry) = content else { return nil }
            return entry
        }
    }

    /// All lines; the first has number 1 where numbers are given.
    public private(set) var lines: [Line] = []

    /// A file without a line.
    public init() {}

    /// Takes a file's content apart, which must be UTF-8 without NUL.
    ///
    /// - Throws: `.notText`, or `.tooLong` over ``Limits/textFileBytes`` or ``Limits/textFileLines``; never because
    ///   of one line's meaning.
    public init(_ content: [UInt8]) throws(SSHWireError) {
        for line in try TextLines(content, Entry.fileName).lines {
            lines.append(Line(content: Self.read(line), text: line.text, ending: line.ending))
        }
    }

    private static func read(_ line: TextLines.Line) -> Line.Content {
        if line.isBlankOrComment { return .comment }
        guard line.ending != "\r\n" || Entry.allowsCarriageReturns else {
            return .unreadable(
                SSHWireError(.notText, "\(Entry.fileName): a carriage return, which sshd takes for content"))
        }
        do throws(SSHWireError) {
            return .entry(try Entry(line: line.text))
        } catch {
            return .unreadable(error)
        }
    }

    /// The entries in their order, with their lines' numbers.
    public var entries: [(number: Int, entry: Entry)] {
        lines.enumerated().compactMap { index, line in line.entry.map { (index + 1, $0) } }
    }

    /// The lines that could not be read, with their numbers.
    public var problems: [(number: Int, error: SSHWireError)] {
        lines.enumerated().compactMap { index, line in
            guard case .unreadable(let error) = line.content else { return nil }
            return (index + 1, error)
        }
    }

    /// The file's content.
    public var bytes: [UInt8] { lines.flatMap { Array($0.text.utf8) + Array($0.ending.utf8) } }

    /// Adds an entry as the last line; a line before it that lacks its ending gets one.
    public mutating func append(_ entry: Entry) {
        if let last = lines.last, last.ending.isEmpty {
            lines[lines.count - 1] = Line(content: last.content, text: last.text, ending: "\n")
        }
        lines.append(Line(content: .entry(entry), text: entry.line, ending: "\n"))
    }

    /// Takes away every entry for which `condition` holds; comments stay.
    public mutating func removeEntries(where condition: (Entry) -> Bool) {
        lines.removeAll { $0.entry.map(condition) ?? false }
    }
}
