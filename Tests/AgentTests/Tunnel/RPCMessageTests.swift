// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import Testing

@Suite struct RPCMessageTests {
    private func parse(_ text: String) throws(RPCRefusal) -> RPCMessage {
        try RPCMessage(parsing: Array(text.utf8))
    }

    @Test(arguments: [
        RPCMessage.request(
            id: .number(0), method: "setClientId", params: .object([.init("clientId", "acme:h-1:ssh")])),
        .request(id: .text("a"), method: "call", params: nil), .notification(method: "x", params: .array([])),
        .result(id: .number(.max), .object([.init("ok", true)])), .result(id: .number(1), .null),
        .failure(id: nil, RPCError(.parseError, "no")), .failure(id: .number(4), .unknownMethod("nosuch")),
    ])
    func whatIsWrittenIsReadBack(message: RPCMessage) throws {
        #expect(try RPCMessage(parsing: message.encoded) == message)
    }

    @Test func messagesAreSpeltAsP0sAgentSpellsThem() {
        let request = RPCMessage.request(
            id: .number(0), method: "setClientId", params: .object([.init("clientId", "acme:h-1:ssh")]))
        #expect(
            request.value.text
                == #"{"id":0,"jsonrpc":"2.0","method":"setClientId","params":{"clientId":"acme:h-1:ssh"}}"#)
        #expect(request.encoded.last == 0x0a)
        #expect(
            RPCMessage.failure(id: .number(4), .unknownMethod("nosuch")).value.text
                == #"{"id":4,"error":{"code":-32601,"message":"method \"nosuch\" not found"},"jsonrpc":"2.0"}"#
        )
    }

    @Test(arguments: [
        ("nonsense", -32_700), ("{\"a\":1,\"a\":2}", -32_700), ("[]", -32_600), ("7", -32_600),
        (#"{"jsonrpc":"1.0","id":1,"method":"x"}"#, -32_600), (#"{"id":1,"method":"x"}"#, -32_600),
        (#"{"jsonrpc":"2.0","id":1}"#, -32_600), (#"{"jsonrpc":"2.0","id":1,"method":""}"#, -32_600),
        (#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32_600),
        (#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, -32_600),
        (#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#, -32_600),
        (#"{"jsonrpc":"2.0","id":{},"method":"x"}"#, -32_600),
    ])
    func whatIsNoRequestIsAnsweredWithItsCode(text: String, code: Int64) throws {
        let refusal = try #require(throws: RPCRefusal.self) { try parse(text) }
        guard case .failure(_, let error)? = refusal.answer else {
            Issue.record("no answer")
            return
        }
        #expect(error.code == code)
    }

    @Test(arguments: [
        #"{"jsonrpc":"2.0","result":1}"#, #"{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1}}"#,
        #"{"jsonrpc":"2.0","id":1,"error":{}}"#, #"{"jsonrpc":"1.0","id":1,"result":1}"#,
    ])
    func aBadAnswerIsNotAnswered(text: String) throws {
        let refusal = try #require(throws: RPCRefusal.self) { try parse(text) }
        #expect(refusal.answer == nil)
    }

    // P0's agent loses its connection over one.
    @Test func p0Defect21_aBatchIsRefusedWithoutAnId() throws {
        let refusal = try #require(throws: RPCRefusal.self) {
            try parse(#"[{"jsonrpc":"2.0","id":1,"method":"call"}]"#)
        }
        #expect(
            refusal.answer?.value.text
                == #"{"id":null,"error":{"code":-32600,"message":"batches are not supported"},"jsonrpc":"2.0"}"#
        )
    }

    @Test func attack30_deepAndLongMessagesAreRefused() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: RPCRefusal.self) {
            try parse(#"{"jsonrpc":"2.0","id":1,"method":"call","params":\#(deep)"#)
        }
        #expect(throws: RPCRefusal.self) {
            try RPCMessage(parsing: [UInt8](repeating: 0x20, count: RPCMessage.maximumBytes + 1))
        }
    }

    @Test func everyPrefixAndEveryChangedByteIsReadOrRefused() {
        let bytes = RPCMessage.request(id: .text("é"), method: "call", params: TunnelCallTests.captured)
            .encoded
        for count in 0..<bytes.count - 1 {
            #expect(throws: RPCRefusal.self) { try RPCMessage(parsing: Array(bytes[..<count])) }
        }
        for index in bytes.indices {
            for byte in UInt8.min ... .max {
                var changed = bytes
                changed[index] = byte
                guard let message = try? RPCMessage(parsing: changed) else { continue }
                #expect((try? RPCMessage(parsing: message.encoded)) == message)
            }
        }
    }
}

@Suite struct TunnelCallTests {
    /// As P0's agent was sent it.
    static let captured = JSONValue.object([
        .init("headers", .object([.init("content-type", "application/json")])), .init("method", "POST"),
        .init("path", ""),
        .init("params", .object([])),
        .init(
            "data",
            .object([
                .init("command", "provisionUser"), .init("userName", "alice"), .init("action", "grant"),
                .init("requestId", "req1"),
            ])), .init("options", .object([.init("timeoutMillis", 4_000)])),
    ])

    @Test func aCallAsItWasCapturedIsReadAndWrittenTheSame() throws {
        let call = try TunnelCall(params: Self.captured)
        #expect(call.value == Self.captured)
        #expect(call.timeoutMilliseconds == 4_000)
        let host = try #require(try call.hostCall())
        #expect((host.command, host.requestID) == ("provisionUser", "req1"))
        #expect(host.data["userName"] == "alice")
    }

    @Test func whatIsMissingIsEmpty() throws {
        let call = try TunnelCall(params: .object([]))
        #expect(call.timeoutMilliseconds == nil)
        #expect(try call.hostCall() == nil)
        #expect(try TunnelCall(params: .object([.init("data", .null)])).hostCall() == nil)
    }

    @Test(
        arguments: [
            nil, .null, .array([]), .object([.init("data", "x")]), .object([.init("method", 1)]),
            .object([.init("headers", .array([]))]),
            .object([.init("options", .object([.init("timeoutMillis", "4")]))]),
            .object([.init("params", 3)]), .object([.init("path", false)]),
        ] as [JSONValue?])
    func parametersOfAnotherShapeAreRefused(params: JSONValue?) {
        #expect(throws: ControlProtocolError(.invalidValue, "")) { try TunnelCall(params: params) }
    }

    @Test(
        arguments: [
            .object([.init("command", 7)]),
            .object([.init("command", .string(String(repeating: "x", count: 129)))]),
            .object([.init("command", "x"), .init("requestId", 7)]),
            .object([.init("command", "x"), .init("requestId", .string(String(repeating: "x", count: 257)))]),
        ] as [JSONValue])
    func aCommandOrRequestIdThatIsNoTextIsRefused(data: JSONValue) throws {
        let call = try TunnelCall(params: .object([.init("data", data)]))
        #expect(throws: ControlProtocolError.self) { try call.hostCall() }
    }

    @Test(arguments: [(Int64.max, 600_000), (-1, 0), (0, 0), (5, 5)] as [(Int64, UInt64)])
    func aTimeThatIsNoneIsHeldToItsLimits(asked: Int64, taken: UInt64) throws {
        let call = try TunnelCall(
            params: .object([.init("options", .object([.init("timeoutMillis", .number(asked))]))]))
        #expect(call.timeoutMilliseconds == taken)
    }
}

@Suite struct TunnelReplyTests {
    static let time = UnixTime(seconds: 1_795_206_096)

    @Test func repliesAreSpeltAsTheyWereCaptured() {
        let done = TunnelReply(
            clientID: "acme:h-1:ssh", command: "provisionUser",
            outcome: HostOutcome(success: true, message: "…"),
            time: Self.time)
        #expect(
            done.value.text
                == #"{"headers":{"content-type":"application/json"},"status":200,"statusText":"OK","data":{"client_id":"acme:h-1:ssh","command":"provisionUser","message":"…","status":"completed","success":true,"timestamp":"2026-11-20T20:21:36Z"}}"#
        )
        let failed = TunnelReply(
            clientID: "acme:h-1:ssh", command: "provisionUser",
            outcome: HostOutcome(success: false, message: "…"),
            time: Self.time)
        #expect(
            failed.value.text
                == #"{"headers":{"content-type":"application/json"},"status":500,"statusText":"Internal Server Error","data":{"client_id":"acme:h-1:ssh","command":"provisionUser","error":"…","status":"failed","success":false,"timestamp":"2026-11-20T20:21:36Z"}}"#
        )
        let output = TunnelReply(
            clientID: "c", command: "listUsers",
            outcome: HostOutcome(success: true, message: "m", output: "[]"),
            time: Self.time)
        #expect(output.value["data"]?["output"] == "[]")
        #expect(
            TunnelReply.noCommand(clientID: "c", time: Self.time).value["data"]?.text
                == #"{"client_id":"c","command":"","message":"Request logged - no command specified","status":"completed","success":true,"timestamp":"2026-11-20T20:21:36Z"}"#
        )
    }

    @Test(arguments: [(true, nil), (false, nil), (true, "text"), (false, "text")] as [(Bool, String?)])
    func whatIsWrittenIsReadBack(success: Bool, output: String?) throws {
        let reply = TunnelReply(
            clientID: "c", command: "x", outcome: HostOutcome(success: success, message: "m", output: output),
            time: Self.time)
        #expect(try TunnelReply(reply.value) == reply)
    }

    @Test(
        arguments: [
            .null, .object([]), .object([.init("status", 200)]),
            .object([.init("status", 99), .init("data", .object([]))]),
        ]
            as [JSONValue])
    func whatIsNoReplyIsRefused(value: JSONValue) {
        #expect(throws: ControlProtocolError.self) { try TunnelReply(value) }
    }
}
