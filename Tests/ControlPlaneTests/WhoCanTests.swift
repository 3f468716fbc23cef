// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

/// A policy as a company has one, a few hosts, and what is answered about them.
@Suite("Who may enter a host") struct WhoCanTests {
    private static let policy = """
        version: 1
        administrators: {or: [{user: "admin@example.com"}]}
        break_glass: {allow: {or: [{groups: {has: on-call}}]}, max: 15m}
        rules:
          - name: developers-on-staging
            hosts: [{labels: {env: staging}}]
            logins: [deploy, "{email.local}"]
            allow: {or: [{groups: {has: dev}}, {groups: {has: sre}}]}
          - name: sre-on-production
            hosts: [{labels: {env: production}}]
            logins: [deploy]
            allow: {or: [{groups: {has: sre}}]}
          - name: root-on-approval
            hosts: [{labels: {env: production}}]
            logins: [root]
            allow: {or: [{groups: {has: sre}}]}
            requires: {approval: {by: {or: [{groups: {has: leads}}]}, waits: 1h, grant: 2h}}
            certificate: {sudo: true}
          - name: ci
            hosts: [{id: "web*"}]
            logins: [release]
            allow: {or: [{user: "ci/api-key/pipeline"}]}
          - name: auditors
            hosts: [{any: true}]
            logins: [audit]
            allow: {or: [{groups: {has: auditors}}]}
          - name: no-contractors
            hosts: [{labels: {env: production}}]
            deny: {or: [{groups: {has: contractors}}]}
          - name: never-root-on-staging
            hosts: [{labels: {env: staging}}]
            logins: [root]
            deny: {or: [{groups: {has: dev}}]}

        """

    private struct Scene {
        let parts: TestAuthority
        let admin: TestSession
        let people: [String: TestPerson]

        init() async throws {
            parts = try await TestAuthority(policy: WhoCanTests.policy)
            let setup = try Identity("setup")
            for (id, env) in [("web1", "production"), ("web2", "staging"), ("db1", "production")] {
                try await parts.authority.set(
                    try ManagedHost(id: id, names: ["\(id).example.com"], labels: ["env": env]), by: setup)
            }
            var people: [String: TestPerson] = [:]
            for (name, groups) in [
                ("alice", ["sre"]), ("bob", ["dev"]), ("carol", ["sre", "contractors"]), ("dora", ["leads"]),
                ("eve", []),
            ] {
                people[name] = try await parts.person("\(name)@example.com", groups: groups)
            }
            self.people = people
            _ = try await parts.authority.createAPIKey(named: "pipeline", by: setup)
            admin = try await parts.session("admin@example.com")
        }

        /// "login rule: people" for each way in.
        func ways(_ host: String, as login: String? = nil, for session: TestSession? = nil) throws -> [String]
        {
            let access = try parts.authority.whoCan(
                enter: host, as: login, for: (session ?? admin).session, from: nil)
            return access.ways.map { way in
                let people = way.people.map { $0.identity.description.prefix { $0 != "@" } }
                return
                    "\(way.login) \(way.rule)\(way.approval == nil ? "" : "?"): \(people.joined(separator: " "))"
            }
        }
    }

    @Test func productionsAnswerIsWhoTheRulesLetInAndNobodyElse() async throws {
        let scene = try await Scene()
        #expect(
            try scene.ways("web1") == [
                "deploy sre-on-production: alice", "root root-on-approval?: alice",
                "release ci: ci/api-key/pipeline", "audit auditors: ",
            ])
        #expect(
            try scene.ways("db1.example.com") == [
                "deploy sre-on-production: alice", "root root-on-approval?: alice", "audit auditors: ",
            ])
    }

    @Test func stagingsHasEverybodysOwnAccount() async throws {
        let scene = try await Scene()
        let ways = try scene.ways("web2")
        #expect(ways.contains("deploy developers-on-staging: alice bob carol"))
        #expect(ways.contains("release ci: ci/api-key/pipeline"))
    }

    @Test func itAgreesWithEveryDecision() async throws {
        let scene = try await Scene()
        for host in ["web1", "web2", "db1"] {
            let access = try scene.parts.authority.whoCan(
                enter: host, as: nil, for: scene.admin.session, from: nil)
            for (name, person) in scene.people {
                for login in ["deploy", "root", "release", "audit"] {
                    let outcome = try await scene.parts.authority.issue(
                        try scene.parts.wish(login, host: host), for: person.session.session, from: nil)
                    let ways = access.ways.filter { way in
                        way.login == login && way.people.contains { $0.identity == person.identity }
                    }
                    switch outcome {
                    case .issued(_, _, _, let rule):
                        #expect(
                            ways.contains { $0.rule == rule && $0.approval == nil },
                            "\(name) \(login)@\(host)")
                    case .refused(let decision):
                        let needsApproval = decision.verdict == .needsApproval
                        #expect(ways.allSatisfy { $0.approval != nil }, "\(name) \(login)@\(host)")
                        #expect(ways.isEmpty == !needsApproval, "\(name) \(login)@\(host)")
                    }
                }
            }
        }
    }

    @Test func termsOfAnApprovalAndWhoIsKeptOutAreThere() async throws {
        let scene = try await Scene()
        let access = try scene.parts.authority.whoCan(
            enter: "web1", as: "root", for: scene.admin.session, from: nil)
        #expect(access.ways.map(\.login) == ["root"])
        let way = try #require(access.ways.first)
        #expect(way.approval?.approvers == "groups has leads" && way.approval?.longestGrant == 7_200)
        #expect(way.breakGlass == "groups has on-call" && way.mayUseSudo && way.condition == "groups has sre")
        #expect(way.people.map(\.knownBy) == [["keys"]])
        #expect(access.denials.map(\.rule) == ["no-contractors"])
        #expect(access.denials.first?.condition == "groups has contractors")
        #expect(access.known == access.asked && access.known >= 6)
    }

    @Test func aGrantIsThereUntilItEnds() async throws {
        let scene = try await Scene()
        let (alice, dora) = (try #require(scene.people["alice"]), try #require(scene.people["dora"]))
        let authority = scene.parts.authority
        let wish = try GrantWish(
            target: .host("web1"), login: "root", duration: 1_800, reason: "disk full", ticket: nil)
        guard case .done(let request) = try await authority.ask(wish, for: alice.session.session, from: nil)
        else {
            throw UnexpectedOutcome(what: "not taken")
        }
        func grants(_ session: TestSession) throws -> [GrantRequest] {
            try authority.whoCan(enter: "web1", as: nil, for: session.session, from: nil).grants
        }
        #expect(try grants(scene.admin).isEmpty)
        _ = try await authority.approve(
            request.id, by: try ApprovalScene.sign(request.text(origin: "test.example"), dora.key),
            of: dora.session.session, from: nil)
        let open = try grants(scene.admin)
        #expect(open.map(\.id) == [request.id])
        #expect(open.first?.approvals.map(\.person.identity.description) == ["dora@example.com"])
        #expect(try grants(alice.session).map(\.id) == [request.id])
        scene.parts.clock.advance(seconds: 1_801)
        #expect(try grants(scene.admin).isEmpty)
    }

    @Test func attack41_othersThanAdministratorsSeeThemselvesAndNoHostThatIsNotTheirs() async throws {
        let scene = try await Scene()
        let alice = try #require(scene.people["alice"]).session
        let eve = try #require(scene.people["eve"]).session
        #expect(
            try scene.ways("web1", for: alice) == [
                "deploy sre-on-production: alice", "root root-on-approval?: alice",
            ])
        func refusal(_ host: String) -> CertAuthorityError? {
            do throws(CertAuthorityError) {
                _ = try scene.parts.authority.whoCan(enter: host, as: nil, for: eve.session, from: nil)
                return nil
            } catch { return error }
        }
        let (real, unreal) = (try #require(refusal("web1")), try #require(refusal("web9")))
        #expect(real.code == .notFound && real.reason == unreal.reason.replacing("web9", with: "web1"))
    }

    @Test func theAPISaysTheSame() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let alice = try await plane.parts.session("alice@example.com")
            let answer = try await plane.send(
                TestRequest("GET", "/v1/hosts/web1.example.com/access?login=deploy", by: admin))
            let access = try HostAccessInfo(json: try #require(answer.json))
            #expect(access.host == "web1" && access.ways.map(\.rule) == ["deployers"])
            #expect(
                access.ways.first?.people == [
                    .init(identity: "admin@example.com", knownBy: ["keys"]),
                    .init(identity: "alice@example.com", knownBy: ["keys"]),
                ])
            let own = try await plane.send(TestRequest("GET", "/v1/hosts/web1/access", by: alice))
            #expect(try HostAccessInfo(json: try #require(own.json)).ways.first?.people.count == 1)
            let bob = try await plane.parts.session("bob@example.com")
            #expect(try await plane.send(TestRequest("GET", "/v1/hosts/web1/access", by: bob)).status == 404)
            #expect(try await plane.send(TestRequest("GET", "/v1/hosts/web1/access")).status == 401)
        }
    }
}
