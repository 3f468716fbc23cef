// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("Principals on their way to hosts") struct PrincipalsDeliveryTests {
    private struct Scene {
        let plane: TestPlane
        let admin: TestSession
        let web1: TestTunnel.Host

        static func with(_ body: (Scene) async throws -> Void) async throws {
            try await TestPlane.with(deliversGrants: true) { plane in
                try await body(
                    Scene(
                        plane: plane, admin: try await plane.parts.session("admin@example.com"),
                        web1: try await TestTunnel.join(plane)))
            }
        }

        func connect() async throws -> GrantingHost { try await GrantingHost(plane, web1) }

        /// Says who may enter, as the API takes it.
        @discardableResult
        func say(_ login: String, _ principals: [String], host: String = "web1") async throws
            -> TestAnswer
        {
            try await plane.send(
                TestRequest(
                    "PUT", "/v1/hosts/\(host)/principals/\(login)",
                    PrincipalsRequest(principals: principals).json, by: admin))
        }

        func listed() async throws -> [HostPrincipalsInfo] {
            let answer = try await plane.send(TestRequest("GET", "/v1/hosts/web1/principals", by: admin))
            guard let items = answer.json?["items"]?.array else {
                throw UnexpectedOutcome(what: answer.text)
            }
            return try items.map { try HostPrincipalsInfo(json: $0) }
        }

        func becomes(_ state: HostDelivery.State, _ login: String = "deploy") async throws {
            var last: [HostPrincipalsInfo] = []
            for _ in 0..<3_000 {
                last = try await listed()
                if last.first(where: { $0.login == login })?.state == state { return }
                try await Task.sleep(for: .milliseconds(20))
            }
            throw UnexpectedOutcome(what: "\(last) and never \(state)")
        }
    }

    @Test func aHostThatIsConnectedIsToldAtOnceAndWhoeverSaidItHearsItsAnswer() async throws {
        try await Scene.with { scene in
            var host = try await scene.connect()
            try await host.compare()
            async let answer = scene.say("deploy", ["alice@example.com", "deploy@web1", "deploy@web1"])
            let asked = try await host.asked(for: "principals")
            #expect(
                asked.data.text == """
                    {"command":"principals","user":"deploy","principals":["alice@example.com","deploy@web1"]}
                    """)
            try await host.answer(asked)
            let info = try HostPrincipalsInfo(json: try #require(try await answer.json))
            #expect(info.state == .delivered && info.reason == nil)
            // The same again is no change: nothing is asked, nothing is in the log.
            let entries = await scene.plane.parts.ledger.kept.entries.count
            #expect(
                try await HostPrincipalsInfo(
                    json: try #require(
                        scene.say("deploy", ["alice@example.com", "deploy@web1"]).json)) == info)
            #expect(await scene.plane.parts.ledger.kept.entries.count == entries)
            // Nobody, from here on.
            async let shut = scene.say("deploy", [])
            let second = try await host.asked(for: "principals")
            #expect(second.data["principals"] == .array([]))
            try await host.answer(second)
            #expect(try await shut.status == 200)
        }
    }

    @Test func aHostThatWasAwayIsToldWhenItComesBackAndAtEachConnectionAnew() async throws {
        try await Scene.with { scene in
            let answer = try await scene.say("deploy", ["deploy@web1"])
            let info = try HostPrincipalsInfo(json: try #require(answer.json))
            #expect(info.state == .pending && info.reason == "the host is not connected")
            for _ in 0..<2 {
                var host = try await scene.connect()
                try await host.compare()
                try await host.answer(try await host.asked(for: "principals"))
                try await scene.becomes(.delivered)
                try await host.close()
            }
        }
    }

    @Test func aHostThatRefusesIsShownWithItsReasonAndAskedAgain() async throws {
        try await Scene.with { scene in
            var host = try await scene.connect()
            try await host.compare()
            async let answer = scene.say("deploy", ["x"])
            try await host.answer(
                try await host.asked(for: "principals"), "this host has no such account", success: false)
            let info = try HostPrincipalsInfo(json: try #require(try await answer.json))
            #expect(info.state == .refused && info.reason == "this host has no such account")
            // After two seconds; another word is not kept waiting for that.
            async let other = scene.say("deploy", ["y"])
            let asked = try await host.asked(for: "principals")
            #expect(asked.data["principals"] == .array(["y"]))
            try await host.answer(asked, "still not", success: false)
            #expect(try await other.status == 200)
            try await host.answer(try await host.asked(for: "principals"))
            try await scene.becomes(.delivered)
        }
    }

    @Test func whatIsForgottenIsNotAskedForAndStaysOnTheHostAsItIs() async throws {
        try await Scene.with { scene in
            for login in ["deploy", "backup"] { try await scene.say(login, ["x"]) }
            let target = "/v1/hosts/web1/principals/deploy"
            #expect(try await scene.plane.send(TestRequest("DELETE", target, by: scene.admin)).status == 204)
            #expect(try await scene.plane.send(TestRequest("DELETE", target, by: scene.admin)).status == 404)
            var host = try await scene.connect()
            try await host.compare()
            let asked = try await host.asked(for: "principals")
            #expect(asked.data["user"] == "backup")
            try await host.answer(asked)
            try await scene.becomes(.delivered, "backup")
            #expect(try await scene.listed().map(\.login) == ["backup"])
            // A host that is forgotten, and added under its id later, is another one.
            #expect(
                try await scene.plane.send(TestRequest("DELETE", "/v1/hosts/web1", by: scene.admin)).status
                    == 204)
            try await scene.plane.authority.set(try ManagedHost(id: "web1"), by: try Identity("setup"))
            #expect(try await scene.listed().isEmpty)
        }
    }

    @Test func eachChangeIsInTheLogWithWhoMadeItBeforeTheHostHasIt() async throws {
        try await Scene.with { scene in
            try await scene.say("deploy", ["alice@example.com", "deploy@web1"])
            let forgotten = try await scene.plane.send(
                TestRequest("DELETE", "/v1/hosts/web1/principals/deploy", by: scene.admin))
            #expect(forgotten.status == 204)
            let changes = try await scene.plane.parts.ledger.kept.entries.compactMap { bytes -> String? in
                let entry = try LogEntry(encoded: bytes.span)
                guard case .change(let change) = entry.event, change.subject == .principals else {
                    return nil
                }
                return
                    "\(change.isPresent) \(change.name.string): \(change.detail.string) by \(entry.requester)"
            }
            #expect(
                changes == [
                    "true web1 deploy: alice@example.com,deploy@web1 by admin@example.com",
                    "false web1 deploy: alice@example.com,deploy@web1 by admin@example.com",
                ])
        }
    }

    @Test func whatNoHostCouldTakeIsRefusedBeforeAnythingIsKept() async throws {
        try await Scene.with { scene in
            let refused = [
                (try await scene.say("deploy", ["a b"]), 400), (try await scene.say("deploy", ["a,b"]), 400),
                (try await scene.say("deploy", [""]), 400), (try await scene.say("a%2Fb", ["x"]), 400),
                (try await scene.say("de%0Aploy", ["x"]), 400),
                (try await scene.say("deploy", (0...64).map { "p\($0)" }), 400),
                (try await scene.say("deploy", ["x"], host: "web9"), 404),
            ]
            for (answer, status) in refused { #expect(answer.status == status, "\(answer.text)") }
            let missing = try await scene.plane.send(
                TestRequest("PUT", "/v1/hosts/web1/principals/deploy", .object([]), by: scene.admin))
            #expect(missing.status == 400)
            let bob = try await scene.plane.parts.session("bob@example.com")
            for method in ["GET", "PUT", "DELETE"] {
                let answer = try await scene.plane.send(
                    TestRequest(
                        method,
                        method == "GET"
                            ? "/v1/hosts/web1/principals" : "/v1/hosts/web1/principals/deploy",
                        method == "PUT" ? PrincipalsRequest(principals: ["x"]).json : nil, by: bob))
                #expect(answer.status == 403, "\(answer.text)")
            }
            #expect(try await scene.listed().isEmpty)
        }
    }
}
