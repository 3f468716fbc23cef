// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("Grants on their way to hosts") struct GrantDeliveryTests {
    private static let policy = ApprovalScene.policy(
        certificate: "{max_lifetime: 1h, default_lifetime: 10m, sudo: true}")

    /// Alice asks and bob approves; web1 has joined.
    private struct Scene {
        let plane: TestPlane
        let alice: TestPerson
        let bob: TestPerson
        let web1: TestTunnel.Host

        static func with(
            earlier: TestAuthority? = nil, revocationSigner: RevocationSigner? = nil,
            _ body: (Scene) async throws -> Void
        ) async throws {
            try await TestPlane.with(
                policy: GrantDeliveryTests.policy, earlier: earlier, deliversGrants: true,
                revocationSigner: revocationSigner
            ) { plane in
                let scene = Scene(
                    plane: plane, alice: try await plane.parts.person("alice@example.com", groups: ["sre"]),
                    bob: try await plane.parts.person("bob@example.com", groups: ["leads"]),
                    web1: try await TestTunnel.join(plane))
                try await plane.authority.set(
                    try ManagedHost(id: "web1", labels: ["team": "infra"]), by: try Identity("setup"))
                try await body(scene)
            }
        }

        func connect() async throws -> GrantingHost { try await GrantingHost(plane, web1) }

        func granted(sudo: Bool = false, host: String = "web1") async throws -> GrantRequest {
            let wish = try GrantWish(
                target: .host(host), login: "deploy", duration: 1_800, wantsSudo: sudo, reason: "disk full")
            let authority = plane.authority
            guard case .done(let asked) = try await authority.ask(wish, for: alice.session.session, from: nil)
            else { throw UnexpectedOutcome(what: "not asked") }
            let signature = try ApprovalScene.sign(asked.text(origin: "test.example"), bob.key)
            guard
                case .done(let request) = try await authority.approve(
                    asked.id, by: signature, of: bob.session.session, from: nil)
            else { throw UnexpectedOutcome(what: "not approved") }
            return request
        }

        func revoke(_ request: GrantRequest) async throws {
            _ = try await plane.authority.takeBack(
                request.id, reason: "", by: bob.session.session, from: nil)
        }

        /// What the API says of the only host.
        func delivery(_ request: GrantRequest) async throws -> HostDelivery? {
            let answer = try await plane.send(
                TestRequest("GET", "/v1/requests/\(request.id)", by: alice.session))
            guard let json = answer.json else { throw UnexpectedOutcome(what: answer.text) }
            return try AccessRequestInfo(json: json).delivery.first
        }

        func becomes(_ state: HostDelivery.State, _ request: GrantRequest) async throws {
            var last: HostDelivery?
            for _ in 0..<3_000 {
                last = try await delivery(request)
                if last?.state == state { return }
                try await Task.sleep(for: .milliseconds(20))
            }
            throw UnexpectedOutcome(what: "\(String(describing: last)) and never \(state)")
        }
    }

    @Test func p0Fault2_5_aGrantIsNotSaidToBeOnAHostThatTakesNone() async throws {
        try await Scene.with { scene in
            var tunnel = try await TestTunnel.openP0(scene.plane, scene.web1)
            let request = try await scene.granted()
            try await scene.becomes(.refused, request)
            let reason = try await scene.delivery(request)?.reason
            #expect(reason?.contains("P0's protocol") == true)
            // Nothing was asked of it, and nothing has to be taken back.
            try await scene.revoke(request)
            try await scene.becomes(.removed, request)
            try await tunnel.say(.request(id: .number(1), method: "nosuch", params: nil))
            guard case .failure(.number(1), _) = try await tunnel.hear() else {
                throw UnexpectedOutcome(what: "it was asked something")
            }
        }
    }

    @Test func aHostThatIsConnectedGetsExactlyWhatWasApproved() async throws {
        try await Scene.with { scene in
            var host = try await scene.connect()
            try await host.compare()
            let request = try await scene.granted(sudo: true)
            let asked = try await host.asked(for: "grant")
            let until = try #require(request.window?.until)
            #expect(
                asked.data.text == """
                    {"command":"grant","id":"\(request.id)","user":"deploy","createAccount":true,\
                    "principals":["deploy@grant:\(request.id)"],"sudo":true,"until":"\(until)"}
                    """)
            #expect(try await scene.delivery(request)?.state == .pending)
            async let waited = scene.plane.send(
                TestRequest("GET", "/v1/requests/\(request.id)?wait=20", by: scene.alice.session))
            try await host.answer(asked, "granted")
            // Whoever waits for the request gets it with the host's answer.
            let info = try AccessRequestInfo(json: try #require(try await waited.json))
            #expect(info.delivery == [HostDelivery(host: "web1", state: .delivered)])
            #expect(scene.plane.log.text.contains("grant given"))

            try await scene.revoke(request)
            let back = try await host.asked(for: "revokeGrant")
            #expect(back.grant == request.id)
            try await host.answer(back, "revoked")
            try await scene.becomes(.removed, request)
        }
    }

    @Test func aHostThatWasAwayGetsItWhenItComesBack() async throws {
        try await Scene.with { scene in
            let request = try await scene.granted()
            let before = try await scene.delivery(request)
            #expect(before?.state == .pending && before?.reason == "the host is not connected")
            var host = try await scene.connect()
            try await host.compare()
            let asked = try await host.asked(for: "grant")
            #expect(asked.grant == request.id && asked.data["sudo"] == nil)
            try await host.answer(asked)
            try await scene.becomes(.delivered, request)
        }
    }

    @Test func whatWasTakenBackMeanwhileGoesFirstAndWhatIsSomebodyElsesStays() async throws {
        try await Scene.with { scene in
            let gone = try await scene.granted()
            var host = try await scene.connect()
            try await host.compare()
            try await host.answer(try await host.asked(for: "grant"))
            try await scene.becomes(.delivered, gone)
            try await host.close()
            try await scene.revoke(gone)
            let next = try await scene.granted()
            #expect(try await scene.delivery(gone)?.state == .removing)

            host = try await scene.connect()
            let foreign = String(repeating: "0", count: 32)
            try await host.compare(having: [
                (foreign, "whole"), ("by-hand", "whole"), (next.id, "sudo"), (gone.id, "whole"),
            ])
            let back = try await host.asked(for: "revokeGrant")
            #expect(back.grant == gone.id)
            try await host.answer(back)
            let given = try await host.asked(for: "grant")
            #expect(given.grant == next.id)
            try await host.answer(given)
            try await scene.becomes(.delivered, next)
            try await scene.becomes(.removed, gone)
            // Nothing else is asked.
            await #expect(throws: UnexpectedOutcome.self) { try await host.asked(within: .milliseconds(500)) }
        }
    }

    @Test func theRevocationListComesBeforeAllElse() async throws {
        let signer = RevocationSigner(try PrivateKey.generate(.ed25519, comment: ""))
        try await Scene.with(revocationSigner: signer) { scene in
            let earlier = try await scene.granted()
            let wish = try scene.plane.parts.wish()
            _ = try await scene.plane.authority.issue(wish, for: scene.alice.session.session, from: nil)
            try await scene.revoke(earlier)
            try await scene.plane.hub.refreshRevocations()
            let request = try await scene.granted()
            var host = try await scene.connect()
            let list = try await host.asked(for: "revocations")
            // However long the host takes for it.
            await #expect(throws: UnexpectedOutcome.self) { try await host.asked(within: .milliseconds(500)) }
            // One that it doesn't take keeps no grant from it.
            try await host.answer(list, "not that list", success: false)
            try await host.compare()
            #expect(try await host.asked(for: "grant").grant == request.id)
        }
    }

    @Test func whatAHostRefusesIsShownAndTriedAgain() async throws {
        try await Scene.with { scene in
            var host = try await scene.connect()
            try await host.compare()
            let request = try await scene.granted()
            let reason = "account deploy: protected: this host's provisioning.json lists it"
            for _ in 0..<2 {
                let asked = try await host.asked(for: "grant")
                try await host.answer(asked, reason, success: false)
                try await scene.becomes(.refused, request)
                #expect(try await scene.delivery(request)?.reason == reason)
            }
            // The certificate is given all the same: sshd may take it without the grant.
            let issued = try await scene.plane.send(
                TestRequest(
                    "POST", "/v1/certificates",
                    CertificateWish(
                        host: "web1", login: "deploy",
                        key: try PrivateKey.generate(.ed25519, comment: "").publicKey
                    ).json, by: scene.alice.session))
            #expect(issued.status == 201, "\(issued.text)")
            try await host.answer(try await host.asked(for: "grant"))
            try await scene.becomes(.delivered, request)
            // A refusal to take something back is no end of it either.
            try await scene.revoke(request)
            try await host.answer(
                try await host.asked(for: "revokeGrant"), "not all is gone yet", success: false)
            #expect(try await scene.delivery(request)?.state == .removing)
            try await host.answer(try await host.asked(for: "revokeGrant"))
            try await scene.becomes(.removed, request)
        }
    }

    @Test func aCallThatWasCutOffIsMadeAgain() async throws {
        try await Scene.with { scene in
            var host = try await scene.connect()
            try await host.compare()
            let request = try await scene.granted()
            let first = try await host.asked(for: "grant")
            try await host.close()
            host = try await scene.connect()
            try await host.compare(having: [(request.id, "whole")])
            let second = try await host.asked(for: "grant")
            // In the same words: the host would refuse others.
            #expect(second.data == first.data)
            try await host.answer(second, "granted already")
            try await scene.becomes(.delivered, request)
        }
    }

    @Test func aServerThatForgotWhatHostsHaveLearnsItFromThem() async throws {
        var kept: (parts: TestAuthority, live: GrantRequest, gone: GrantRequest)?
        try await Scene.with { scene in
            let (live, gone) = (try await scene.granted(), try await scene.granted(sudo: true))
            var host = try await scene.connect()
            try await host.compare()
            for _ in 0..<2 { try await host.answer(try await host.asked(for: "grant")) }
            try await scene.becomes(.delivered, gone)
            try await scene.becomes(.delivered, live)
            kept = (scene.plane.parts, live, gone)
        }
        let (parts, live, gone) = try #require(kept)
        try await Scene.with(earlier: parts) { scene in
            try await scene.revoke(gone)
            #expect(try await scene.delivery(gone)?.state == .removing)
            var host = try await scene.connect()
            try await host.compare(having: [(gone.id, "whole"), (live.id, "whole")])
            let back = try await host.asked(for: "revokeGrant")
            #expect(back.grant == gone.id)
            try await host.answer(back)
            let given = try await host.asked(for: "grant")
            #expect(given.grant == live.id)
            try await host.answer(given)
            try await scene.becomes(.delivered, live)
            try await scene.becomes(.removed, gone)
        }
    }

    @Test func aHostThatDoesNotSayWhatItHasIsToldOfEverythingThatEndedEarly() async throws {
        try await Scene.with { scene in
            let (gone, live) = (try await scene.granted(), try await scene.granted(sudo: true))
            try await scene.revoke(gone)
            var host = try await scene.connect()
            /// What comes next, but for the question that is asked again after a while.
            func asked() async throws -> GrantingHost.Asked {
                while true {
                    let asked = try await host.asked()
                    guard asked.command == "status" else { return asked }
                    try await host.answer(asked, "status: this host does not allow it", success: false)
                }
            }
            let back = try await asked()
            #expect(back.command == "revokeGrant" && back.grant == gone.id)
            try await host.answer(back, "nothing to revoke: no grant is known")
            let given = try await asked()
            #expect(given.command == "grant" && given.grant == live.id)
        }
    }

    @Test func attack45_whatAPolicyNoLongerGrantsIsTakenBackFromHosts() async throws {
        try await Scene.with { scene in
            var host = try await scene.connect()
            try await host.compare()
            let request = try await scene.granted(sudo: true)
            try await host.answer(try await host.asked(for: "grant"))
            try await scene.plane.authority.use(
                try AccessPolicy(yaml: ApprovalScene.policy(), name: "policy"), by: try Identity("setup"))
            #expect(try await host.asked(for: "revokeGrant").grant == request.id)
        }
    }

    @Test func whatIsOverByTheClockIsLeftToTheHostAtFirst() async throws {
        try await Scene.with { scene in
            var host = try await scene.connect()
            try await host.compare()
            let request = try await scene.granted()
            try await host.answer(try await host.asked(for: "grant"))
            try await scene.becomes(.delivered, request)
            scene.plane.parts.clock.advance(seconds: 1_800)
            scene.plane.authority.sweepGrants()
            await #expect(throws: UnexpectedOutcome.self) { try await host.asked(within: .milliseconds(500)) }
            #expect(scene.plane.authority.liveGrants.isEmpty)
            scene.plane.parts.clock.advance(seconds: 11)
            let asked = try await host.asked(for: "revokeGrant")
            #expect(asked.grant == request.id)
        }
    }

    @Test func aHostWithoutAnAgentIsNamed() async throws {
        try await Scene.with { scene in
            try await scene.plane.authority.set(
                try ManagedHost(id: "db1", labels: ["team": "infra"]), by: try Identity("setup"))
            let request = try await scene.granted(host: "db1")
            #expect(try await scene.delivery(request)?.state == .unmanaged)
        }
    }

    @Test func whatFailsIsTriedLessAndLessOftenAndNeverLeft() {
        let start = ContinuousClock.now
        var (now, retry) = (start, DeliveryBook.Retry())
        #expect(retry.isDue(at: now))
        var waits: [Int64] = []
        for _ in 0..<20 {
            retry.fail(at: now)
            let due = retry.due ?? now
            #expect(!retry.isDue(at: now) && retry.isDue(at: due))
            waits.append((due - now).components.seconds)
            now = due
        }
        #expect(waits.prefix(9) == [2, 4, 8, 16, 32, 64, 128, 256, 300])
        #expect(waits.dropFirst(9).allSatisfy { $0 == 300 })
    }

    @Test func aHostCannotMakeTheServerKeepMoreThanALineOfItsWords() async throws {
        try await Scene.with { scene in
            var host = try await scene.connect()
            try await host.compare()
            let request = try await scene.granted()
            try await host.answer(
                try await host.asked(for: "grant"), String(repeating: "x", count: 500_000), success: false)
            try await scene.becomes(.refused, request)
            #expect(try await scene.delivery(request)?.reason?.utf8.count ?? 0 < 1_100)
        }
    }

    @Test(arguments: ["", "{", "[]", "{\"grants\":1}", "{\"grants\":[1,{\"id\":2,\"part\":\"whole\"}]}"])
    func anAnswerThatSaysNothingOfGrantsKeepsNoneFromTheHost(output: String) async throws {
        try await Scene.with { scene in
            let request = try await scene.granted()
            var host = try await scene.connect()
            try await host.answer(try await host.asked(for: "status"), output: output)
            #expect(try await host.asked(for: "grant").grant == request.id)
        }
    }

    @Test func onlyCertificatesOfAGrantHaveItsPrincipal() async throws {
        let scene = try await ApprovalScene()
        let granted = try await scene.approved()
        let certificate = try #require(try await scene.issue().certificate)
        #expect(
            certificate.fields.principals.map(\.string) == ["root@web1", "root@grant:\(granted.id)"])
        let plain = try await TestAuthority()
        let alice = try await plain.session()
        let outcome = try await plain.authority.issue(try plain.wish(), for: alice.session, from: nil)
        #expect(outcome.certificate?.fields.principals.map(\.string) == ["deploy@web1"])
    }
}
