// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Testing

@testable import Agent

@Suite struct TunnelConversationTests {
    static let second: UInt64 = 1_000_000_000
    static let ok = #"{"jsonrpc":"2.0","id":0,"result":{"ok":true}}"#

    private func conversation(_ dialect: Tunnel.Dialect = .p0) -> TunnelConversation {
        TunnelConversation(clientID: "acme:h-1:ssh", heartbeatSeconds: 60, dialect: dialect, at: 0)
    }

    private func said(_ actions: [TunnelConversation.Action]) -> [String] {
        actions.compactMap { if case .send(let message) = $0 { message.value.text } else { nil } }
    }

    private func isGivenUp(_ actions: [TunnelConversation.Action]) -> Bool {
        actions.contains { if case .giveUp = $0 { true } else { false } }
    }

    @Test func itSaysAtOnceWhoItIsAndAgainEachInterval() {
        var talk = conversation()
        #expect(
            said(talk.tick(at: 0))
                == [#"{"id":0,"jsonrpc":"2.0","method":"setClientId","params":{"clientId":"acme:h-1:ssh"}}"#])
        #expect(talk.take(Array(Self.ok.utf8)) == [.registered(.object([.init("ok", true)]))])
        #expect(talk.tick(at: 59 * Self.second) == [])
        #expect(talk.dueAt == 60 * Self.second)
        #expect(said(talk.tick(at: 60 * Self.second)).first?.hasPrefix(#"{"id":1,"#) == true)
        // It is known already.
        #expect(talk.take(Array(Self.ok.replacing("\"id\":0", with: "\"id\":1").utf8)) == [])
    }

    // With a server that never answers, P0's agent sits silent for ever.
    @Test func p0Defect26_aHeartbeatThatIsNotAnsweredEndsTheConnection() {
        var talk = conversation()
        _ = talk.tick(at: 0)
        #expect(!isGivenUp(talk.tick(at: 10 * Self.second - 1)))
        #expect(isGivenUp(talk.tick(at: 10 * Self.second)))
    }

    @Test func aRefusedClientIdEndsTheConnection() {
        var talk = conversation()
        _ = talk.tick(at: 0)
        let answer = #"{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"no\u001b[2J"}}"#
        #expect(talk.take(Array(answer.utf8)) == [.giveUp("setClientId was refused: no\\u{1b}[2J")])
    }

    @Test func aCallIsHandedOnWithItsId() throws {
        var talk = conversation()
        let call = try TunnelCall(params: TunnelCallTests.captured)
        let message = RPCMessage.request(id: .text("x"), method: "call", params: TunnelCallTests.captured)
        #expect(talk.take(message.encoded) == [.call(.text("x"), call)])
    }

    // P0's agent answers notifications, with "id":0.
    @Test(arguments: ["call", "nosuch"])
    func p0Defect25_aNotificationIsNeverAnswered(method: String) throws {
        var talk = conversation()
        let actions = talk.take(
            RPCMessage.notification(method: method, params: TunnelCallTests.captured).encoded)
        #expect(said(actions) == [])
        #expect(said(talk.take(RPCMessage.notification(method: "call", params: 7).encoded)) == [])
    }

    // P0's agent loses its connection over a batch or invalid JSON.
    @Test(arguments: ["[]", #"[{"jsonrpc":"2.0","id":1,"method":"call"}]"#, "garbage", "", "{", "\u{0}"])
    func p0Defect21_aBatchOrGarbageIsAnsweredAndTheConnectionGoesOn(text: String) {
        var talk = conversation()
        let actions = talk.take(Array(text.utf8))
        #expect(said(actions).count == 1)
        #expect(!isGivenUp(actions))
    }

    @Test func unknownMethodsAndWrongParametersHaveTheirCodes() {
        var p0 = conversation()
        var strict = conversation(.daypass)
        let unknown = RPCMessage.request(id: .number(4), method: "nosuch", params: nil).encoded
        #expect(
            said(p0.take(unknown)) == [
                #"{"id":4,"error":{"code":-32601,"message":"method \"nosuch\" not found"},"jsonrpc":"2.0"}"#
            ])
        let wrong = RPCMessage.request(id: .number(4), method: "call", params: 7).encoded
        #expect(
            said(p0.take(wrong)).first?.contains(
                #"{"code":-32603,"message":"failed to unmarshal ForwardedRequest: "#) == true)
        #expect(said(strict.take(wrong)).first?.contains(#""code":-32602"#) == true)
    }

    @Test func anAnswerToNothingIsPassedOver() {
        var talk = conversation()
        for text in [
            Self.ok, #"{"jsonrpc":"2.0","id":"x","result":1}"#,
            #"{"jsonrpc":"2.0","id":null,"error":{"code":1}}"#,
        ] {
            let actions = talk.take(Array(text.utf8))
            #expect(said(actions) == [] && !isGivenUp(actions))
        }
    }

    @Test func ourOwnRequestsWaitUntilWeAreKnownAndHaveAnEnd() {
        var talk = conversation(.daypass)
        #expect(!talk.mayRequest)
        _ = talk.tick(at: 0)
        _ = talk.take(Array(Self.ok.utf8))
        #expect(talk.mayRequest)
        _ = talk.send("report", .object([]), ticket: 7, at: 0)
        _ = talk.send("report", .object([]), ticket: 8, at: 0)
        #expect(
            talk.take(Array(#"{"jsonrpc":"2.0","id":1,"result":3}"#.utf8)) == [
                .answered(ticket: 7, .result(3))
            ])
        #expect(talk.unanswered == [8])
        #expect(talk.tick(at: 10 * Self.second) == [.answered(ticket: 8, .late)])
        for ticket in 0..<UInt64(TunnelConversation.maximumRequests) {
            #expect(talk.mayRequest)
            _ = talk.send("report", .object([]), ticket: ticket, at: 0)
        }
        #expect(!talk.mayRequest)
        // P0's servers know no requests of ours.
        var p0 = conversation()
        _ = p0.tick(at: 0)
        _ = p0.take(Array(Self.ok.utf8))
        #expect(!p0.mayRequest)
    }
}

@Suite struct CallMemoryTests {
    static let second: UInt64 = 1_000_000_000
    static let done = HostOutcome(success: true, message: "done")

    private func call(_ id: String?, _ command: String = "x", action: String = "grant") -> HostCall {
        HostCall(command: command, requestID: id, data: .object([.init("action", .string(action))]))
    }

    // P0's server repeats a call that took too long, and its agent runs it again.
    @Test func p0Defect25_aRepeatedCallAnswersWhatTheFirstDidAlsoWhileItRuns() {
        var memory = CallMemory()
        #expect(memory.begin(call("r"), dryRun: false, at: 0) == .run(ticket: 0))
        #expect(memory.begin(call("r"), dryRun: false, at: 1) == .wait(ticket: 0))
        memory.finish(0, Self.done, at: 2)
        #expect(memory.begin(call("r"), dryRun: false, at: 3) == .known(Self.done))
        #expect(memory.begin(call("r", "y"), dryRun: false, at: 3) == .run(ticket: 4 - 1))
    }

    @Test func withoutARequestIdEachCallIsItsOwn() {
        var memory = CallMemory()
        #expect(memory.begin(call(nil), dryRun: false, at: 0) == .run(ticket: 0))
        memory.finish(0, Self.done, at: 0)
        #expect(memory.begin(call(nil), dryRun: false, at: 0) == .run(ticket: 1))
        #expect(memory.count == 0)
    }

    @Test func aGrantThatComesAgainAfterItWasRevokedIsDoneAgain() {
        var memory = CallMemory()
        for (ticket, action) in ["grant", "revoke", "grant"].enumerated() {
            #expect(
                memory.begin(call("r", action: action), dryRun: false, at: 0) == .run(ticket: UInt64(ticket)))
            memory.finish(UInt64(ticket), Self.done, at: 0)
        }
    }

    @Test func whatWasOnlySaidIsDoneWhenItIsMeant() {
        var memory = CallMemory()
        _ = memory.begin(call("r"), dryRun: true, at: 0)
        memory.finish(0, Self.done, at: 0)
        #expect(memory.begin(call("r"), dryRun: false, at: 0) == .run(ticket: 1))
    }

    @Test func aFailureIsRememberedForSecondsASuccessForAnHour() {
        var memory = CallMemory()
        let failed = HostOutcome(success: false, message: "no")
        _ = memory.begin(call("a"), dryRun: false, at: 0)
        _ = memory.begin(call("b"), dryRun: false, at: 0)
        memory.finish(0, failed, at: 0)
        memory.finish(1, Self.done, at: 0)
        #expect(memory.begin(call("a"), dryRun: false, at: 9 * Self.second) == .known(failed))
        #expect(memory.begin(call("b"), dryRun: false, at: 3_599 * Self.second) == .known(Self.done))
        guard case .run = memory.begin(call("a"), dryRun: false, at: 10 * Self.second),
            case .run = memory.begin(call("b"), dryRun: false, at: 3_600 * Self.second)
        else {
            Issue.record("not done again")
            return
        }
    }

    @Test func aCallThatCouldNotBeBegunIsNoCall() {
        var memory = CallMemory()
        _ = memory.begin(call("r"), dryRun: false, at: 0)
        memory.abandon(0)
        #expect(memory.begin(call("r"), dryRun: false, at: 0) == .run(ticket: 1))
    }

    @Test func theMemoryIsBoundedInNumberAndBytes() {
        var memory = CallMemory()
        for index in 0..<5_000 {
            guard case .run(let ticket) = memory.begin(call("r\(index)"), dryRun: false, at: 0) else {
                continue
            }
            memory.finish(ticket, Self.done, at: 0)
        }
        #expect(memory.count == CallMemory.maximumOutcomes)
        let long = HostOutcome(success: true, message: "m", output: String(repeating: "x", count: 300_000))
        for index in 0..<20 {
            guard case .run(let ticket) = memory.begin(call("l\(index)"), dryRun: false, at: 0) else {
                continue
            }
            memory.finish(ticket, long, at: 0)
        }
        #expect(memory.count == 3)
        #expect(memory.begin(call("l19"), dryRun: false, at: 0) == .known(long))
    }
}
