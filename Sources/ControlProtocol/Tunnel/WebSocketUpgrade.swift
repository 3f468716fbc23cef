// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A client's side of a WebSocket's opening handshake (RFC 6455, section 4.1).
public struct WebSocketUpgrade: Sendable {
    /// The value of `Sec-WebSocket-Key`: 16 random bytes in base64.
    public let key: String
    /// What is offered in `Sec-WebSocket-Protocol`, the first one first.
    public let subprotocols: [String]

    /// - Parameter nonce: 16 random bytes.
    public init(nonce: [UInt8], subprotocols: [String] = []) {
        key = Base64.encode(nonce)
        self.subprotocols = subprotocols
    }

    /// The request's bytes.
    ///
    /// - Parameters:
    ///   - token: the value behind `Authorization: Bearer`.
    ///   - userAgent: a product name and version.
    public func request(to url: TunnelURL, token: String, userAgent: String) -> [UInt8] {
        var text = "GET \(url.target) HTTP/1.1\r\nHost: \(url.authority)\r\nUser-Agent: \(userAgent)\r\n"
        text += "Authorization: Bearer \(token)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        text += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n"
        if !subprotocols.isEmpty {
            text += "Sec-WebSocket-Protocol: \(subprotocols.joined(separator: ", "))\r\n"
        }
        return Array((text + "\r\n").utf8)
    }

    /// Judges the server's answer.
    ///
    /// - Returns: the subprotocol that the server chose; nil when it chose none, which is allowed.
    /// - Throws: `.invalidValue` when it is no 101, or not the answer to this key; `.unexpected` for a subprotocol or an
    ///   extension that was not offered.
    public func judge(_ head: HTTPResponseHead) throws(ControlProtocolError) -> String? {
        guard head.status == 101 else {
            throw ControlProtocolError(
                .invalidValue, "WebSocket: status \(head.status) where 101 is expected")
        }
        guard head.value("upgrade")?.lowercased() == "websocket", head.lists("upgrade", in: "connection"),
            head.value("sec-websocket-accept") == Self.accept(for: key)
        else {
            throw ControlProtocolError(
                .invalidValue, "WebSocket: a 101 that does not answer this connection's key")
        }
        guard !head.fields.contains(where: { $0.name == "sec-websocket-extensions" }) else {
            throw ControlProtocolError(.unexpected, "WebSocket: an extension that was not offered")
        }
        guard head.fields.contains(where: { $0.name == "sec-websocket-protocol" }) else { return nil }
        guard let chosen = head.value("sec-websocket-protocol"), subprotocols.contains(chosen) else {
            throw ControlProtocolError(.unexpected, "WebSocket: a subprotocol that was not offered")
        }
        return chosen
    }

    /// The `Sec-WebSocket-Accept` that belongs to a key (section 4.2.2). SHA-1 is the protocol's; nothing rests on it.
    public static func accept(for key: String) -> String {
        Base64.encode(Digest.insecureSHA1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }
}
