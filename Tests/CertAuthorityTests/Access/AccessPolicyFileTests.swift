// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("An access policy's file")
struct AccessPolicyFileTests {
    static let rule = "{name: r, hosts: [{any: true}], logins: ['*'], allow: {and: [{groups: sre}]}}"

    @Test(arguments: [
        ("", "a mapping of keys expected"), ("[]", "a mapping of keys expected"),
        ("rules: []\n", "version: 1 expected"),
        ("version: 2\n", "version: 1 expected"), ("version: 1\nrule: []\n", "rule: not known here"),
        ("version: 1\nrules: {}\n", "rules: a list of rules expected"),
        ("version: 1\nrules: [{}]\n", "rules[0].name is missing"),
        ("version: 1\nrules: [{name: a b}]\n", "rules[0].name: \"a b\""),
        ("version: 1\nrules: [{name: r}]\n", "rules[0].hosts is missing"),
        ("version: 1\nrules: [{name: r, hosts: []}]\n", "rules[0].hosts: no host"),
        (
            "version: 1\nrules: [{name: r, hosts: [{}]}]\n",
            "rules[0].hosts[0]: any, id, name or labels expected"
        ),
        ("version: 1\nrules: [{name: r, hosts: [{any: false}]}]\n", "rules[0].hosts[0].any: true expected"),
        (
            "version: 1\nrules: [{name: r, hosts: [{any: true, id: a}]}]\n",
            "rules[0].hosts[0]: any stands by itself"
        ),
        (
            "version: 1\nrules: [{name: r, hosts: [{name: A}]}]\n",
            "rules[0].hosts[0].name: hosts are called in lower"
        ),
        (
            "version: 1\nrules: [{name: r, hosts: [{id: Web1}]}]\n",
            "rules[0].hosts[0].id: hosts are called in lower"
        ),
        ("version: 1\nrules: [{name: r, hosts: [{any: true}]}]\n", "rules[0]: allow or deny expected"),
        (
            "version: 1\nrules: [{name: r, hosts: [{any: true}], allow: {and: [{user: a}]}}]\n",
            "rules[0]: logins is missing"
        ),
        (
            "version: 1\nrules: [{name: r, hosts: [{any: true}], deny: {}}]\n",
            "rules[0].deny: and, or, not or nor expected"
        ),
        (
            "version: 1\nrules: [{name: r, hosts: [{any: true}], deny: {and: []}}]\n",
            "rules[0].deny.and: a list of criteria"
        ),
        (
            "version: 1\nrules: [{name: r, hosts: [{any: true}], deny: {xor: [{user: a}]}}]\n",
            "rules[0].deny.xor: not known"
        ),
        (
            "version: 1\nrules: [{name: r, hosts: [{any: true}], deny: {and: [{user: a}, {use: a}]}}]\n",
            "rules[0].deny.and[1].use: no criterion is called so"
        ),
        (
            "version: 1\nrules: [{name: r, hosts: [{any: true}], deny: {and: [{user: a}]}, certificate: {}}]\n",
            "rules[0].certificate: a rule without allow gives nothing"
        ),
        (
            "version: 1\nrules: [{name: r, hosts: [{labels: {team: Infra}}]}]\n",
            "labels.team: labels are in lower case"
        ),
        ("version: 1\nrules: [\(rule), \(rule)]\n", "rules[1]: a second rule is called r"),
        (
            "version: 1\nadministrators: {or: [{ssh_username: root}]}\n",
            "administrators: ssh_username: who administers"
        ),
        ("version: 1\ntests: [{name: t}]\n", "tests[0].expect is missing"),
        ("version: 1\ntests: [{name: t, expect: maybe}]\n", "tests[0].expect: \"maybe\""),
        ("version: 1\ntests: [{name: t, expect: deny, person: somebody}]\n", "tests[0].person: \"somebody\""),
        (
            "version: 1\ntests: [{name: t, expect: deny, person: nobody, host: {id: A}, login: a}]\n",
            "tests[0].host: host id"
        ),
        (
            "version: 1\ntests: [{name: t, expect: deny, person: nobody, host: {id: a}, login: a, rule: r}]\n",
            "no rule is called r"
        ),
    ])
    func attack11_aFileThatSaysNothingClearIsRefusedByItsPath(yaml: String, reason: String) throws {
        let refusal = try #require(AccessSample.refusal(yaml))
        #expect(refusal.hasPrefix("policy.yaml: "), "\(refusal)")
        #expect(refusal.contains(reason), "\(refusal)")
    }

    @Test(arguments: [
        "[deploy*]", "['{login}']", "[root@web1]", "['']", "[]", "deploy", "['{claim.a}{claim.b}']",
    ])
    func attack11_accountsThatAreNoneAreRefused(logins: String) {
        let yaml =
            "version: 1\nrules: [{name: r, hosts: [{any: true}], logins: \(logins), allow: {and: [{groups: sre}]}}]\n"
        #expect(AccessSample.refusal(yaml) != nil)
    }

    @Test func aFailingTestRefusesTheFileAndSaysWhatCameOut() throws {
        let test = "{name: a test, person: nobody, host: {id: web1}, login: deploy, expect: allow}"
        let yaml = "version: 1\nrules: [\(Self.rule)]\ntests: [\(test)]\n"
        let refusal = try #require(AccessSample.refusal(yaml))
        #expect(
            refusal.hasPrefix("policy.yaml: tests[0]: a test: allow expected, it is login: "), "\(refusal)")
        let untested = try AccessPolicy(untestedYAML: yaml, name: "policy.yaml")
        #expect(untested.testResults().count == 1)
        #expect(AccessSample.refusal(yaml.replacing("expect: allow", with: "expect: login")) == nil)
    }

    @Test func theWrongRuleFailsATest() throws {
        let test =
            "{name: t, person: {identity: a, groups: [sre]}, host: {id: web1}, login: deploy, expect: allow, rule: s}"
        let other = Self.rule.replacing("name: r", with: "name: s")
        #expect(
            AccessSample.refusal("version: 1\nrules: [\(Self.rule), \(other)]\ntests: [\(test)]\n") != nil)
        #expect(
            AccessSample.refusal("version: 1\nrules: [\(other), \(Self.rule)]\ntests: [\(test)]\n") == nil)
    }

    @Test func whatIsOverTheLimitsIsRefusedAndWhatIsAtThemIsTaken() throws {
        func rules(_ count: Int) -> String {
            "version: 1\nrules:\n"
                + (0..<count).map { "- \(Self.rule.replacing("name: r", with: "name: r\($0)"))\n" }.joined()
        }
        #expect(AccessSample.refusal(rules(AccessPolicy.maximumRules)) == nil)
        #expect(AccessSample.refusal(rules(AccessPolicy.maximumRules + 1)) != nil)
        func criteria(_ count: Int) -> String {
            let half = [String](repeating: "{user: a}", count: count / 2).joined(separator: ", ")
            let rest = [String](repeating: "{user: a}", count: count - count / 2).joined(separator: ", ")
            return
                "version: 1\nrules: [{name: r, hosts: [{any: true}], logins: [a], allow: {or: [\(half)]}, deny: {or: [\(rest)]}}]\n"
        }
        #expect(AccessSample.refusal(criteria(AccessPolicy.maximumCriteria)) == nil)
        #expect(AccessSample.refusal(criteria(AccessPolicy.maximumCriteria + 1)) != nil)
        let head = "version: 1\n#"
        let filler = String(repeating: "x", count: AccessPolicy.maximumBytes - head.utf8.count)
        #expect(AccessSample.refusal(head + filler) == nil)
        #expect(AccessSample.refusal(head + filler + "x") != nil)
    }

    static let hostile: [String: String] = {
        let depth = 20_000
        let keys = (0..<5_000).map { "k\($0): 1" }.joined(separator: ", ")
        return [
            "nested lists": String(repeating: "[", count: depth),
            "nested and closed lists": String(repeating: "[", count: depth)
                + String(repeating: "]", count: depth),
            "nested maps": String(repeating: "{a: ", count: depth),
            "nested keys": String(repeating: "{", count: depth),
            "nested explicit keys": String(repeating: "? {", count: 900) + keys
                + String(repeating: "}", count: 900),
            "collections as keys": String(repeating: "{[a]: b}\n", count: 100),
            "nested collections as keys": String(repeating: "{", count: 500) + "a"
                + String(repeating: "}: b", count: 500),
            "nested block lists": String(repeating: "- ", count: depth),
            "nested claims": "tests: [{name: t, expect: deny, person: {identity: a, claims: "
                + String(repeating: "{a: ", count: 50) + "b" + String(repeating: "}", count: 50)
                + "}, host: {id: a}, login: a}]",
            "an alias bomb": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
            "NUL": "a: \0", "an unended text": "a: \"",
            "many documents": String(repeating: "---\n", count: 10_000),
        ]
    }()

    @Test(.timeLimit(.minutes(10)), arguments: hostile.keys.sorted())
    func attack11_aHostileFileIsRefusedWithoutHangOrCrash(name: String) throws {
        let yaml = try #require(Self.hostile[name])
        #expect(AccessSample.refusal(yaml) != nil)
        let refusal = try #require(AccessSample.refusal("version: 1\n" + yaml))
        #expect(!refusal.holdsControlCharacters)
    }

    /// A service that loads a new file keeps its old policy when this throws: a policy is whole, or isn't there.
    @Test func attack11_everyPrefixOfAFileIsTakenOrRefused() throws {
        let yaml =
            "version: 1\nrules: [\(Self.rule)]\ntests:\n- {name: t, person: nobody, host: {id: a}, login: a, expect: login}\n"
        let request = try AccessSample.request()
        var taken = 0
        for end in yaml.indices {
            if let policy = try? AccessPolicy(yaml: String(yaml[..<end]), name: "policy.yaml") {
                taken += 1
                _ = policy.explain(request).text
            }
        }
        #expect(taken > 0)
    }

    @Test(arguments: [
        ("allow: {not: [{groups: sre}]}, logins: [a]", AccessPolicyWarning.Code.invertedOperator),
        ("allow: {and: [{groups: sre}]}, logins: ['*']", .anyAccount),
        ("allow: {and: [{groups: sre}]}, logins: ['*'], deny: {or: [{ssh_username: admin}]}", .anyAccount),
        ("allow: {and: [{groups: sre}]}, logins: ['*']", .anyHost),
        (
            "allow: {and: [{groups: sre}]}, logins: [a], certificate: {principals: ['{identity}', '{login}@{host}']}",
            .ambiguousPrincipals
        ),
        ("allow: {and: [{groups: sre}]}, logins: ['{email.local}']", .sharedLocalPart),
        ("allow: {and: [{domain: {ends_with: example.com}}]}, logins: [a]", .openEnding),
        ("allow: {and: [{ssh_username: b}]}, logins: [a]", .neverApplies),
        ("allow: {and: [{groups: sre}]}, logins: [a]", .untested),
    ])
    func whatIsProbablyNotMeantIsWarnedAbout(rule: String, code: AccessPolicyWarning.Code) throws {
        let policy = try AccessSample.policy("- {name: r, hosts: [{any: true}], \(rule)}\n")
        #expect(policy.warnings.contains { $0.code == code }, "\(policy.warnings)")
    }

    @Test func aQuestionMarkInAPatternIsNoKeyOfYAML() throws {
        let policy = try AccessSample.policy(
            "- {name: r, hosts: [{id: 'web-??'}, {id: \"?eb\"}], logins: [deploy], allow: {and: [{groups: sre}]}}\n"
        )
        #expect(
            try policy.answers(AccessSample.request { $0.host = try AccessSample.host("web-01") }) == .allow)
        #expect(AccessSample.refusal("version: 1\n? [a]\n: b\n")?.contains("question mark") == true)
    }

    @Test func aCarefulPolicyIsNotWarnedAbout() throws {
        let policy = try AccessPolicy(
            yaml: """
                version: 1
                rules:
                - {name: r, hosts: [{id: 'web*'}], logins: [deploy], allow: {and: [{domain: {ends_with: .example.com}}]}}
                tests:
                - {name: t, person: {identity: a, email: a@b.example.com}, host: {id: web1}, login: deploy, expect: allow}

                """, name: "policy.yaml")
        #expect(policy.warnings == [])
    }
}
