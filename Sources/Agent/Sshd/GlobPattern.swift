// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The last part of an `Include`'s path, as sshd's own glob(3) matches names with it: `*`, `?`, `[…]` and `\`.
///
/// Names that begin with a dot need a dot that is written out.
struct GlobPattern: Sendable, Hashable {
    private enum Piece: Sendable, Hashable {
        case byte(UInt8)
        case one
        case any
        case set([ClosedRange<UInt8>], isNegated: Bool)
    }

    private let pieces: [Piece]
    /// True when names are matched and not just looked up.
    let isMagic: Bool

    init(_ text: some Sequence<UInt8>) {
        var pieces: [Piece] = []
        var rest = Array(text)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\\"): pieces.append(.byte(rest.popFirst() ?? byte))
            case UInt8(ascii: "?"): pieces.append(.one)
            case UInt8(ascii: "*"): if pieces.last != .any { pieces.append(.any) }
            case UInt8(ascii: "["):
                if let (set, behind) = Self.readSet(rest) {
                    pieces.append(set)
                    rest = behind
                } else {
                    pieces.append(.byte(byte))
                }
            default: pieces.append(.byte(byte))
            }
        }
        self.pieces = pieces
        isMagic = pieces.contains { if case .byte = $0 { false } else { true } }
    }

    /// Reads `a-z]` or `!a-z]`; nil without an end.
    private static func readSet(_ text: ArraySlice<UInt8>) -> (Piece, ArraySlice<UInt8>)? {
        var rest = text
        let isNegated = rest.first == UInt8(ascii: "!")
        if isNegated { rest.removeFirst() }
        var ranges: [ClosedRange<UInt8>] = []
        repeat {
            guard let low = rest.popFirst() else { return nil }
            if rest.first == UInt8(ascii: "-"), let high = rest.dropFirst().first, high != UInt8(ascii: "]") {
                rest = rest.dropFirst(2)
                if low <= high { ranges.append(low...high) }
            } else {
                ranges.append(low...low)
            }
        } while rest.first != UInt8(ascii: "]")
        return (.set(ranges, isNegated: isNegated), rest.dropFirst())
    }

    /// The name that a pattern without magic stands for.
    var literal: String {
        String(
            decoding: pieces.compactMap { if case .byte(let byte) = $0 { byte } else { nil } }, as: UTF8.self)
    }

    /// True for names that the pattern takes; linear in the product of both lengths at worst.
    func matches(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        if bytes.first == UInt8(ascii: "."), pieces.first != .byte(UInt8(ascii: ".")) { return false }
        // One star can be retried at a time: what an earlier one gave up never needs another try.
        var (piece, byte) = (0, 0)
        var retry: (piece: Int, byte: Int)?
        while byte < bytes.count {
            if piece < pieces.count, pieces[piece] == .any {
                retry = (piece, byte)
                piece += 1
            } else if piece < pieces.count, Self.matches(pieces[piece], bytes[byte]) {
                piece += 1
                byte += 1
            } else if let last = retry {
                retry = (last.piece, last.byte + 1)
                (piece, byte) = (last.piece + 1, last.byte + 1)
            } else {
                return false
            }
        }
        return pieces[piece...].allSatisfy { $0 == .any }
    }

    private static func matches(_ piece: Piece, _ byte: UInt8) -> Bool {
        switch piece {
        case .byte(let expected): byte == expected
        case .one, .any: true
        case .set(let ranges, let isNegated): ranges.contains { $0.contains(byte) } != isNegated
        }
    }
}
