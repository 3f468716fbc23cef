// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// One frame of a WebSocket connection as bytes (RFC 6455, section 5.2).
public enum WebSocketFrame {
    /// What a frame carries.
    public enum Opcode: UInt8, Sendable, CaseIterable {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10

        /// True for close, ping and pong: never in fragments, at most ``WebSocketFrame/maximumControlBytes``.
        public var isControl: Bool { rawValue & 8 != 0 }
    }

    /// The most that a close, ping or pong carries (RFC 6455, section 5.5).
    public static let maximumControlBytes = 125
    /// The longest head: two bytes, eight of length, four of mask.
    static let maximumHeadBytes = 14

    /// Encodes a frame, its length in the shortest form.
    ///
    /// - Parameters:
    ///   - payload: for control frames at most ``maximumControlBytes``; what is longer is cut.
    ///   - isFinal: false for all fragments of a message but the last.
    ///   - mask: four random bytes, new for each frame, where a client sends it; nil where a server does (section 5.1).
    public static func encode(
        _ opcode: Opcode, _ payload: [UInt8], isFinal: Bool = true, mask: UInt32?
    ) -> [UInt8] {
        let payload = opcode.isControl ? payload.prefix(maximumControlBytes) : payload[...]
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payload.count + maximumHeadBytes)
        bytes.append((isFinal ? 0x80 : 0) | opcode.rawValue)
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        switch payload.count {
        case ..<126: bytes.append(maskBit | UInt8(truncatingIfNeeded: payload.count))
        case ..<(1 << 16):
            bytes.append(maskBit | 126)
            append(UInt64(payload.count), bytes: 2, to: &bytes)
        default:
            bytes.append(maskBit | 127)
            append(UInt64(payload.count), bytes: 8, to: &bytes)
        }
        guard let mask else { return bytes + payload }
        let key = maskBytes(mask)
        bytes += key
        for (index, byte) in payload.enumerated() { bytes.append(byte ^ key[index & 3]) }
        return bytes
    }

    private static func append(_ number: UInt64, bytes count: Int, to bytes: inout [UInt8]) {
        for index in (0..<count).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(index))))
        }
    }

    private static func maskBytes(_ mask: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: mask >> (24 - 8 * UInt32($0))) }
    }
}

/// Why a connection is closed, as a close frame says it (RFC 6455, sections 5.5.1 and 7.4).
public struct WebSocketClose: Sendable, Hashable {
    /// The status code: 1000 to 4999, less those that never travel.
    public let code: UInt16
    /// For people, at most 123 bytes.
    public let reason: String

    /// The end of a connection that did its work.
    public static let normal = WebSocketClose(code: 1_000, reason: "")
    /// The sender goes away: a service that stops.
    public static let goingAway = WebSocketClose(code: 1_001, reason: "")

    /// - Parameter reason: cut at 123 bytes, between characters.
    public init(code: UInt16, reason: String) {
        self.code = code
        var reason = reason
        while reason.utf8.count > WebSocketFrame.maximumControlBytes - 2 { reason.removeLast() }
        self.reason = reason
    }

    /// The code that tells a peer what was wrong with what it sent (section 7.4.1).
    public init(because error: ControlProtocolError) {
        let code: UInt16 =
            switch error.code {
            case .tooLong: 1_009
            case .notText: 1_007
            default: 1_002
            }
        self.init(code: code, reason: error.reason)
    }

    /// The payload of a close frame.
    public var payload: [UInt8] {
        [UInt8(truncatingIfNeeded: code >> 8), UInt8(truncatingIfNeeded: code)] + Array(reason.utf8)
    }

    /// Parses a close frame's payload; nil for an empty one, which says nothing.
    ///
    /// - Throws: `.invalidValue` for one byte or a code that must not be sent, `.notText` for a reason that isn't UTF-8.
    public init?(payload: [UInt8]) throws(ControlProtocolError) {
        guard !payload.isEmpty else { return nil }
        guard payload.count >= 2 else {
            throw ControlProtocolError(.invalidValue, "WebSocket close: one byte where a code has two")
        }
        code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        switch code {
        case 1_000...1_003, 1_007...1_014, 3_000...4_999: break
        default:
            throw ControlProtocolError(
                .invalidValue, "WebSocket close: code \(code), which is never sent")
        }
        guard let reason = String(validating: payload[2...], as: UTF8.self) else {
            throw ControlProtocolError(.notText, "WebSocket close: a reason that is not UTF-8")
        }
        self.reason = reason
    }
}
