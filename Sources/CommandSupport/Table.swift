// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Rows under headings, aligned.
public struct Table {
    private let rows: [[String]]

    public init(_ headings: [String], _ rows: [[String]]) { self.rows = [headings] + rows }

    public func print() {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        for row in rows {
            var line = ""
            for (column, cell) in row.enumerated() {
                line += column == row.count - 1 ? cell : cell.padded(widths[column] + 2)
            }
            Terminal.say(line)
        }
    }
}

extension String {
    /// The text with spaces behind it up to `width` characters.
    public func padded(_ width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }
}
