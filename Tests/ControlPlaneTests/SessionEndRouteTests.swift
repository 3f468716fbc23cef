// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("Why a session ended, over HTTPS") struct SessionEndRouteTests {
    private func end(_ plane: TestPlane, _ session: TestSession) async throws -> String? {
        let answer = try await plane.send(TestRequest("GET", "/v1/session", by: session))
        #expect(answer.status == 401)
        #expect(answer.json?["hint"]?.string != nil)
        #expect((answer.code == "session-ended") == (answer.json?["sessionEnd"] != nil))
        return answer.json?["sessionEnd"]?.string
    }

    @Test func itsHolderIsToldWhy() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let (out, ended) = (try await plane.parts.session(), try await plane.parts.session())
            #expect(try await plane.send(TestRequest("DELETE", "/v1/session", by: out)).status == 204)
            #expect(try await end(plane, out) == "signed-out")
            let target = "/v1/sessions/\(ended.session.id)"
            #expect(try await plane.send(TestRequest("DELETE", target, by: admin)).status == 204)
            #expect(try await end(plane, ended) == "ended-by-administrator")
            let late = try await plane.parts.session()
            plane.parts.clock.advance(seconds: 12 * 3_600)
            #expect(try await end(plane, late) == "expired")
            // Somebody logs in, and what has expired is cleared away.
            _ = try await plane.parts.session()
            #expect(try await end(plane, late) == "expired")
        }
    }

    @Test func aRemovedKeyIsNamed() async throws {
        try await TestPlane.with { plane in
            let key = try await plane.parts.enrolled()
            let sessionKey = try PrivateKey.generate(.ed25519, comment: "")
            guard case .started(let session) = try await plane.parts.logIn(key, sessionKey: sessionKey) else {
                Issue.record("refused")
                return
            }
            try await plane.authority.removeKey(
                fingerprint: key.publicKey.fingerprint, by: try Identity("admin"), from: nil)
            let held = TestSession(session: session, key: sessionKey)
            #expect(try await end(plane, held) == "enrolled-key-removed")
        }
    }

    @Test func aStrangerIsNotToldThatThereWasASession() async throws {
        try await TestPlane.with { plane in
            let session = try await plane.parts.session()
            _ = try await plane.send(TestRequest("DELETE", "/v1/session", by: session))
            let stranger = TestSession(
                session: session.session, key: try PrivateKey.generate(.ed25519, comment: ""))
            #expect(try await end(plane, stranger) == nil)
        }
    }

    @Test func everyEndHasAReasonAHintAndAWordInTheDocument() throws {
        for end in SessionEnd.allCases { #expect(!end.reason.isEmpty && !end.hint.isEmpty) }
        let words = DocumentCheck.document["components"]?["schemas"]?["Problem"]?["properties"]?[
            "sessionEnd"]?[
                "enum"]
        #expect(words?.array?.compactMap(\.string) == SessionEnd.allCases.map(\.rawValue))
    }
}
