// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@Suite("Keys, hosts and sessions over HTTPS") struct DirectoryRouteTests {
    private func query(_ fingerprint: String) -> String {
        fingerprint.replacing("+", with: "%2B").replacing("/", with: "%2F")
    }

    @Test func whoDoesNotAdministerChangesNothing() async throws {
        try await TestPlane.with { plane in
            let alice = try await plane.parts.session()
            let enrolled = try await plane.parts.enrolled("carol@example.com")
            for request in [
                TestRequest("GET", "/v1/keys", by: alice),
                TestRequest("POST", "/v1/keys", try Sample.enrolledKey(), by: alice),
                TestRequest(
                    "DELETE", "/v1/keys?fingerprint=\(query(enrolled.publicKey.fingerprint))", by: alice),
                TestRequest("GET", "/v1/hosts", by: alice),
                TestRequest("PUT", "/v1/hosts/web9", Sample.host("web9"), by: alice),
                TestRequest("DELETE", "/v1/hosts/web1", by: alice),
                TestRequest("GET", "/v1/sessions?all=true", by: alice),
                TestRequest("GET", "/v1/api-keys", by: alice),
                TestRequest("POST", "/v1/api-keys", .object([.init("name", "ci")]), by: alice),
                TestRequest("DELETE", "/v1/api-keys/0123456789abcdef", by: alice),
                TestRequest("GET", "/v1/identities", by: alice),
                TestRequest("DELETE", "/v1/identities?identity=alice", by: alice),
            ] {
                let answer = try await plane.send(request)
                #expect(
                    answer.status == 403 && answer.code == "denied", "\(request.method) \(request.target)")
            }
            #expect(plane.authority.enrolledKeys.count == 1 && plane.authority.hosts.map(\.id) == ["web1"])
        }
    }

    @Test func anAdministratorEnrolsAndRemovesKeys() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let body = try Sample.enrolledKey()
            #expect(try await plane.send(TestRequest("POST", "/v1/keys", body, by: admin)).status == 201)
            let again = try await plane.send(TestRequest("POST", "/v1/keys", body, by: admin))
            #expect(again.status == 409 && again.code == "conflict")
            let list = try await plane.send(TestRequest("GET", "/v1/keys", by: admin))
            let shown = try EnrolledKeyInfo(json: try #require(list.json?["items"]?.array?.first))
            #expect(shown.identity == "bob@example.com" && shown.groups == ["staff"])
            let target = "/v1/keys?fingerprint=\(query(shown.key.fingerprint))"
            #expect(try await plane.send(TestRequest("DELETE", target, by: admin)).status == 204)
            #expect(try await plane.send(TestRequest("DELETE", target, by: admin)).status == 404)
            #expect(try await plane.send(TestRequest("DELETE", "/v1/keys", by: admin)).status == 400)
        }
    }

    @Test func anAdministratorAddsChangesAndRemovesHosts() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            func put(_ id: String, _ body: JSONValue) async throws -> Int {
                try await plane.send(TestRequest("PUT", "/v1/hosts/\(id)", body, by: admin)).status
            }
            #expect(try await put("web2", Sample.host("web2", names: ["web2.example.com"])) == 200)
            #expect(try await put("web2", Sample.host("web2", names: ["two.example.com"])) == 200)
            #expect(try await put("web3", Sample.host("web3", names: ["two.example.com"])) == 409)
            #expect(try await put("web3", Sample.host("web4")) == 400)
            #expect(try await put("-web", Sample.host("-web")) == 400)
            let list = try await plane.send(TestRequest("GET", "/v1/hosts", by: admin))
            #expect(list.json?["items"]?.array?.compactMap { $0["id"]?.string } == ["web1", "web2"])
            #expect(try await plane.send(TestRequest("DELETE", "/v1/hosts/web2", by: admin)).status == 204)
            #expect(try await plane.send(TestRequest("DELETE", "/v1/hosts/web2", by: admin)).status == 404)
        }
    }

    @Test func attack41_anothersSessionIsNobodysBusiness() async throws {
        try await TestPlane.with { plane in
            let alice = try await plane.parts.session()
            let bob = try await plane.parts.session("bob@example.com")
            let admin = try await plane.parts.session("admin@example.com")
            let target = "/v1/sessions/\(alice.session.id)"
            let refused = try await plane.send(TestRequest("DELETE", target, by: bob))
            let missing = try await plane.send(
                TestRequest("DELETE", "/v1/sessions/00000000000000000000000000000000", by: bob))
            #expect(refused.status == 404 && missing.status == 404, "whose it is, is not told")
            let his = try await plane.send(TestRequest("GET", "/v1/sessions", by: bob))
            #expect(his.json?["items"]?.array?.count == 1)
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: alice)).status == 200)
            let all = try await plane.send(TestRequest("GET", "/v1/sessions?all=true", by: admin))
            #expect(all.json?["items"]?.array?.count == 3)
            #expect(try await plane.send(TestRequest("DELETE", target, by: admin)).status == 204)
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: alice)).status == 401)
        }
    }

    @Test func oneEndsAnotherSessionOfOnesOwn() async throws {
        try await TestPlane.with { plane in
            let (one, two) = (try await plane.parts.session(), try await plane.parts.session())
            let end = TestRequest("DELETE", "/v1/sessions/\(two.session.id)", by: one)
            #expect(try await plane.send(end).status == 204)
            #expect(try await plane.send(TestRequest("GET", "/v1/session", by: two)).status == 401)
        }
    }

    /// Items that come and go between two parts make no other one come twice or not at all.
    @Test func pagesStayWholeWhileTheListChanges() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            for number in 10..<40 {
                try await plane.authority.set(
                    try ManagedHost(id: "host\(number)"), by: try Identity("admin"))
            }
            var seen: [String] = []
            var target: String? = "/v1/hosts?limit=4"
            while let next = target {
                let answer = try await plane.send(TestRequest("GET", next, by: admin))
                let ids = answer.json?["items"]?.array?.compactMap { $0["id"]?.string } ?? []
                #expect(ids.count <= 4)
                seen += ids
                // What was shown goes, and something comes before it.
                try await plane.authority.removeHost(try #require(ids.last), by: try Identity("admin"))
                try await plane.authority.set(
                    try ManagedHost(id: "a\(seen.count)"), by: try Identity("admin"))
                target = answer.json?["next"]?.string.map { "/v1/hosts?limit=4&after=\($0)" }
            }
            #expect(seen == (10..<40).map { "host\($0)" } + ["web1"])
        }
    }

    @Test(arguments: ["limit=0", "limit=1001", "limit=x", "limit=", "after=zz", "after=0", "after=-1"])
    func whatIsNoPageIsInvalid(query: String) async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let answer = try await plane.send(TestRequest("GET", "/v1/hosts?\(query)", by: admin))
            #expect(answer.status == 400, "\(answer.text)")
        }
    }
}
