// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Bytes of a message of sshd that is taken apart, its escapes not undone yet.
///
/// Nothing that a stranger chose can be taken for sshd's own words as long as it is escaped: a line end is `\n`, a
/// backslash is `\\`. So a message is split first, and each part is unescaped afterwards.
struct SshdLogText {
    var bytes: ArraySlice<UInt8>

    init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes)[...] }
    private init(slice: ArraySlice<UInt8>) { bytes = slice }

    var isEmpty: Bool { bytes.isEmpty }

    /// Takes `prefix` off the start.
    mutating func take(_ prefix: StaticString) -> Bool {
        guard bytes.starts(with: prefix.description.utf8) else { return false }
        bytes = bytes.dropFirst(prefix.utf8CodeUnitCount)
        return true
    }

    /// Takes `suffix` off the end.
    mutating func takeLast(_ suffix: StaticString) -> Bool {
        let count = suffix.utf8CodeUnitCount
        guard bytes.count >= count, bytes.suffix(count).elementsEqual(suffix.description.utf8) else {
            return false
        }
        bytes = bytes.dropLast(count)
        return true
    }

    /// Takes everything up to the first `separator`, and the separator; nil, and nothing taken, without one.
    mutating func takeUpTo(_ separator: StaticString) -> SshdLogText? {
        guard let place = places(of: separator).first else { return nil }
        let part = bytes[..<place]
        bytes = bytes[(place + separator.utf8CodeUnitCount)...]
        return SshdLogText(slice: part)
    }

    /// Takes everything up to the last `separator`, and the separator; nil, and nothing taken, without one.
    mutating func takeUpToLast(_ separator: StaticString) -> SshdLogText? {
        guard let place = places(of: separator).last else { return nil }
        let part = bytes[..<place]
        bytes = bytes[(place + separator.utf8CodeUnitCount)...]
        return SshdLogText(slice: part)
    }

    /// Where `text` begins; a message has at most 8 KiB, so it is looked for in the plain way.
    func places(of text: StaticString) -> [Int] {
        let wanted = Array(text.description.utf8)
        return bytes.indices.filter { bytes[$0] == wanted[0] && bytes[$0...].starts(with: wanted) }
    }

    /// Splits in two at an index.
    func split(at index: Int) -> (SshdLogText, SshdLogText) {
        (SshdLogText(slice: bytes[..<index]), SshdLogText(slice: bytes[index...]))
    }

    /// Takes decimal digits of a number that fits.
    mutating func takeNumber<Number: FixedWidthInteger>() -> Number? {
        let digits = bytes.prefix { (0x30...0x39).contains($0) }
        guard !digits.isEmpty, digits.count <= 20,
            let number = Number(String(decoding: digits, as: UTF8.self))
        else { return nil }
        bytes = bytes.dropFirst(digits.count)
        return number
    }

    /// Takes a word of the bytes that `isAllowed` says, at most `maximum` of them.
    mutating func takeWord(upTo maximum: Int, _ isAllowed: (UInt8) -> Bool) -> String? {
        let word = bytes.prefix(while: isAllowed)
        guard !word.isEmpty, word.count <= maximum else { return nil }
        bytes = bytes.dropFirst(word.count)
        return String(decoding: word, as: UTF8.self)
    }

    /// The text that sshd was given: its escapes undone (vis(3), VIS_CSTYLE | VIS_OCTAL), bytes that are not UTF-8 as
    /// replacement characters.
    ///
    /// It may hold anything, control characters and line ends too: whoever shows it escapes it.
    var unescaped: String {
        var plain: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            guard byte == UInt8(ascii: "\\"), index < bytes.endIndex else {
                plain.append(byte)
                continue
            }
            let octal = bytes[index...].prefix(3).prefix { (0x30...0x37).contains($0) }
            if octal.count == 3 {
                // \400 and up is no byte; sshd does not write it.
                plain.append(UInt8(truncatingIfNeeded: octal.reduce(0) { $0 << 3 | Int($1 - 0x30) }))
                index += 3
                continue
            }
            if let value = Self.letters[bytes[index]] {
                plain.append(value)
                index += 1
            } else {
                plain.append(byte)
            }
        }
        return String(decoding: plain, as: UTF8.self)
    }

    private static let letters: [UInt8: UInt8] = [
        UInt8(ascii: "\\"): 0x5c, UInt8(ascii: "n"): 0x0a, UInt8(ascii: "r"): 0x0d, UInt8(ascii: "t"): 0x09,
        UInt8(ascii: "a"): 0x07, UInt8(ascii: "b"): 0x08, UInt8(ascii: "v"): 0x0b, UInt8(ascii: "f"): 0x0c,
        UInt8(ascii: "s"): 0x20, UInt8(ascii: "0"): 0x00,
    ]
}

extension UInt8 {
    var isAddressByte: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self)
            || ":.%-_".utf8.contains(self)
    }
    var isFingerprintByte: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self)
            || ":+/=".utf8.contains(self)
    }
    var isTypeByte: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5a).contains(self) || self == UInt8(ascii: "-")
    }
}
