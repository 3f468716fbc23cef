// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The name of one file of a log: a hash tile or an entry bundle (C2SP tlog-tiles).
///
/// A tile holds up to 256 hashes of one level, or the entries of as many leaves. Each hash of a tile at level L is the
/// root over 256^L entries: at level 0 a leaf hash, above the root over a full tile of the level below.
public struct Tile: Hashable, Sendable {
    /// What a tile holds.
    public enum Kind: Hashable, Sendable {
        /// Hashes of tile level 0...7.
        case hashes(level: Int)
        /// Entries.
        case entries
    }

    /// What it holds.
    public let kind: Kind
    /// Which of its kind it is, from 0.
    public let index: UInt64
    /// How many hashes or entries it holds, 1...256.
    public let width: Int

    /// Throws `.outOfRange` for a level, index or width that no tree of at most ``LogLimits/treeSize`` entries has.
    public init(
        _ kind: Kind, index: UInt64, width: Int = LogLimits.tileWidth
    ) throws(TransparencyLogError) {
        let level = Self.level(of: kind)
        guard (0..<LogLimits.tileLevels).contains(level) else {
            throw TransparencyLogError(
                .outOfRange, "tile: level \(level), 0...\(LogLimits.tileLevels - 1) expected")
        }
        guard (1...LogLimits.tileWidth).contains(width), let width64 = UInt64(exactly: width) else {
            throw TransparencyLogError(.outOfRange, "tile: \(width) wide, 1...256 expected")
        }
        let hashes = LogLimits.treeSize >> UInt64(8 * level)
        let (before, overflow) = index.multipliedReportingOverflow(by: UInt64(LogLimits.tileWidth))
        guard !overflow, before <= hashes, width64 <= hashes - before else {
            throw TransparencyLogError(
                .outOfRange, "tile: no tree has a tile \(index) of level \(level) that is \(width) wide")
        }
        self.kind = kind
        self.index = index
        self.width = width
    }

    /// The tile level: 0 for entries, which stand beside their leaf hashes.
    public var level: Int { Self.level(of: kind) }

    /// True when it is less than 256 wide; a partial tile is replaced as the tree grows, a full one never.
    public var isPartial: Bool { width < LogLimits.tileWidth }

    /// The most bytes that its file may have.
    public var maximumBytes: Int {
        switch kind {
        case .hashes: width * Hash.byteCount
        case .entries: width * (2 + LogLimits.entryBytes)
        }
    }

    /// The number, within its level, of the first hash or entry that it holds.
    public var firstPosition: UInt64 { index * UInt64(LogLimits.tileWidth) }

    /// The entries below the hash at `position` of the tile, which is less than its width.
    func entries(at position: Int) -> Range<UInt64> {
        TreeNode(level: 8 * level, index: firstPosition + UInt64(position)).entries
    }

    private static func level(of kind: Kind) -> Int {
        switch kind {
        case .hashes(let level): level
        case .entries: 0
        }
    }
}

// Paths: "tile/1/x001/x234/067", "tile/entries/000.p/8".
extension Tile {
    /// The tile's path under the log's folder or URL, for example `tile/0/x001/x234/067.p/8`.
    public var path: String {
        var groups = [Self.group(index % 1_000)]
        var rest = index / 1_000
        while rest > 0 {
            groups.append("x" + Self.group(rest % 1_000))
            rest /= 1_000
        }
        let folder =
            switch kind {
            case .hashes(let level): "\(level)"
            case .entries: "entries"
            }
        return "tile/\(folder)/\(groups.reversed().joined(separator: "/"))" + (isPartial ? ".p/\(width)" : "")
    }

    /// Reads a path; whatever is accepted has ``path`` equal to the input.
    ///
    /// Throws `.tooLong`, `.malformed`, `.notCanonical` and `.outOfRange`.
    public init(path: String) throws(TransparencyLogError) {
        guard path.utf8.count <= LogLimits.tilePathBytes else {
            throw TransparencyLogError(
                .tooLong,
                "tile path: \(path.utf8.count) bytes, at most \(LogLimits.tilePathBytes) are allowed")
        }
        var parts = Array(path.utf8).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[
            ...]
        let malformed = TransparencyLogError(.malformed, "tile path: \(quoted(path.utf8)) is not a tile's")
        guard parts.popFirst()?.elementsEqual("tile".utf8) == true, let folder = parts.popFirst() else {
            throw malformed
        }
        let kind: Kind
        if folder.elementsEqual("entries".utf8) {
            kind = .entries
        } else {
            // 63 is the highest that C2SP allows; levels that no tree has are refused with the index.
            let level = try decimal(folder, "tile level", upTo: 63)
            kind = .hashes(level: Int(truncatingIfNeeded: level))
        }
        var width = LogLimits.tileWidth
        let partialMark = Array(".p".utf8)
        if parts.count >= 2, parts.dropLast().last?.suffix(2).elementsEqual(partialMark) == true,
            let digits = parts.popLast(), let last = parts.popLast()
        {
            width = Int(truncatingIfNeeded: try decimal(digits, "tile width", upTo: 255))
            parts.append(last.dropLast(2))
        }
        var index: UInt64 = 0
        for (position, part) in parts.enumerated() {
            let isLast = position == parts.count - 1
            guard isLast || part.first == UInt8(ascii: "x") else { throw malformed }
            let digits = isLast ? part : part.dropFirst()
            guard digits.count == 3, index <= LogLimits.treeSize / 1_000 - 1 else { throw malformed }
            for digit in digits {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { throw malformed }
                index = index * 10 + UInt64(digit - UInt8(ascii: "0"))
            }
        }
        try self.init(kind, index: index, width: width)
        guard self.path.utf8.elementsEqual(path.utf8) else {
            throw TransparencyLogError(
                .notCanonical, "tile path: \(quoted(path.utf8)), \(quoted(self.path.utf8)) expected")
        }
    }

    private static func group(_ value: UInt64) -> String {
        let digits = String(value)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }
}

extension Tile: CustomStringConvertible {
    public var description: String { path }
}
