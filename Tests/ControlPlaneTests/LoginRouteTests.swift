// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("Logging in over HTTPS") struct LoginRouteTests {
    private func challenge(_ plane: TestPlane) async throws -> String {
        let answer = try await plane.send(TestRequest("POST", "/v1/login/challenge"))
        #expect(answer.status == 201)
        return try LoginChallenge(json: try #require(answer.json)).challenge
    }

    @Test func anEnrolledKeyOpensASessionThatWorks() async throws {
        try await TestPlane.with { plane in
            let key = try await plane.parts.enrolled("admin@example.com")
            let sessionKey = try PrivateKey.generate(.ed25519, comment: "")
            let body = try Sample.login(key, challenge: try await challenge(plane), sessionKey: sessionKey)
            let answer = try await plane.send(TestRequest("POST", "/v1/login/keys", body))
            #expect(answer.status == 201, "\(answer.text)")
            let info = try SessionInfo(json: try #require(answer.json))
            #expect(info.isAdministrator && info.identity == "admin@example.com" && info.provider == "keys")
            let session = try #require(
                plane.authority.sessions.session(info.id, at: plane.authority.now))
            let me = try await plane.send(
                TestRequest("GET", "/v1/session", by: TestSession(session: session, key: sessionKey)))
            #expect(me.status == 200)
        }
    }

    @Test func aStrangersKeyAUsedChallengeAndAnotherAuthorityAreRefusedAlike() async throws {
        try await TestPlane.with { plane in
            let key = try await plane.parts.enrolled()
            let sessionKey = try PrivateKey.generate(.ed25519, comment: "")
            let used = try await challenge(plane)
            let body = try Sample.login(key, challenge: used, sessionKey: sessionKey)
            #expect(try await plane.send(TestRequest("POST", "/v1/login/keys", body)).status == 201)
            let stranger = try PrivateKey.generate(.ed25519, comment: "")
            for body in [
                body,
                try Sample.login(stranger, challenge: try await challenge(plane), sessionKey: sessionKey),
                try Sample.login(
                    key, challenge: try await challenge(plane), origin: "other.example",
                    sessionKey: sessionKey),
                try Sample.login(key, challenge: "never given out", sessionKey: sessionKey),
            ] {
                let answer = try await plane.send(TestRequest("POST", "/v1/login/keys", body))
                #expect(answer.status == 401 && answer.code == "login-refused", "\(answer.text)")
            }
        }
    }

    @Test func whatIsNoSignatureIsInvalid() async throws {
        try await TestPlane.with { plane in
            let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
            let body = KeyLoginRequest(
                challenge: try await challenge(plane), sessionKey: key, signature: "none"
            ).json
            #expect(try await plane.send(TestRequest("POST", "/v1/login/keys", body)).status == 400)
        }
    }

    @Test func whatMustBeKnownBeforehandNeedsNoLogin() async throws {
        try await TestPlane.with { plane in
            let answer = try await plane.send(TestRequest("GET", "/v1/server"))
            let info = try ServerInfo(json: try #require(answer.json))
            #expect(info.userAuthority == plane.parts.signer.publicKey && info.origin == "test.example")
            for target in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/log/checkpoint"] {
                #expect(try await plane.send(TestRequest("GET", target)).status == 200, "\(target)")
            }
            let tile = try await plane.send(TestRequest("GET", "/log/tile/0/000.p/1"))
            #expect(tile.body == [1, 2, 3])
            #expect(try await plane.send(TestRequest("GET", "/log/tile/0/001")).status == 404)
        }
    }

    /// Everything is logged, and nothing that opens anything is in it.
    @Test func noSecretIsInTheServersLog() async throws {
        try await TestPlane.with { plane in
            let key = try await plane.parts.enrolled()
            let sessionKey = try PrivateKey.generate(.ed25519, comment: "")
            let challenge = try await challenge(plane)
            let body = try Sample.login(key, challenge: challenge, sessionKey: sessionKey)
            let answer = try await plane.send(TestRequest("POST", "/v1/login/keys", body))
            let info = try SessionInfo(json: try #require(answer.json))
            let session = TestSession(
                session: try #require(plane.authority.sessions.session(info.id, at: plane.authority.now)),
                key: sessionKey)
            let request = TestRequest(
                "POST", "/v1/certificates", try Sample.wish(), by: session, idempotencyKey: "idem-4711"
            ).with { $0.sequence = plane.parts.clock.nextSequence() }
            let certificate = try await plane.send(request)
            _ = try await plane.send(request)
            _ = try await plane.send(request.with { $0.sentBody = Array("{".utf8) })
            let headers = try request.headers(authority: plane.name, clock: plane.parts.clock)
            let signature = try #require(headers.first { $0.0 == "signature" }?.1)
            let armour = try #require(body["signature"]?.string).split(separator: "\n")[1]
            let log = plane.log.text
            #expect(log.contains("/v1/certificates"))
            for secret in [
                challenge, String(signature.dropFirst(9).prefix(40)), String(armour),
                String(sessionKey.publicKey.text.split(separator: " ")[1]), "idem-4711",
                String(certificate.json?["certificate"]?.string?.split(separator: " ")[1].prefix(80) ?? "?"),
            ] { #expect(!log.contains(secret), "\(secret) is in the log") }
        }
    }
}
