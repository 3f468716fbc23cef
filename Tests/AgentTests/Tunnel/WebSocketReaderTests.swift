// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Testing

@Suite struct WebSocketReaderTests {
    /// Everything that comes out of these bytes, given in pieces of `size`.
    private func events(_ bytes: [UInt8], pieces size: Int = .max, asServer: Bool = false, limit: Int = 1_000)
        throws(ControlProtocolError) -> [WebSocketEvent]
    {
        var reader = WebSocketReader(expectsMasks: asServer, maximumMessageBytes: limit)
        var events: [WebSocketEvent] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            reader.append(rest.prefix(size))
            rest = rest.dropFirst(size)
            while let event = try reader.next() { events.append(event) }
        }
        return events
    }

    private static let hello = Array("Hello".utf8)
    /// Two fragments with a ping between, a pong, a close.
    private static let conversation: [UInt8] =
        WebSocketFrame.encode(.text, Array("Hel".utf8), isFinal: false, mask: nil)
        + WebSocketFrame.encode(.ping, Array("p".utf8), mask: nil)
        + WebSocketFrame.encode(.continuation, Array("lo".utf8), mask: nil)
        + WebSocketFrame.encode(.pong, [], mask: nil)
        + WebSocketFrame.encode(.close, WebSocketClose(code: 1_001, reason: "bye").payload, mask: nil)
    private static let conversationEvents: [WebSocketEvent] = [
        .ping(Array("p".utf8)), .text(hello), .pong([]), .close(WebSocketClose(code: 1_001, reason: "bye")),
    ]

    // RFC 6455, section 5.7.
    @Test func theExamplesOfTheStandardAreReadAndWritten() throws {
        #expect(try events([0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]) == [.text(Self.hello)])
        let masked: [UInt8] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        #expect(try events(masked, asServer: true) == [.text(Self.hello)])
        #expect(WebSocketFrame.encode(.text, Self.hello, mask: 0x37fa_213d) == masked)
        #expect(try events([0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f]) == [.text(Self.hello)])
        #expect(try events([0x89, 0x05] + Self.hello) == [.ping(Self.hello)])
        let binary = [UInt8](repeating: 7, count: 256)
        #expect(WebSocketFrame.encode(.binary, binary, mask: nil).prefix(4) == [0x82, 0x7e, 0x01, 0x00])
        let long = [UInt8](repeating: 7, count: 65_536)
        let frame = WebSocketFrame.encode(.binary, long, mask: nil)
        #expect(frame.prefix(10) == [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0])
        #expect(try events(frame, limit: 65_536) == [.binary(long)])
    }

    @Test(arguments: [1, 2, 3, 7, 1_000])
    func whatComesInPiecesIsWhatCameWhole(size: Int) throws {
        #expect(try events(Self.conversation, pieces: size) == Self.conversationEvents)
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536])
    func whatIsWrittenIsReadBack(count: Int) throws {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 & 0x7f) }
        for mask in [nil, 0, 0xdead_beef] as [UInt32?] {
            let frame = WebSocketFrame.encode(.text, payload, mask: mask)
            #expect(try events(frame, asServer: mask != nil, limit: 1 << 20) == [.text(payload)])
        }
    }

    @Test func noPrefixIsTakenForMoreThanItHolds() throws {
        for count in 0..<Self.conversation.count {
            let found = try events(Array(Self.conversation[..<count]))
            #expect(Self.conversationEvents.starts(with: found))
        }
    }

    @Test func everyChangedByteIsReadOrRefused() {
        for index in Self.conversation.indices {
            for byte in UInt8.min ... .max {
                var changed = Self.conversation
                changed[index] = byte
                _ = try? events(changed, pieces: 5)
            }
        }
    }

    @Test(arguments: [
        (bytes: [0xc1, 0x00], code: 1_002),  // a reserved bit
        ([0x83, 0x00], 1_002),  // an opcode that isn't one
        ([0x81, 0x81, 0, 0, 0, 0, 0x41], 1_002),  // masked by a server
        ([0x09, 0x00], 1_002),  // a ping in fragments
        ([0x89, 0x7e, 0x00, 0x7e], 1_002),  // a ping of 126 bytes
        ([0x81, 0x7e, 0x00, 0x7d], 1_002),  // a length of two bytes that one holds
        ([0x81, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 1_002),  // of eight that two hold
        ([0x80, 0x00], 1_002),  // a continuation of nothing
        ([0x01, 0x01, 0x41, 0x81, 0x01, 0x41], 1_002),  // a message within a message
        ([0x88, 0x01, 0x03], 1_002),  // half a code
        ([0x88, 0x02, 0x03, 0xed], 1_002),  // 1005, which is never sent
        ([0x88, 0x02, 0x00, 0x00], 1_002),
        ([0x81, 0x01, 0xff], 1_007),
        ([0x88, 0x03, 0x03, 0xe8, 0xff], 1_007),
        ([0x81, 0x7e, 0x03, 0xe9], 1_009),  // 1,001 bytes where 1,000 are allowed: refused by its head
        ([0x81, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1_009),
    ])
    func whatNoServerMaySendIsRefusedWithItsCode(bytes: [Int], code: Int) throws {
        do {
            _ = try events(bytes.map { UInt8($0) })
            Issue.record("taken")
        } catch {
            #expect(WebSocketClose(because: error).code == UInt16(code))
        }
    }

    @Test func fragmentsTogetherKeepToTheLimitOfAMessage() throws {
        let half = [UInt8](repeating: 0x41, count: 600)
        let bytes =
            WebSocketFrame.encode(.text, half, isFinal: false, mask: nil)
            + WebSocketFrame.encode(.continuation, half, mask: nil)
        #expect(throws: ControlProtocolError(.tooLong, "")) { try events(bytes) }
        #expect(throws: ControlProtocolError(.tooLong, "")) {
            let small = [UInt8](repeating: 0x41, count: 100)
            var many = WebSocketFrame.encode(.text, small, isFinal: false, mask: nil)
            for _ in 0..<10 { many += WebSocketFrame.encode(.continuation, small, isFinal: false, mask: nil) }
            _ = try events(many)
        }
    }

    @Test func nothingIsReadBehindACloseOrAnError() throws {
        let close = WebSocketFrame.encode(.close, [], mask: nil)
        #expect(try events(close + WebSocketFrame.encode(.text, Self.hello, mask: nil)) == [.close(nil)])
        var reader = WebSocketReader(expectsMasks: false)
        reader.append([0x83, 0x00] + WebSocketFrame.encode(.text, Self.hello, mask: nil))
        #expect(throws: ControlProtocolError.self) { try reader.next() }
        #expect(try reader.next() == nil)
    }

    @Test func aLongReasonIsCutBetweenCharacters() {
        let close = WebSocketClose(code: 1_008, reason: String(repeating: "é", count: 100))
        #expect(close.payload.count <= WebSocketFrame.maximumControlBytes)
        #expect(close.reason == String(repeating: "é", count: 61))
    }
}
