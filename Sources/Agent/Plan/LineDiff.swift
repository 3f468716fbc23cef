// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What differs between two texts, line by line, in the unified form that patch(1) reads.
struct LineDiff {
    private enum Edit {
        case keep, add, remove
    }

    /// A line with its ending, if it has one.
    private typealias Line = ArraySlice<UInt8>

    private let old: [Line]
    private let new: [Line]
    private let edits: [Edit]

    /// The most cells of the table that finds what stayed: 16 MiB. Over it all lines between the first and the last
    /// difference count as replaced.
    private static let maximumCells = 4 << 20
    /// How many lines that stayed are shown around a difference.
    private static let context = 3

    init(_ old: [UInt8], _ new: [UInt8]) {
        self.old = Self.lines(old)
        self.new = Self.lines(new)
        edits = Self.edits(self.old, self.new)
    }

    /// The hunks, for people: control characters but tabs are escaped.
    var text: [String] {
        var output: [String] = []
        for hunk in hunks() {
            var (oldLine, newLine) = (hunk.old, hunk.new)
            var body: [String] = []
            for edit in edits[hunk.range] {
                switch edit {
                case .keep:
                    body += Self.show(" ", old[oldLine])
                    oldLine += 1
                    newLine += 1
                case .remove:
                    body += Self.show("-", old[oldLine])
                    oldLine += 1
                case .add:
                    body += Self.show("+", new[newLine])
                    newLine += 1
                }
            }
            output.append(
                "@@ -\(Self.span(hunk.old, oldLine)) +\(Self.span(hunk.new, newLine)) @@")
            output += body
        }
        return output
    }

    /// Ranges of edits with their context, and at which lines they start.
    private func hunks() -> [(range: Range<Int>, old: Int, new: Int)] {
        var ranges: [Range<Int>] = []
        for (index, edit) in edits.enumerated() where edit != .keep {
            let low = max(0, index - Self.context)
            let high = min(edits.count, index + 1 + Self.context)
            if let last = ranges.last, last.upperBound >= low {
                ranges[ranges.count - 1] = last.lowerBound..<high
            } else {
                ranges.append(low..<high)
            }
        }
        var hunks: [(range: Range<Int>, old: Int, new: Int)] = []
        var (index, oldLine, newLine) = (0, 0, 0)
        for range in ranges {
            let start = range.lowerBound
            hunks.append((range, oldLine, newLine))
            while index < range.upperBound {
                if index == start { hunks[hunks.count - 1] = (range, oldLine, newLine) }
                if edits[index] != .add { oldLine += 1 }
                if edits[index] != .remove { newLine += 1 }
                index += 1
            }
        }
        return hunks
    }

    private static func span(_ start: Int, _ end: Int) -> String {
        end == start ? "\(start),0" : end == start + 1 ? "\(end)" : "\(start + 1),\(end - start)"
    }

    private static func show(_ mark: String, _ line: Line) -> [String] {
        let isEnded = line.last == UInt8(ascii: "\n")
        let bytes = isEnded ? line.dropLast() : line
        var text = String(decoding: bytes, as: UTF8.self).split(
            separator: "\t", omittingEmptySubsequences: false
        )
        .map { String($0).escapedForTerminal }.joined(separator: "\t")
        if bytes.count > PlanText.maximumShownBytes {
            text = "\(text.prefix(64))… (\(bytes.count) bytes, \(PlanText.fingerprint(Array(bytes))))"
        }
        return [mark + text] + (isEnded ? [] : ["\\ No newline at end of file"])
    }

    private static func lines(_ bytes: [UInt8]) -> [Line] {
        var lines: [Line] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.endIndex
            lines.append(rest[rest.startIndex..<end])
            rest = rest[end...]
        }
        return lines
    }

    private static func edits(_ old: [Line], _ new: [Line]) -> [Edit] {
        let front = zip(old, new).prefix { $0 == $1 }.count
        let back = zip(old[front...].reversed(), new[front...].reversed()).prefix { $0 == $1 }.count
        let one = old[front..<(old.count - back)]
        let other = new[front..<(new.count - back)]
        let keepFront = [Edit](repeating: .keep, count: front)
        let keepBack = [Edit](repeating: .keep, count: back)
        return keepFront + middle(Array(one), Array(other)) + keepBack
    }

    /// The longest common subsequence, by its table.
    private static func middle(_ old: [Line], _ new: [Line]) -> [Edit] {
        let width = new.count + 1
        guard !old.isEmpty, !new.isEmpty, old.count < maximumCells / width else {
            return [Edit](repeating: .remove, count: old.count) + [Edit](repeating: .add, count: new.count)
        }
        var common = [Int32](repeating: 0, count: (old.count + 1) * width)
        for i in old.indices.reversed() {
            for j in new.indices.reversed() {
                common[i * width + j] =
                    old[i] == new[j]
                    ? common[(i + 1) * width + j + 1] + 1
                    : max(common[(i + 1) * width + j], common[i * width + j + 1])
            }
        }
        var edits: [Edit] = []
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if i < old.count, j < new.count, old[i] == new[j] {
                edits.append(.keep)
                i += 1
                j += 1
            } else if i < old.count,
                j == new.count || common[(i + 1) * width + j] >= common[i * width + j + 1]
            {
                edits.append(.remove)
                i += 1
            } else {
                edits.append(.add)
                j += 1
            }
        }
        return edits
    }
}
