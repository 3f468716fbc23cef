// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("Identities and whose they are, over HTTPS") struct IdentityRouteTests {
    @Test func anAdministratorSeesThemAndFreesOne() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let bindings = plane.parts.bindings
            let (alice, odd) = (try Identity("alice@example.com"), try Identity("staff/a+b c@example.com"))
            try bindings.bind(alice, provider: "corp", subject: "1")
            try bindings.bind(odd, provider: "corp", subject: "2\u{1b}\0")
            let list = try await plane.send(TestRequest("GET", "/v1/identities?limit=1", by: admin))
            let shown = try IdentityBindingInfo(json: try #require(list.json?["items"]?.array?.first))
            #expect(shown.identity == "alice@example.com" && shown.provider == "corp" && shown.subject == "1")
            #expect(list.json?["next"] != nil)
            let hers = try await plane.parts.session("alice@example.com", provider: "corp")
            let byKey = try await plane.parts.session("alice@example.com")
            let target = "/v1/identities?identity=alice%40example.com"
            #expect(try await plane.send(TestRequest("DELETE", target, by: admin)).status == 204)
            #expect(try await plane.send(TestRequest("DELETE", target, by: admin)).status == 404)
            #expect(try await plane.send(TestRequest("DELETE", "/v1/identities", by: admin)).status == 400)
            try bindings.bind(alice, provider: "corp", subject: "another")
            // The old account's session is over; one by an enrolled key is nobody else's.
            let over = try await plane.send(TestRequest("GET", "/v1/session", by: hers))
            #expect(over.json?["sessionEnd"]?.string == "identity-freed")
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: byKey)).status == 200)
            let other = "/v1/identities?identity=staff%2Fa%2Bb%20c%40example.com"
            #expect(try await plane.send(TestRequest("DELETE", other, by: admin)).status == 204)
            // All of it can be read back from the log.
            let changes = try await plane.parts.ledger.events.compactMap { event -> ChangeRecord? in
                guard case .change(let record) = event, record.subject == .identityBinding else { return nil }
                return record
            }
            #expect(changes.map(\.name.string) == [alice.description, odd.description])
            #expect(changes.map(\.detail.string) == ["corp 1", "corp 2\\u{1b}\\u{0}"])
        }
    }

    @Test func whatCannotBeRecordedIsNotFreed() async throws {
        let parts = try await TestAuthority()
        let alice = try Identity("alice@example.com")
        try parts.bindings.bind(alice, provider: "corp", subject: String(repeating: "\u{1b}", count: 16_384))
        parts.ledger.fail(true)
        await #expect(throws: CertAuthorityError.self) {
            try await parts.authority.freeIdentity(alice, by: try Identity("admin"), from: nil)
        }
        #expect(try await parts.authority.identityBindings().count == 1)
        parts.ledger.fail(false)
        try await parts.authority.freeIdentity(alice, by: try Identity("admin"), from: nil)
        #expect(try await parts.authority.identityBindings().isEmpty)
        #expect(try await !parts.ledger.events.isEmpty)
    }
}
