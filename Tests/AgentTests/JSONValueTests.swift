// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Testing

@Suite struct JSONValueTests {
    static let sample = JSONValue.object([
        .init("null", .null), .init("yes", true), .init("no", false), .init("least", .number(.min)),
        .init("most", .number(.max)), .init("text", "a\"b\\c\u{1b}\u{202e}\u{1F600}é\u{7f}\0"),
        .init("empty", .array([])), .init("list", .array([1, "two", .object([])])),
    ])

    private func parse(_ text: String) throws(ControlProtocolError) -> JSONValue {
        try JSONValue(parsing: Array(text.utf8), maximumBytes: 1_000)
    }

    @Test func whatIsWrittenIsReadBack() throws {
        #expect(try parse(Self.sample.text) == Self.sample)
        #expect(try parse(" { \"a\" : [ 1 , 2 ] } \n") == .object([.init("a", .array([1, 2]))]))
    }

    @Test func noPrefixIsTakenForTheWhole() {
        let bytes = Array(Self.sample.text.utf8)
        for count in 0..<bytes.count {
            #expect(throws: ControlProtocolError.self) {
                try JSONValue(parsing: Array(bytes[..<count]), maximumBytes: 1_000)
            }
        }
    }

    @Test func everyChangedByteIsReadOrRefused() {
        let bytes = Array(Self.sample.text.utf8)
        for index in bytes.indices {
            for byte in UInt8.min ... .max {
                var changed = bytes
                changed[index] = byte
                guard let value = try? JSONValue(parsing: changed, maximumBytes: 1_000) else { continue }
                #expect((try? JSONValue(parsing: Array(value.text.utf8), maximumBytes: 4_000)) == value)
            }
        }
    }

    @Test(arguments: [
        "01", "-0", "+1", "1.0", "1e3", "9223372036854775808", "-", "nul", "truefalse", "[1,]", "[,1]",
        "{\"a\"}",
        "{\"a\":1,}", "{a:1}", "'a'", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\t\"", "\"a", "[1 2]", "1 2",
        "", " ",
        "\u{feff}1", "NaN",
    ])
    func whatIsNoWholeNumberOrNoJSONIsRefused(text: String) {
        #expect(throws: ControlProtocolError(.notJSON, "")) { try parse(text) }
    }

    @Test func numbersAreTakenToTheirLimits() throws {
        #expect(try parse("9223372036854775807") == .number(.max))
        #expect(try parse("-9223372036854775808") == .number(.min))
        #expect(try parse("0") == 0)
    }

    @Test func surrogatesCountInPairsOnly() throws {
        #expect(try parse(#""\ud83d\ude00""#) == "\u{1F600}")
        for half in [
            #""\ud83d""#, #""\ude00""#, #""\ud83dx""#, #""\ud83d\n""#, #""\ud83d\ud83d""#, #""\ude00\ud83d""#,
        ] {
            #expect(throws: ControlProtocolError(.notJSON, "")) { try parse(half) }
        }
    }

    @Test func bytesThatAreNoTextAreRefused() {
        for bytes: [UInt8] in [
            [0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22],
        ] {
            #expect(throws: ControlProtocolError(.notText, "")) {
                try JSONValue(parsing: bytes, maximumBytes: 10)
            }
        }
    }

    @Test func aMemberThatIsThereTwiceIsRefusedHoweverItIsSpelled() {
        for text in [#"{"a":1,"a":1}"#, #"{"a":1,"\u0061":2}"#] {
            #expect(throws: ControlProtocolError(.unexpected, "")) { try parse(text) }
        }
        // Two spellings of one letter are two names.
        #expect((try? parse("{\"\u{e9}\":1,\"e\u{301}\":2}")) != nil)
        #expect(JSONValue.string("\u{e9}") != .string("e\u{301}"))
    }

    @Test func depthAndSizeHaveTheirLimits() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONValue(parsing: nested(17), maximumBytes: 100)
        #expect(throws: ControlProtocolError(.tooLong, "")) {
            try JSONValue(parsing: nested(18), maximumBytes: 100)
        }
        // A stack must not be what ends it.
        #expect(throws: ControlProtocolError(.tooLong, "")) {
            try JSONValue(parsing: [UInt8](repeating: 0x5b, count: 1 << 20), maximumBytes: 1 << 20)
        }
        #expect(throws: ControlProtocolError(.tooLong, "")) {
            try JSONValue(parsing: nested(5), maximumBytes: 9)
        }
    }

    @Test func nothingThatActsOnATerminalIsWritten() {
        let text = JSONValue.string("\u{1b}[2J\u{202e}\u{2028}\u{9b}\r\n\u{e0001}").text
        #expect(text == #""\u001b[2J\u202e\u2028\u009b\r\n\udb40\udc01""#)
    }
}
