// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("What access policies let people reach")
struct AccessComparisonTests {
    private func reachable(_ policy: AccessPolicy, _ hosts: [String]) throws -> [String] {
        try policy.reachable(
            by: AccessSample.person(), hosts: hosts.map { try AccessSample.host($0) }, key: AccessSample.key,
            at: AccessSample.now, from: nil
        ).map {
            "\($0.host.id): \($0.logins.map { "\($0.login)\($0.needsApproval ? " (approval)" : "")" }.joined(separator: ", "))"
        }
    }

    @Test func accountsAreListedThatRulesNameAndLetIn() throws {
        let policy = try AccessSample.policy(
            """
            - {name: a, hosts: [{id: 'web*'}], logins: [deploy, '{claim.unix_account}', root, deploy], allow: {and: [{groups: sre}]}}
            - {name: b, hosts: [{id: db1}], logins: [postgres, '*'], allow: {and: [{groups: sre}]}, requires: {reason: true, approval: true}}
            - {name: c, hosts: [{any: true}], logins: ['{claim.missing}', backup], allow: {and: [{groups: dev}]}}
            - {name: d, hosts: [{any: true}], deny: {or: [{ssh_username: root}]}}

            """)
        #expect(
            try reachable(policy, ["web1", "db1", "mail"]) == [
                "web1: deploy, alice",
                "db1: postgres (approval), * (approval), alice (approval), backup (approval)",
            ])
    }

    /// Who may enter as anybody finds the host, whatever else its rules name.
    @Test func anyAccountIsAStarWhereOneThatNoRuleNamesIsLetIn() throws {
        func reach(_ rules: String) throws -> [String] {
            try reachable(try AccessSample.policy(rules + "\n"), ["web1"])
        }
        let any = "{name: a, hosts: [{any: true}], logins: ['*'], allow: {and: [{groups: sre}]}}"
        #expect(try reach("- \(any)") == ["web1: *, alice"])
        // A name that a rule denies is not what the star stands for.
        let deny = "{name: d, hosts: [{any: true}], deny: {or: [{ssh_username: root}]}}"
        #expect(try reach("- \(any)\n- \(deny)") == ["web1: *, alice"])
        let own = """
            - {name: o, hosts: [{any: true}], logins: ['*'], allow: {and: [{ssh_username_matches_email: true}]}}
            """
        #expect(try reach(own) == ["web1: alice"])
        #expect(try reach("- \(any.replacing("sre", with: "dev"))") == [])
        let none = "{name: d, hosts: [{any: true}], deny: {or: [{groups: sre}]}}"
        #expect(try reach("- \(any)\n- \(none)") == [])
    }

    private func diff(_ old: String, _ new: String) throws -> [String] {
        let head = "version: 1\nrules:\n- {name: r, hosts: [{any: true}], logins: ['*'], allow: "
        let tests = """
            }
            tests:
            - {name: t, person: {identity: alice, groups: [sre]}, host: {id: web1}, login: deploy, expect: allow}
            - {name: u, person: {identity: bob, groups: [dev]}, host: {id: db1}, login: deploy, expect: deny}

            """
        let before = try AccessPolicy(untestedYAML: head + old + tests, name: "old.yaml")
        let after = try AccessPolicy(untestedYAML: head + new + tests, name: "new.yaml")
        return try after.diff(
            from: before, over: AccessUniverse(testsOf: before, after), key: AccessSample.key
        )
        .map { difference in
            let person = difference.request.person.map { "\($0.identity)" } ?? "nobody"
            return "\(person) \(difference.change) \(difference.request.host.id)"
        }
    }

    @Test func whoGainsAndLosesIsListedOverAllThatTheTestsName() throws {
        #expect(try diff("{and: [{groups: sre}]}", "{and: [{groups: sre}]}") == [])
        let both = try diff("{and: [{groups: sre}]}", "{and: [{groups: dev}]}")
        #expect(
            Set(both) == ["alice lost web1", "alice lost db1", "bob gained web1", "bob gained db1"])
        let terms = try diff("{and: [{groups: sre}]}", "{and: [{groups: sre}]}, certificate: {sudo: true}")
        #expect(Set(terms) == ["alice changed web1", "alice changed db1"])
    }

    @Test func aUniverseThatIsTooLargeIsRefused() throws {
        let policy = try AccessPolicy(yaml: "version: 1\n", name: "policy.yaml")
        let people = try (0..<1_001).map { try AccessSample.person("p\($0)") }
        let logins = (0..<1_000).map { "l\($0)" }
        let universe = AccessUniverse(people: people, hosts: [try AccessSample.host()], logins: logins)
        #expect(throws: CertAuthorityError.self) {
            try policy.diff(from: policy, over: universe, key: AccessSample.key)
        }
    }
}
