// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What came over a WebSocket connection, fragments put together.
public enum WebSocketEvent: Sendable, Hashable {
    /// A text message; it is UTF-8.
    case text([UInt8])
    /// A binary message.
    case binary([UInt8])
    /// To be answered with a pong of the same payload, at most 125 bytes (RFC 6455, section 5.5.3).
    case ping([UInt8])
    case pong([UInt8])
    /// The peer closes, and says why or doesn't. Nothing comes after it.
    case close(WebSocketClose?)
}

/// Takes the bytes of a WebSocket connection apart, strictly and within bounds (RFC 6455, section 5).
///
/// Append what came, then ask for ``next()`` until it has none: then no more is held than one message that isn't whole
/// yet, ``maximumMessageBytes`` at most, and one frame's head. After an error or a close there is nothing more to read,
/// and the connection must be ended.
public struct WebSocketReader: Sendable {
    /// The longest message, whole, in bytes. The longest that anybody sends is an export of session recordings; a
    /// thousandth of this is usual.
    public static let maximumMessageBytes = 1 << 20
    /// Buffers that grew beyond this are given back once they are empty, in bytes.
    private static let keptBytes = 16 << 10

    /// True where frames come masked: on the server's side.
    private let expectsMasks: Bool
    private let maximumMessageBytes: Int
    private var buffer: [UInt8] = []
    private var start = 0
    /// The fragments of a message so far, and what kind it is; nil outside of a message.
    private var message: (opcode: WebSocketFrame.Opcode, bytes: [UInt8])?
    private var hasEnded = false

    /// - Parameter expectsMasks: true on the server's side: clients mask, servers don't, and whoever gets it the other
    ///   way ends the connection (section 5.1).
    public init(expectsMasks: Bool, maximumMessageBytes: Int = Self.maximumMessageBytes) {
        self.expectsMasks = expectsMasks
        self.maximumMessageBytes = maximumMessageBytes
    }

    /// Takes bytes as they came.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= Self.keptBytes)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next event; nil when more bytes are needed.
    ///
    /// - Throws: `.invalidValue` or `.unexpected` for what no peer may send, `.tooLong` for a frame or message over its
    ///   limit (as soon as its head says so), `.notText` for a text that is not UTF-8. `WebSocketClose(because:)` says
    ///   it to the peer.
    public mutating func next() throws(ControlProtocolError) -> WebSocketEvent? {
        while !hasEnded {
            do throws(ControlProtocolError) {
                guard let frame = try readFrame() else { return nil }
                if let event = try take(frame) { return event }
            } catch {
                hasEnded = true
                throw error
            }
        }
        return nil
    }

    private struct Frame {
        let opcode: WebSocketFrame.Opcode
        let isFinal: Bool
        let payload: [UInt8]
    }

    /// The next frame; nil when it isn't whole yet.
    private mutating func readFrame() throws(ControlProtocolError) -> Frame? {
        let available = buffer.count - start
        guard available >= 2 else { return nil }
        let (first, second) = (buffer[start], buffer[start + 1])
        guard first & 0x70 == 0 else {
            throw ControlProtocolError(
                .unexpected, "WebSocket frame: reserved bits, which nothing was agreed for")
        }
        guard let opcode = WebSocketFrame.Opcode(rawValue: first & 0x0f) else {
            throw ControlProtocolError(.invalidValue, "WebSocket frame: opcode \(first & 0x0f) is not known")
        }
        let isMasked = second & 0x80 != 0
        guard isMasked == expectsMasks else {
            throw ControlProtocolError(
                .unexpected, isMasked ? "WebSocket frame: masked by a server" : "WebSocket frame: not masked")
        }
        let isFinal = first & 0x80 != 0
        guard let (length, lengthBytes) = try readLength(second & 0x7f, available: available) else {
            return nil
        }
        if opcode.isControl {
            guard isFinal, length <= WebSocketFrame.maximumControlBytes else {
                throw ControlProtocolError(
                    .unexpected, "WebSocket frame: a control frame in fragments, or over 125 bytes")
            }
        }
        let head = 2 + lengthBytes + (isMasked ? 4 : 0)
        guard available - head >= length else { return nil }
        let from = start + head
        var payload = Array(buffer[from..<from + length])
        if isMasked {
            for index in payload.indices { payload[index] ^= buffer[from - 4 + index & 3] }
        }
        start = from + length
        return Frame(opcode: opcode, isFinal: isFinal, payload: payload)
    }

    /// The payload's length and how many bytes said it beyond the first; nil when they aren't there yet.
    private func readLength(_ short: UInt8, available: Int) throws(ControlProtocolError) -> (Int, Int)? {
        let count = short == 127 ? 8 : short == 126 ? 2 : 0
        guard count > 0 else { return (Int(short), 0) }
        guard available >= 2 + count else { return nil }
        var length: UInt64 = 0
        for byte in buffer[start + 2..<start + 2 + count] { length = length << 8 | UInt64(byte) }
        // One length has one form (section 5.2).
        guard length > (count == 2 ? 125 : 65_535) else {
            throw ControlProtocolError(
                .invalidValue, "WebSocket frame: a length that is not in its shortest form")
        }
        let limit = maximumMessageBytes - (message?.bytes.count ?? 0)
        guard length <= UInt64(clamping: limit) else {
            throw ControlProtocolError(
                .tooLong, "WebSocket message: at most \(maximumMessageBytes) bytes are allowed")
        }
        return (Int(length), count)
    }

    /// What a frame means; nil when it is a fragment that isn't the last.
    private mutating func take(_ frame: Frame) throws(ControlProtocolError) -> WebSocketEvent? {
        switch frame.opcode {
        case .ping: return .ping(frame.payload)
        case .pong: return .pong(frame.payload)
        case .close:
            hasEnded = true
            return .close(try WebSocketClose(payload: frame.payload))
        case .text, .binary:
            guard message == nil else {
                throw ControlProtocolError(.unexpected, "WebSocket frame: a new message within another one")
            }
            guard !frame.isFinal else { return try whole(frame.opcode, frame.payload) }
            message = (frame.opcode, frame.payload)
            return nil
        case .continuation:
            guard let opcode = message?.opcode, let begun = message?.bytes.count else {
                throw ControlProtocolError(.unexpected, "WebSocket frame: a continuation of nothing")
            }
            guard frame.payload.count <= maximumMessageBytes - begun else {
                throw ControlProtocolError(
                    .tooLong, "WebSocket message: at most \(maximumMessageBytes) bytes are allowed")
            }
            message?.bytes += frame.payload
            guard frame.isFinal, let bytes = message?.bytes else { return nil }
            message = nil
            return try whole(opcode, bytes)
        }
    }

    private func whole(_ opcode: WebSocketFrame.Opcode, _ bytes: [UInt8]) throws(ControlProtocolError)
        -> WebSocketEvent
    {
        guard bytes.count <= maximumMessageBytes else {
            throw ControlProtocolError(
                .tooLong, "WebSocket message: at most \(maximumMessageBytes) bytes are allowed")
        }
        guard opcode == .text else { return .binary(bytes) }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw ControlProtocolError(.notText, "WebSocket message: a text that is not UTF-8")
        }
        return .text(bytes)
    }
}
