// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("Requests for approval over HTTPS") struct RequestRouteTests {
    private static let policy = ApprovalScene.policy(
        breakGlass: "break_glass: {allow: {or: [{user: \"alice@example.com\"}]}, max: 15m}")

    /// Alice asks and bob approves, over the API.
    private struct Scene {
        let plane: TestPlane
        let alice: TestPerson
        let bob: TestPerson

        static func with(_ body: (Scene) async throws -> Void) async throws {
            try await TestPlane.with(policy: RequestRouteTests.policy) { plane in
                try await body(
                    Scene(
                        plane: plane,
                        alice: try await plane.parts.person("alice@example.com", groups: ["sre"]),
                        bob: try await plane.parts.person("bob@example.com", groups: ["leads"])))
            }
        }

        func send(
            _ method: String, _ target: String, _ body: JSONValue? = nil, by person: TestPerson,
            key: String? = nil
        ) async throws -> TestAnswer {
            try await plane.send(TestRequest(method, target, body, by: person.session, idempotencyKey: key))
        }

        func ask(_ reason: String = "disk full", breakGlass: Bool = false, key: String? = nil) async throws
            -> TestAnswer
        {
            try await send(
                "POST", "/v1/requests",
                NewAccessRequest(
                    host: "web1", login: "root", duration: 600, reason: reason, isBreakGlass: breakGlass
                )
                .json, by: alice, key: key)
        }

        func status(_ answer: TestAnswer) -> String? { answer.json?["status"]?.string }

        func info(_ answer: TestAnswer) throws -> AccessRequestInfo {
            try AccessRequestInfo(json: try #require(answer.json))
        }

        func approve(_ info: AccessRequestInfo, by person: TestPerson, key: String? = nil) async throws
            -> TestAnswer
        {
            let signature = try ApprovalScene.sign(info.text, person.key)
            return try await send(
                "POST", "/v1/requests/\(info.id)/approve",
                RequestAnswer.approval(signature: signature.armoured),
                by: person, key: key)
        }
    }

    @Test func fromTheRefusalToTheCertificateAndBack() async throws {
        try await Scene.with { scene in
            let wish = CertificateWish(
                host: "web1", login: "root", key: try PrivateKey.generate(.ed25519, comment: "").publicKey,
                reason: "disk full"
            ).json
            let refused = try await scene.send("POST", "/v1/certificates", wish, by: scene.alice)
            #expect(refused.status == 403 && refused.code == "needs-approval", "\(refused.text)")
            #expect(refused.text.contains("daypass request web1 --login root"))
            let asked = try await scene.ask()
            #expect(asked.status == 201, "\(asked.text)")
            let info = try scene.info(asked)
            #expect(info.status == "pending" && info.needed == 1 && info.mayApprove == "groups has leads")
            let own = try await scene.approve(info, by: scene.alice)
            #expect(own.status == 403 && own.code == "denied")
            let list = try await scene.send("GET", "/v1/requests?scope=to-approve", by: scene.bob)
            #expect(list.json?["items"]?.array?.count == 1)
            let approved = try await scene.approve(info, by: scene.bob, key: "k")
            #expect(
                approved.status == 200 && scene.status(approved) == "approved", "\(approved.text)")
            // The same approval again gets the same answer, another is a conflict.
            #expect(try await scene.approve(info, by: scene.bob, key: "k").body == approved.body)
            #expect(try await scene.approve(info, by: scene.bob).status == 409)
            #expect(try await scene.send("POST", "/v1/certificates", wish, by: scene.alice).status == 201)
            let back = try await scene.send("DELETE", "/v1/requests/\(info.id)?reason=done", by: scene.bob)
            let ended = try scene.info(back)
            #expect(ended.endReason == "done" && ended.status == "revoked")
            #expect(try await scene.send("POST", "/v1/certificates", wish, by: scene.alice).status == 403)
        }
    }

    @Test func whoWaitsIsToldAtOnce() async throws {
        try await Scene.with { scene in
            let info = try scene.info(try await scene.ask())
            async let waiting = scene.send("GET", "/v1/requests/\(info.id)?wait=30", by: scene.alice)
            // Not before it waits: the answer must not depend on who is first, so either order will do.
            let start = ContinuousClock.now
            _ = try await scene.send(
                "POST", "/v1/requests/\(info.id)/deny", RequestAnswer.reason("no"), by: scene.bob)
            let answer = try scene.info(try await waiting)
            #expect(
                answer.status == "denied" && answer.endedBy == "bob@example.com" && answer.endReason == "no")
            #expect(ContinuousClock.now - start < .seconds(20))
            for wait in ["31", "-1", "x", ""] {
                let bad = try await scene.send("GET", "/v1/requests/\(info.id)?wait=\(wait)", by: scene.alice)
                #expect(bad.status == 400, "\(wait)")
            }
            #expect(
                try await scene.send("GET", "/v1/requests/\(info.id)?wait=0", by: scene.alice).status == 200)
        }
    }

    @Test func attack41_anothersRequestIsNobodysBusiness() async throws {
        try await Scene.with { scene in
            let info = try scene.info(try await scene.ask())
            let eve = try await scene.plane.parts.person("eve@example.com", groups: ["sre"])
            for (method, target, body) in [
                ("GET", "", nil), ("DELETE", "", nil),
                ("POST", "/deny", RequestAnswer.reason("no")),
            ] as [(String, String, JSONValue?)] {
                let answer = try await scene.send(method, "/v1/requests/\(info.id)\(target)", body, by: eve)
                #expect(answer.status == 404, "\(method) \(target)")
            }
            #expect(try await scene.approve(info, by: eve).status == 404)
            #expect(
                try await scene.send("GET", "/v1/requests?scope=all", by: eve).json?["items"]?.array == [])
            // One's own is withdrawn, and one that is not granted is not revoked by others.
            #expect(try await scene.send("DELETE", "/v1/requests/\(info.id)", by: scene.bob).status == 409)
            let gone = try await scene.send("DELETE", "/v1/requests/\(info.id)", by: scene.alice)
            #expect(scene.status(gone) == "withdrawn")
        }
    }

    @Test func anEmergencyIsLoud() async throws {
        try await Scene.with { scene in
            let info = try scene.info(try await scene.ask("the site is down", breakGlass: true))
            #expect(info.status == "approved" && info.isBreakGlass && info.review == "open")
            #expect(scene.plane.log.text.contains("warning break-glass: access without approval"))
            #expect(scene.plane.log.text.contains("the site is down"))
            let metrics = try await scene.plane.send(TestRequest("GET", "/metrics")).text
            #expect(
                metrics.contains("daypass_break_glass_total 1\n")
                    && metrics.contains("daypass_reviews_open 1"))
            let open = try await scene.send("GET", "/v1/reviews", by: scene.bob)
            #expect(open.json?["items"]?.array?.count == 1)
            let target = "/v1/reviews/\(info.id)/acknowledge"
            #expect(
                try await scene.send("POST", target, RequestAnswer.reason(""), by: scene.alice).status == 403)
            let seen = try await scene.send("POST", target, RequestAnswer.reason("it was"), by: scene.bob)
            let review = try scene.info(seen)
            #expect(review.review == "acknowledged" && review.note == "it was")
            #expect(try await scene.send("GET", "/v1/reviews", by: scene.bob).json?["items"]?.array == [])
        }
    }

    @Test func askedTwiceWithOneKeyItIsAnsweredAlike() async throws {
        try await Scene.with { scene in
            let first = try await scene.ask(key: "k")
            #expect(try await scene.ask(key: "k").body == first.body)
            #expect(try await scene.ask("another", key: "k").status == 409)
        }
    }

    @Test(arguments: [
        #"{}"#, #"{"host":"web1","login":"root"}"#, #"{"login":"root","reason":"r"}"#,
        #"{"host":"web1","labels":{"a":"b"},"login":"root","reason":"r"}"#,
        #"{"host":"web1","login":"root","reason":""}"#, #"{"host":"web1","login":"root","reason":"a\nb"}"#,
        #"{"host":"web1","login":"root","reason":"r","duration":0}"#,
        #"{"host":"web1","login":"root","reason":"r","sudo":"yes"}"#,
        #"{"host":"web1","login":"root","reason":"r","permissions":["x"]}"#,
        #"{"host":"web1","login":"root","reason":"r","key":"x"}"#,
        #"{"host":"web1","login":"root","reason":"r","ticket":"a\u001bb"}"#,
        #"{"host":"web1","login":"ro\not","reason":"r"}"#,
        #"{"host":"web1","login":"root","reason":"r","person":"bob@example.com"}"#,
    ])
    func whatIsNoRequestIsInvalid(body: String) async throws {
        try await Scene.with { scene in
            let json = try JSONValue(parsing: Array(body.utf8), maximumBytes: 1_024)
            let answer = try await scene.send("POST", "/v1/requests", json, by: scene.alice)
            #expect(answer.status == 400, "\(answer.text)")
            #expect(scene.plane.authority.requestCounts.pending == 0)
        }
    }

    @Test func listsComeInParts() async throws {
        try await Scene.with { scene in
            for number in 10..<22 { _ = try await scene.ask("number \(number)") }
            var seen: [String] = []
            var target: String? = "/v1/requests?limit=5"
            while let next = target {
                let answer = try await scene.send("GET", next, by: scene.alice)
                seen += answer.json?["items"]?.array?.compactMap { $0["reason"]?.string } ?? []
                target = answer.json?["next"]?.string.map { "/v1/requests?limit=5&after=\($0)" }
            }
            #expect(Set(seen).count == 12 && seen.count == 12)
            #expect(try await scene.send("GET", "/v1/requests?scope=x", by: scene.alice).status == 400)
        }
    }
}
