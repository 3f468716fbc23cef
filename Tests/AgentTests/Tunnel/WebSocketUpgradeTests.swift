// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Testing

@Suite struct WebSocketUpgradeTests {
    static let nonce = Array("the sample nonce".utf8)
    static let answer = """
        HTTP/1.1 101 Switching Protocols\r
        Upgrade: websocket\r
        Connection: keep-alive, Upgrade\r
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
        \r

        """

    private func judge(_ answer: String, offered: [String] = ["daypass.v1"]) throws -> String? {
        let (head, _) = try #require(try HTTPResponseHead.read(Array(answer.utf8)))
        return try WebSocketUpgrade(nonce: Self.nonce, subprotocols: offered).judge(head)
    }

    // RFC 6455, section 1.3.
    @Test func theStandardsExampleIsTheStandardsAnswer() throws {
        #expect(WebSocketUpgrade(nonce: Self.nonce).key == "dGhlIHNhbXBsZSBub25jZQ==")
        #expect(WebSocketUpgrade.accept(for: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(try judge(Self.answer) == nil)
    }

    @Test func theRequestNamesHostKeyTokenAndSubprotocol() throws {
        let upgrade = WebSocketUpgrade(nonce: Self.nonce, subprotocols: [Tunnel.subprotocol])
        let request = String(
            decoding: upgrade.request(
                to: try TunnelURL("wss://[::1]:8443/t?x=1"), token: "a.b.c", userAgent: "daypass-agent/1"),
            as: UTF8.self)
        #expect(request.hasPrefix("GET /t?x=1 HTTP/1.1\r\nHost: [::1]:8443\r\n"))
        for line in [
            "Authorization: Bearer a.b.c", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: daypass.v1", "Upgrade: websocket",
        ] {
            #expect(request.contains("\r\n\(line)\r\n"))
        }
        #expect(request.hasSuffix("\r\n\r\n"))
    }

    @Test func aSubprotocolThatWasOfferedIsChosen() throws {
        let answer = Self.answer.replacing(
            "Upgrade: w", with: "Sec-WebSocket-Protocol: daypass.v1\r\nUpgrade: w")
        #expect(try judge(answer) == "daypass.v1")
        #expect(throws: ControlProtocolError(.unexpected, "")) { try judge(answer, offered: ["other"]) }
        #expect(throws: ControlProtocolError(.unexpected, "")) { try judge(answer, offered: []) }
    }

    @Test(arguments: [
        ("101 Switching Protocols", "200 OK"), ("s3pPLMB", "t3pPLMB"), ("websocket", "h2c"),
        ("keep-alive, Upgrade", "keep-alive"),
        ("Upgrade: w", "Sec-WebSocket-Extensions: permessage-deflate\r\nUpgrade: w"),
        (
            "Sec-WebSocket-Accept: ",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Accept: "
        ),
    ])
    func anAnswerThatIsNotToThisKeyIsRefused(what: String, by: String) {
        #expect(throws: ControlProtocolError.self) { try judge(Self.answer.replacing(what, with: by)) }
    }

    @Test func noPrefixOfAHeadIsAHead() throws {
        let bytes = Array(Self.answer.utf8)
        for count in 0..<bytes.count { #expect(try HTTPResponseHead.read(Array(bytes[..<count])) == nil) }
        let (_, count) = try #require(try HTTPResponseHead.read(bytes + [1, 2, 3]))
        #expect(count == bytes.count)
    }

    @Test func everyChangedByteIsReadOrRefused() {
        let bytes = Array(Self.answer.utf8)
        for index in bytes.indices {
            for byte in UInt8.min ... .max {
                var changed = bytes
                changed[index] = byte
                _ = try? HTTPResponseHead.read(changed)
            }
        }
    }

    @Test(arguments: [
        "HTTP/1.1 101\r\nA b: c\r\n\r\n", "HTTP/1.1 101 ok\r\n folded\r\n\r\n", "HTTP/1.1 1015 ok\r\n\r\n",
        "HTTP/2 101 ok\r\n\r\n", "HTTP/1.1 101 ok\nA: b\r\n\r\n", "HTTP/1.1 101 ok\r\nA: b\u{0}c\r\n\r\n",
        "HTTP/1.1 99 ok\r\n\r\n", "HTTP/1.1 +10 ok\r\n\r\n", "\r\n\r\n", "HTTP/1.1 101 ok\r\n: c\r\n\r\n",
    ])
    func whatIsNoHeadIsRefused(text: String) {
        #expect(throws: ControlProtocolError(.invalidValue, "")) {
            try HTTPResponseHead.read(Array(text.utf8))
        }
    }

    @Test func aHeadIsBounded() {
        let many = (0...HTTPResponseHead.maximumFields).map { "a\($0): b\r\n" }.joined()
        #expect(throws: ControlProtocolError(.tooLong, "")) {
            try HTTPResponseHead.read(Array("HTTP/1.1 200 OK\r\n\(many)\r\n".utf8))
        }
        #expect(throws: ControlProtocolError(.tooLong, "")) {
            try HTTPResponseHead.read([UInt8](repeating: 0x41, count: HTTPResponseHead.maximumBytes))
        }
    }
}

@Suite struct TunnelURLTests {
    @Test(arguments: [
        ("wss://API.p0.app", "wss://api.p0.app/", "api.p0.app", 443, "/"),
        ("ws://localhost:8079/socket", "ws://localhost:8079/socket", "localhost", 8_079, "/socket"),
        ("https://ca.example.com:8443?a=b", "https://ca.example.com:8443/", "ca.example.com", 8_443, "/?a=b"),
        ("wss://[2001:db8::1]/x", "wss://[2001:db8::1]/x", "2001:db8::1", 443, "/x"),
        ("http://127.0.0.1:80/", "http://127.0.0.1/", "127.0.0.1", 80, "/"),
    ])
    func aURLIsTakenApart(text: String, shown: String, host: String, port: UInt16, target: String) throws {
        let url = try TunnelURL(text)
        #expect(url.description == shown)
        #expect((url.host, url.port, url.target) == (host, port, target))
    }

    @Test(arguments: [
        "", "api.p0.app", "ftp://a", "wss://", "wss:///x", "wss://user@host", "wss://a:0", "wss://a:65536",
        "wss://a:+1",
        "wss://a:01", "wss://a b", "wss://a/\r\nX: y", "wss://a/#f", "wss://[::1", "wss://::1/", "wss://[a]/",
        "wss://ä/",
        "wss://a/ä",
    ])
    func whatIsNoURLIsRefused(text: String) {
        #expect(throws: ControlProtocolError.self) { try TunnelURL(text) }
    }

    @Test(arguments: [
        ("ws://localhost", true), ("ws://127.0.0.9", true), ("ws://[::1]", true),
        ("ws://127.0.0.1.example", false),
        ("ws://localhost.example", false), ("ws://10.0.0.1", false), ("ws://[::2]", false),
    ])
    func onlyThisMachineIsTheLoopback(text: String, isLoopback: Bool) throws {
        #expect(try TunnelURL(text).isLoopback == isLoopback)
    }

    @Test func theOriginHasNoPathAndNoUsualPort() throws {
        #expect(try TunnelURL("wss://CA.example.com/t?x").origin == "https://ca.example.com")
        #expect(try TunnelURL("wss://ca.example.com:8443/t").origin == "https://ca.example.com:8443")
    }
}
