// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@Suite("Reading SSH's data types") struct WireReaderTests {
    /// Reads `bytes` to their end.
    private func read<Value>(
        _ bytes: [UInt8], _ body: (inout WireReader) throws(SSHWireError) -> Value
    ) throws(SSHWireError) -> Value {
        var reader = WireReader(bytes.span)
        let value = try body(&reader)
        try reader.finish("input")
        return value
    }

    @Test func numbersAreBigEndian() throws {
        #expect(try read([0x01]) { reader throws(SSHWireError) in try reader.readUInt8("n") } == 1)
        #expect(
            try read([1, 2, 3, 4]) { reader throws(SSHWireError) in try reader.readUInt32("n") }
                == 0x0102_0304)
        #expect(
            try read([0xff, 2, 3, 4, 5, 6, 7, 8]) { reader throws(SSHWireError) in try reader.readUInt64("n")
            }
                == 0xff02_0304_0506_0708)
    }

    @Test(arguments: 0..<8)
    func aNumberThatEndsEarlyIsRefused(count: Int) {
        let bytes = [UInt8](repeating: 1, count: count)
        #expect(
            refusal { () throws(SSHWireError) in
                try read(bytes) { reader throws(SSHWireError) in try reader.readUInt64("n") }
            } == .truncated)
        if count < 4 {
            #expect(
                refusal { () throws(SSHWireError) in
                    try read(bytes) { reader throws(SSHWireError) in try reader.readUInt32("n") }
                } == .truncated)
        }
    }

    /// The declared length, what follows it, and what comes of it with a maximum of 4 bytes.
    @Test(
        arguments: [
            ([0, 0, 0, 0], nil), ([0, 0, 0, 4, 1, 2, 3, 4], nil),
            ([0, 0, 0, 5, 1, 2, 3, 4, 5], .tooLong), ([0, 0, 0, 5], .tooLong), ([0, 0, 0, 4], .truncated),
            ([0xff, 0xff, 0xff, 0xff], .tooLong), ([0x80, 0, 0, 0], .tooLong),
            ([0, 0, 0, 3, 1, 2], .truncated),
            ([0, 0, 0], .truncated), ([], .truncated), ([0, 0, 0, 1, 9, 9], .trailingBytes),
        ] as [([UInt8], SSHWireError.Code?)])
    func theMaximumOfAStringIsCheckedBeforeItsPresence(bytes: [UInt8], expected: SSHWireError.Code?) throws {
        let code = refusal { () throws(SSHWireError) in
            try read(bytes) { reader throws(SSHWireError) in try reader.readBytes("field", upTo: 4) }
        }
        #expect(code == expected)
        if expected == nil {
            let content = try read(bytes) { reader throws(SSHWireError) in
                try reader.readBytes("field", upTo: 4)
            }
            #expect(content == Array(bytes.dropFirst(4)))
        }
    }

    @Test func attack30_aLengthAllocatesNothingThatDidNotArrive() {
        // With a limit above what is there, the length alone must not make room: 4 GiB would end the process.
        let code = refusal { () throws(SSHWireError) in
            try read([0xff, 0xff, 0xff, 0xff, 1]) { reader throws(SSHWireError) in
                try reader.readBytes("field", upTo: .max)
            }
        }
        #expect(code == .truncated)
    }

    @Test func anErrorNamesItsField() {
        let error = wireError {
            _ = try read([0, 0, 0, 9]) { reader throws(SSHWireError) in try reader.readBytes("nonce", upTo: 8)
            }
        }
        #expect(error?.reason == "nonce: 9 bytes, at most 8 are allowed")
    }

    /// The content of an `mpint` of at most 2 bytes, its magnitude, and the refusal.
    @Test(
        arguments: [
            ([0x01], [0x01], nil), ([0x7f, 0xff], [0x7f, 0xff], nil), ([0x00, 0x80], [0x80], nil),
            ([0x00, 0x80, 0x00], [0x80, 0x00], nil),
            ([], [], .invalidValue), ([0x00], [], .notCanonical), ([0x00, 0x7f], [], .notCanonical),
            ([0x00, 0x00, 0x80], [], .notCanonical), ([0x80], [], .invalidValue),
            ([0xff, 0xff], [], .invalidValue),
            ([0x01, 0x00, 0x00], [], .tooLong), ([0x00, 0x80, 0x00, 0x00], [], .tooLong),
        ] as [([UInt8], [UInt8], SSHWireError.Code?)])
    func aPositiveIntegerHasOneForm(
        content: [UInt8], magnitude: [UInt8], expected: SSHWireError.Code?
    ) throws {
        var writer = WireWriter()
        writer.writeString(content)
        let bytes = writer.bytes
        let code = refusal { () throws(SSHWireError) in
            try read(bytes) { reader throws(SSHWireError) in
                [UInt8](try reader.readPositiveInteger("n", upTo: 2))
            }
        }
        #expect(code == expected)
        guard expected == nil else { return }
        let value = try read(bytes) { reader throws(SSHWireError) in
            [UInt8](try reader.readPositiveInteger("n", upTo: 2))
        }
        #expect(value == magnitude)
        var back = WireWriter()
        back.writePositiveInteger([0, 0] + magnitude)
        #expect(back.bytes == bytes)
    }

    @Test(
        arguments: [
            (Array("p\u{e9}".utf8), nil), ([], nil), ([0x61, 0, 0x62], .notText), ([0x61, 0], .notText),
            ([0xff], .notText), ([0xc3], .notText), ([0xc0, 0x80], .notText), ([0xed, 0xa0, 0x80], .notText),
            ([0xf4, 0x90, 0x80, 0x80], .notText),
        ] as [([UInt8], SSHWireError.Code?)])
    func textIsUTF8WithoutNUL(content: [UInt8], expected: SSHWireError.Code?) {
        var writer = WireWriter()
        writer.writeString(content)
        let bytes = writer.bytes
        let code = refusal { () throws(SSHWireError) in
            try read(bytes) { reader throws(SSHWireError) in try reader.readText("text", upTo: 99) }
        }
        #expect(code == expected)
    }

    @Test func whatIsNestedMustBeReadToItsEnd() throws {
        var writer = WireWriter()
        writer.writeNested { inner in
            inner.write(UInt32(7))
            inner.write(UInt8(1))
        }
        let bytes = writer.bytes
        #expect(bytes == [0, 0, 0, 5, 0, 0, 0, 7, 1])
        let code = refusal { () throws(SSHWireError) in
            try read(bytes) { reader throws(SSHWireError) in
                try reader.readNested("list", upTo: 9) { inner throws(SSHWireError) in
                    try inner.readUInt32("n")
                }
            }
        }
        #expect(code == .trailingBytes)
        // What lies behind the nested part is not the nested part's to read.
        let short: [UInt8] = [0, 0, 0, 2, 0, 0, 0, 7]
        let beyond = refusal { () throws(SSHWireError) in
            try read(short) { reader throws(SSHWireError) in
                try reader.readNested("list", upTo: 9) { inner throws(SSHWireError) in
                    try inner.readUInt32("n")
                }
            }
        }
        #expect(beyond == .truncated)
    }
}

@Suite("Text that is compared byte by byte") struct ExactTextTests {
    private let composed: ExactText = "caf\u{e9}"
    private let decomposed: ExactText = "cafe\u{301}"

    @Test func twoSpellingsOfOneLetterDiffer() {
        #expect(composed.string == decomposed.string)
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(composed == ExactText("caf\u{e9}"))
    }

    @Test func orderIsByBytes() {
        #expect(decomposed < composed)
        #expect(!(composed < decomposed))
        #expect(ExactText("permit-X11-forwarding") < "permit-agent-forwarding")
        #expect(ExactText("a") < "aa")
        #expect(!(ExactText("a") < "a"))
    }

    /// Characters that Unicode holds to be equal to an ASCII one.
    @Test(arguments: [("\u{212a}", "K"), ("\u{37e}", ";"), ("\u{1fef}", "`")])
    func nothingElseIsAnASCIICharacter(lookalike: String, ascii: String) {
        #expect(lookalike == ascii)
        #expect(ExactText(lookalike) != ExactText(ascii))
    }
}

@Suite("Text on a terminal") struct TerminalTextTests {
    @Test(arguments: [
        ("plain text", "plain text"), ("p\u{e9}ché 日本", "p\u{e9}ché 日本"), ("back\\slash", "back\\\\slash"),
        ("\u{1b}[2J", "\\u{1b}[2J"), ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"),
        ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"),
        ("\u{202e}txt", "\\u{202e}txt"), ("\u{2066}\u{2069}", "\\u{2066}\\u{2069}"),
        ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
        ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
        ("\u{e000}", "\\u{e000}"), ("\u{e0041}", "\\u{e0041}"), ("a\u{0}b", "a\\u{0}b"), ("", ""),
        ("\r\n", "\\u{d}\\u{a}"),
    ])
    func attack39_whatActsOnATerminalIsEscaped(raw: String, escaped: String) {
        // Compared as bytes: Swift would hold two spellings to be equal.
        #expect(Array(raw.escapedForTerminal.utf8) == Array(escaped.utf8))
    }

    /// Letters and marks by their category, and nothing to see.
    @Test(arguments: [
        "\u{3164}", "\u{115f}", "\u{1160}", "\u{ffa0}", "\u{34f}", "\u{17b4}", "\u{fe0f}", "\u{e0100}",
    ])
    func attack39_whatCannotBeSeenIsEscaped(invisible: String) {
        let shown = "root\(invisible)".escapedForTerminal
        #expect(shown.utf8.allSatisfy { $0 < 0x7f }, "\(Array(shown.utf8))")
        #expect(shown.hasPrefix("root\\u{"))
    }

    @Test func everyScalarIsShownOrEscapedAndNoTwoTextsLookTheSame() {
        var shown: Set<[UInt8]> = []
        for value in UInt32(0)..<0x3000 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = String(Character(scalar)).escapedForTerminal
            #expect(shown.insert(Array(text.utf8)).inserted)
            #expect(!text.holdsControlCharacters)
        }
        // An escape that was in the text already is told from one that was made.
        #expect("\\u{1b}".escapedForTerminal != "\u{1b}".escapedForTerminal)
    }

    @Test func controlCharactersAreFound() {
        #expect("a\tb".holdsControlCharacters)
        #expect("a\u{200d}b".holdsControlCharacters)
        #expect(!"a\\b é".holdsControlCharacters)
    }
}
