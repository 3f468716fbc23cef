// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("Requests and who makes them") struct ProofRouteTests {
    /// Each lie about a request, by what is answered to it.
    private static let lies: [(name: String, code: String, lie: @Sendable (inout TestRequest) -> Void)] = [
        ("another method", "not-logged-in", { $0.sentMethod = "PUT" }),
        ("another path", "not-logged-in", { $0.sentTarget = "/v1/explain" }),
        ("another query", "not-logged-in", { $0.sentTarget = "/v1/certificates?x=1" }),
        ("another body", "not-logged-in", { $0.sentBody = Array("{}".utf8) }),
        ("another host", "not-logged-in", { $0.signedAuthority = "other.example.com" }),
        ("another port", "not-logged-in", { $0.signedAuthority = "127.0.0.1:1" }),
        (
            "a body and digest that were not signed", "not-logged-in",
            {
                $0.sentBody = Array("{}".utf8)
                $0.sentDigest = RequestProof.contentDigest(Array("{}".utf8))
            }
        ),
        ("an unknown session", "not-logged-in", { $0.sessionName = "00000000000000000000000000000000" }),
        ("a stale request", "stale-proof", { $0.created = 1_795_237_200 - 121 }),
        ("a request from the future", "stale-proof", { $0.created = 1_795_237_200 + 121 }),
        ("the end of time", "stale-proof", { $0.created = .max }),
        ("a sequence from the end of time", "stale-proof", { $0.sequence = .max }),
    ]

    @Test func eachLieAboutARequestIsRefused() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let honest = TestRequest("POST", "/v1/certificates", try Sample.wish(), by: session)
            for (name, code, lie) in Self.lies {
                var request = honest
                lie(&request)
                // A method that the path hasn't is no operation; the proof is not looked at.
                if request.sentMethod != nil { request.sentTarget = "/v1/hosts/web1" }
                let answer = try await plane.send(request)
                #expect(answer.status == 401 && answer.code == code, "\(name): \(answer.text)")
            }
            #expect(plane.parts.signer.signed == 0)
            #expect(try await plane.send(honest).status == 201)
        }
    }

    @Test func withoutAProofNobodyGetsAnything() async throws {
        try await TestPlane.with { plane in
            for operation in [
                ("GET", "/v1/session"), ("DELETE", "/v1/session"), ("GET", "/v1/sessions"),
                ("DELETE", "/v1/sessions/x"), ("POST", "/v1/certificates"), ("POST", "/v1/explain"),
                ("GET", "/v1/access"), ("GET", "/v1/keys"), ("POST", "/v1/keys"),
                ("DELETE", "/v1/keys?fingerprint=x"), ("GET", "/v1/hosts"), ("PUT", "/v1/hosts/web1"),
                ("DELETE", "/v1/hosts/web1"), ("GET", "/v1/api-keys"), ("POST", "/v1/api-keys"),
                ("DELETE", "/v1/api-keys/0123456789abcdef"), ("GET", "/v1/identities"),
                ("DELETE", "/v1/identities?identity=x"),
            ] {
                let answer = try await plane.send(TestRequest(operation.0, operation.1))
                #expect(answer.status == 401 && answer.code == "not-logged-in", "\(operation)")
            }
        }
    }

    @Test func theProofOfAnotherSessionIsNone() async throws {
        try await TestPlane.with { plane in
            let alice = try await plane.parts.session()
            let bob = try await plane.parts.session("bob@example.com")
            let answer = try await plane.send(
                TestRequest("GET", "/v1/session", by: alice).with { $0.signingKey = bob.key })
            #expect(answer.status == 401)
        }
    }

    @Test func aRequestIsTakenOnce() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let request = TestRequest("POST", "/v1/certificates", try Sample.wish(), by: session)
                .with { $0.sequence = plane.parts.clock.nextSequence() }
            #expect(try await plane.send(request).status == 201)
            let again = try await plane.send(request)
            #expect(again.status == 401 && again.code == "replayed-proof")
            #expect(again.json?["serverTime"]?.number == Int64(plane.parts.clock.milliseconds))
            #expect(plane.parts.signer.signed == 1)
        }
    }

    @Test func aSessionThatEndedOrExpiredOpensNothing() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: session)).status == 200)
            #expect(try await plane.send(TestRequest("DELETE", "/v1/session", by: session)).status == 204)
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: session)).status == 401)
            let other = try await plane.parts.session()
            plane.parts.clock.advance(seconds: 12 * 3_600)
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: other)).status == 401)
        }
    }

    /// A name and a challenge are told to everybody who asks; without the key they are worth nothing, so no answer
    /// depends on comparing a secret.
    @Test func attack53_noSecretIsComparedBecauseNoneIsSent() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let stranger = try PrivateKey.generate(.ed25519, comment: "")
            let named = try await plane.send(
                TestRequest("GET", "/v1/session", by: session).with { $0.signingKey = stranger })
            let unnamed = try await plane.send(
                TestRequest("GET", "/v1/session", by: session).with {
                    $0.signingKey = stranger
                    $0.sessionName = "ffffffffffffffffffffffffffffffff"
                })
            // Which of the two was wrong is not told.
            #expect(named.status == 401 && named.json?["detail"] == unnamed.json?["detail"])
            let sent = try TestRequest("GET", "/v1/session", by: session)
                .headers(authority: plane.name, clock: plane.parts.clock)
            #expect(sent.allSatisfy { !$0.1.contains(session.session.key.text) })
        }
    }

    @Test func oneOfTwoSpellingsOfAProofIsNone() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let twice = TestRequest("GET", "/v1/session", by: session)
                .with { $0.extraHeaders = [("signature", "daypass=:AAAA:")] }
            #expect([400, 401].contains(try await plane.send(twice).status))
            let foreign = TestRequest("GET", "/v1/session").with {
                $0.extraHeaders = [
                    ("signature-input", "sig1=()"), ("signature", "sig1=:AAAA:"), ("content-digest", "x"),
                ]
            }
            #expect(try await plane.send(foreign).code == "invalid-request")
        }
    }
}
