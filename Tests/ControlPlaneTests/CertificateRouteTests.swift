// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("Certificates over HTTPS") struct CertificateRouteTests {
    @Test func whatPolicyAllowsIsIssuedAndSaysWhatWasAskedFor() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let key = try PrivateKey.generate(.ed25519, comment: "").publicKey
            let wish = CertificateWish(host: "WEB1.example.com", login: "deploy", key: key, lifetime: 300)
            let answer = try await plane.send(TestRequest("POST", "/v1/certificates", wish.json, by: session))
            #expect(answer.status == 201, "\(answer.text)")
            let issued = try IssuedCertificate(json: try #require(answer.json))
            #expect(issued.host == "web1" && issued.rule == "deployers" && issued.login == "deploy")
            guard case .certificate(let certificate) = try PublicKeyLine(issued.certificate).content else {
                Issue.record("no certificate")
                return
            }
            try certificate.verifySignature()
            #expect(certificate.fields.key == key)
            #expect(certificate.fields.signatureKey == plane.parts.signer.publicKey)
            #expect(certificate.fields.validBefore.seconds == plane.parts.clock.seconds + 300)
        }
    }

    @Test(arguments: [("root", "web1"), ("deploy", "web2")])
    func whatPolicyDoesNotAllowIsDenied(login: String, host: String) async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let answer = try await plane.send(
                TestRequest("POST", "/v1/certificates", try Sample.wish(login, host: host), by: session))
            #expect(answer.status == 403 && answer.code == "denied", "\(answer.text)")
            #expect(answer.json?["reasons"]?.array?.isEmpty == false)
            #expect(plane.parts.signer.signed == 0)
        }
    }

    @Test(arguments: [
        #"{}"#, #"[]"#, #"null"#, #"{"host":1}"#, #"{"host":"web1","login":"deploy"}"#, "", "{",
        #"{"host":"web1","login":"deploy","key":"x"}"#,
        #"{"host":"web1","login":"deploy","key":"KEY","extra":1}"#,
        #"{"host":"web1","host":"web1","login":"deploy","key":"KEY"}"#,
        #"{"host":"web1","login":"deploy","key":"KEY","lifetime":0}"#,
        #"{"host":"web1","login":"deploy","key":"KEY","lifetime":-1}"#,
        #"{"host":"web1","login":"deploy","key":"KEY","lifetime":1e3}"#,
        #"{"host":"web1","login":"deploy","key":"KEY","permissions":["everything"]}"#,
        "{\"host\":\"we\\u0000b\",\"login\":\"deploy\",\"key\":\"KEY\"}",
        "{\"host\":\"web1\",\"login\":\"de\\nploy\",\"key\":\"KEY\"}",
    ]) func whatIsNoRequestIsInvalid(text: String) async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let key = try PrivateKey.generate(.ed25519, comment: "").publicKey.text
            var request = TestRequest("POST", "/v1/certificates", by: session)
            request.body = Array(text.replacing("KEY", with: key).utf8)
            let answer = try await plane.send(request)
            #expect(answer.status == 400 && answer.code == "invalid-request", "\(answer.text)")
        }
    }

    @Test func attack39_hostileTextIsEscapedInAProblem() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let answer = try await plane.send(
                TestRequest(
                    "POST", "/v1/explain", try Sample.wish(host: "w\u{202e}eb"), by: session))
            #expect(answer.status >= 400)
            #expect(!answer.text.unicodeScalars.contains { $0.value == 0x202e || $0.value == 0x1b })
        }
    }

    @Test func attack44_withoutAStoreThereIsNoCertificate() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            plane.parts.ledger.fail(true)
            let answer = try await plane.send(
                TestRequest("POST", "/v1/certificates", try Sample.wish(), by: session))
            #expect(answer.status == 503 && answer.code == "store-unavailable")
            // What the disk says is for the server's log.
            #expect(!answer.text.contains("disk"))
            #expect(plane.log.text.contains("no room on this disk"))
            plane.parts.ledger.fail(false)
            #expect(
                try await plane.send(
                    TestRequest("POST", "/v1/certificates", try Sample.wish(), by: session)
                ).status == 201)
        }
    }

    @Test func attack43_withoutASignerThereIsARecordAndNoCertificate() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            plane.parts.signer.fail(true)
            let before = await plane.parts.ledger.kept.entries.count
            let answer = try await plane.send(
                TestRequest("POST", "/v1/certificates", try Sample.wish(), by: session))
            #expect(answer.status == 503 && answer.code == "signer-unavailable")
            #expect(await plane.parts.ledger.kept.entries.count == before + 2)
        }
    }

    @Test func explainingIssuesAndRecordsNothing() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            let before = await plane.parts.ledger.kept.entries.count
            let answer = try await plane.send(
                TestRequest("POST", "/v1/explain", try Sample.wish("root"), by: session))
            #expect(answer.status == 200 && answer.json?["text"]?.string?.isEmpty == false)
            let unknown = try await plane.send(
                TestRequest("POST", "/v1/explain", try Sample.wish(host: "nowhere"), by: session))
            #expect(unknown.status == 404 && unknown.code == "not-found")
            #expect(await plane.parts.ledger.kept.entries.count == before)
        }
    }

    @Test func accessShowsWhatSomebodyMayEnter() async throws {
        try await TestPlane.with { plane in
            let alice = try await plane.parts.session()
            let bob = try await plane.parts.session("bob@example.com")
            let mine = try await plane.send(TestRequest("GET", "/v1/access", by: alice))
            let host = try HostInfo(json: try #require(mine.json?["items"]?.array?.first))
            #expect(host.id == "web1" && host.logins == ["deploy"])
            let his = try await plane.send(TestRequest("GET", "/v1/access", by: bob))
            #expect(his.json?["items"]?.array?.isEmpty == true)
        }
    }
}
