// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The lines that are ours in a file that may be somebody else's, between two marks.
enum TrustBlock {
    static let begin = "# BEGIN daypass: written by daypass-agent trust install, taken away by trust remove"
    static let end = "# END daypass"
    private static let beginMark = Array("# BEGIN daypass".utf8)
    private static let endMark = Array("# END daypass".utf8)

    /// A block's place in a file.
    struct Place: Sendable, Hashable {
        /// Its bytes, with both marks and the last line's ending.
        let range: Range<Int>
        /// Its lines' numbers, the marks among them.
        let lines: ClosedRange<Int>
    }

    /// The block of these lines.
    static func text(_ lines: [String]) -> [UInt8] {
        Array(([begin] + lines + [end]).map { $0 + "\n" }.joined().utf8)
    }

    /// Finds the block; nil where there is none.
    ///
    /// - Throws: `.conflict` when one mark is gone, or there are several: whose lines are whose is not known then.
    static func find(in content: [UInt8], name: String) throws(AgentError) -> Place? {
        var starts: [(offset: Int, line: Int)] = []
        var ends: [(offset: Int, line: Int)] = []
        var (offset, number) = (0, 0)
        while offset < content.count {
            number += 1
            let next = content[offset...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? content.count
            let line = content[offset..<next].drop { $0 == 0x20 || $0 == 0x09 }
            if line.starts(with: beginMark) { starts.append((offset, number)) }
            if line.starts(with: endMark) { ends.append((next, number)) }
            offset = next
        }
        if starts.isEmpty, ends.isEmpty { return nil }
        guard starts.count == 1, ends.count == 1, let start = starts.first, let end = ends.first,
            start.line < end.line
        else {
            let line = min(starts.first?.line ?? .max, ends.first?.line ?? .max)
            throw AgentError(
                .conflict,
                "\(name.escapedForTerminal) line \(line): the marks of our block are not a pair, so what is ours is "
                    + "not known",
                hint: "take away what stands between # BEGIN daypass and # END daypass, and the marks")
        }
        return Place(range: start.offset..<end.offset, lines: start.line...end.line)
    }

    /// The content without the block.
    static func remove(from content: [UInt8], name: String) throws(AgentError) -> [UInt8] {
        guard let place = try find(in: content, name: name) else { return content }
        return Array(content[..<place.range.lowerBound] + content[place.range.upperBound...])
    }

    /// The content with a block of these lines, in the place of the one that is there, or at the top.
    ///
    /// - Parameter moves: puts the block at the top even if there is one.
    static func put(
        _ lines: [String], into content: [UInt8], moves: Bool = false, name: String
    ) throws(AgentError) -> [UInt8] {
        let block = text(lines)
        guard let place = try find(in: content, name: name) else { return block + content }
        let (front, back) = (content[..<place.range.lowerBound], content[place.range.upperBound...])
        return moves ? block + front + back : front + block + back
    }
}
