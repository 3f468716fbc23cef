// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("API keys over HTTPS") struct APIKeyRouteTests {
    private static let body = NewAPIKey(
        name: "ci", groups: ["deployers"], sourceAddresses: ["127.0.0.0/8"], lifetime: 86_400
    ).json

    private func create(
        _ plane: TestPlane, _ body: JSONValue = body, by admin: TestSession, key: String? = nil
    ) async throws -> TestAnswer {
        try await plane.send(TestRequest("POST", "/v1/api-keys", body, by: admin, idempotencyKey: key))
    }

    private func logIn(
        _ plane: TestPlane, _ token: String, provider: String = "api-key"
    ) async throws -> (answer: TestAnswer, key: PrivateKey) {
        let key = try PrivateKey.generate(.ed25519, comment: "")
        let body = TokenLogin(provider: provider, token: token, sessionKey: key.publicKey).json
        return (try await plane.send(TestRequest("POST", "/v1/login/token", body)), key)
    }

    @Test func anAdministratorMakesOneItsHolderLogsInUntilItIsRemoved() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let made = try await create(plane, by: admin)
            #expect(made.status == 201, "\(made.text)")
            let info = try APIKeyInfo(json: try #require(made.json))
            let token = try #require(info.token)
            #expect(info.identity == "ci/api-key/ci" && info.sourceAddresses == ["127.0.0.0/8"])
            #expect(info.expires == info.created + 86_400)
            let (answer, key) = try await logIn(plane, token)
            #expect(answer.status == 201, "\(answer.text)")
            let mine = try SessionInfo(json: try #require(answer.json))
            #expect(mine.provider == "api-key" && mine.groups == ["deployers"] && !mine.isAdministrator)
            let session = TestSession(
                session: try #require(plane.authority.sessions.session(mine.id, at: plane.authority.now)),
                key: key)
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: session)).status == 200)
            let list = try await plane.send(TestRequest("GET", "/v1/api-keys", by: admin))
            #expect(list.json?["items"]?.array?.count == 1 && !list.text.contains("daypass_"))
            let target = "/v1/api-keys/\(info.id)"
            #expect(try await plane.send(TestRequest("DELETE", target, by: admin)).status == 204)
            #expect(try await plane.send(TestRequest("DELETE", target, by: admin)).status == 404)
            let over = try await plane.send(TestRequest("GET", "/v1/session", by: session))
            #expect(over.code == "session-ended", "\(over.text)")
            #expect(over.json?["sessionEnd"]?.string == "api-key-removed")
            let refused = try await logIn(plane, token).answer
            #expect(refused.status == 401 && refused.code == "login-refused")
            #expect(refused.json?["detail"]?.string?.contains("or was removed") == true)
            #expect(!plane.log.text.contains(token.suffix(43)))
        }
    }

    @Test func theSameWishMakesOneAndIsAnsweredAlike() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let first = try await create(plane, by: admin, key: "k")
            let second = try await create(plane, by: admin, key: "k")
            #expect(first.status == 201 && first.body == second.body)
            #expect(plane.authority.apiKeys.count == 1)
            let again = try await create(plane, by: admin)
            #expect(again.status == 409 && again.code == "conflict")
            // Another administrator's wish of that name gets no look at the token.
            let other = try await plane.parts.session("admin@example.com")
            #expect(try await create(plane, by: other, key: "k").status == 409)
        }
    }

    @Test func listsComeInParts() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            for number in 10..<25 {
                _ = try await plane.authority.createAPIKey(
                    named: "key-\(number)", by: try Identity("admin"))
            }
            var seen: [String] = []
            var target: String? = "/v1/api-keys?limit=4"
            while let next = target {
                let answer = try await plane.send(TestRequest("GET", next, by: admin))
                seen += answer.json?["items"]?.array?.compactMap { $0["name"]?.string } ?? []
                target = answer.json?["next"]?.string.map { "/v1/api-keys?limit=4&after=\($0)" }
            }
            #expect(seen == (10..<25).map { "key-\($0)" })
        }
    }

    @Test(arguments: [
        #"{}"#, #"{"name":"Ci"}"#, #"{"name":"ci","lifetime":0}"#, #"{"name":"ci","lifetime":-1}"#,
        #"{"name":"ci","sourceAddresses":["192.0.2.1/8"]}"#,
        #"{"name":"ci","sourceAddresses":["example.com"]}"#,
        #"{"name":"ci","groups":["a\nb"]}"#, #"{"name":"ci","token":"x"}"#, #"{"name":"ci","expires":1}"#,
    ])
    func whatIsNoAPIKeyIsInvalid(body: String) async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let answer = try await create(
                plane, try JSONValue(parsing: Array(body.utf8), maximumBytes: 1_024), by: admin)
            #expect(answer.status == 400, "\(answer.text)")
            #expect(plane.authority.apiKeys.isEmpty)
        }
    }

    @Test func aTokenThatIsNoneAndAProviderThatIsNoneAreRefused() async throws {
        try await TestPlane.with { plane in
            let nothing = try await logIn(plane, "eyJhbGciOiJSUzI1NiJ9.e30.c2ln").answer
            #expect(nothing.status == 401 && nothing.code == "login-refused")
            #expect(try await logIn(plane, "x", provider: "api-keys").answer.status == 404)
        }
    }
}
