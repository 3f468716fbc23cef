// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("Decisions of an access policy")
struct AccessDecisionTests {
    static let everybody =
        "- {name: all, hosts: [{any: true}], logins: ['*'], allow: {and: [{authenticated_user: true}]}}\n"

    @Test func withoutARuleNobodyIsAllowed() throws {
        let empty = try AccessPolicy(yaml: "version: 1\n", name: "policy.yaml")
        #expect(try empty.answers(AccessSample.request()) == .deny)
        #expect(try empty.answers(AccessSample.request { $0.person = nil }) == .deny)
        #expect(try !empty.isAdministrator(AccessSample.person(), at: AccessSample.now, from: nil))
    }

    @Test(arguments: [
        "- {any: true}", "- {labels: {team: infra}}", "- {labels: {team: 'inf*'}}", "- {id: web1}",
        "- {id: 'web?'}", "- {id: '*1'}", "- {name: '*.example.com'}", "- {name: web1}",
        "- {id: db1}\n    - {id: 'w*'}", "- {id: web1, labels: {team: infra}, name: web1.example.com}",
    ])
    func aRuleIsAboutItsHosts(hosts: String) throws {
        let policy = try AccessSample.policy(
            "- name: r\n  logins: [deploy]\n  allow: {and: [{authenticated_user: true}]}\n  hosts:\n    \(hosts)\n"
        )
        #expect(try policy.answers(AccessSample.request()) == .allow)
    }

    @Test(arguments: [
        "- {labels: {team: web}}", "- {labels: {team: infra, zone: '*'}}", "- {id: web}", "- {id: 'web1?'}",
        "- {name: '*.example.org'}", "- {id: web1, labels: {team: web}}",
    ])
    func aRuleIsAboutNoOtherHosts(hosts: String) throws {
        let policy = try AccessSample.policy(
            "- name: r\n  logins: [deploy]\n  allow: {and: [{authenticated_user: true}]}\n  hosts:\n    \(hosts)\n"
        )
        #expect(try policy.answers(AccessSample.request()) == .deny)
    }

    @Test(arguments: [
        ("[deploy]", "deploy", true), ("[deploy]", "deploy2", false), ("['*']", "anything", true),
        ("['{claim.unix_account}']", "alice", true), ("['{claim.unix_account}']", "bob", false),
        ("['{email.local}']", "alice", true), ("['adm-{email.local}']", "adm-alice", true),
        ("['adm-{email.local}']", "alice", false), ("['{claim.missing}', deploy]", "deploy", true),
        ("['{claim.missing}']", "alice", false), ("['{label.team}']", "infra", true),
        ("['{host}']", "web1", true),
    ])
    func aRuleIsAboutItsAccounts(logins: String, login: String, isAllowed: Bool) throws {
        let policy = try AccessSample.policy(
            "- {name: r, hosts: [{any: true}], logins: \(logins), allow: {and: [{authenticated_user: true}]}}\n"
        )
        #expect(try policy.answers(AccessSample.request { $0.login = login }) == (isAllowed ? .allow : .deny))
    }

    @Test(arguments: [
        "", "-x", ".x", "a b", "root@web2", "a/b", "a,b", "a:b", "a\nb", "\u{e9}",
        String(repeating: "a", count: 33),
    ])
    func whatIsNoAccountIsRefusedByEveryPolicy(login: String) throws {
        let decision = try AccessSample.policy(Self.everybody).decide(
            AccessSample.request { $0.login = login })
        #expect(decision.verdict == .denied)
        #expect(decision.rule == nil)
        #expect(!decision.reasons.joined().holdsControlCharacters)
    }

    @Test(arguments: [
        ("{and: [{groups: sre}, {domain: example.com}]}", true),
        ("{and: [{groups: sre}, {domain: example.org}]}", false),
        ("{or: [{groups: dev}, {domain: example.com}]}", true),
        ("{or: [{groups: dev}, {domain: example.org}]}", false),
        ("{not: [{groups: dev}, {domain: example.org}]}", true),
        ("{not: [{groups: dev}, {domain: example.com}]}", false),
        ("{nor: [{groups: dev}, {domain: example.com}]}", true),
        ("{nor: [{groups: sre}, {domain: example.com}]}", false),
        ("{and: [{groups: dev}], or: [{groups: sre}]}", true),
        ("{and: [{groups: dev}], not: [{groups: sre}]}", false),
    ])
    func operatorsMeanWhatPomeriumsDo(block: String, holds: Bool) throws {
        let allowing = try AccessSample.policy(
            "- {name: r, hosts: [{any: true}], logins: ['*'], allow: \(block)}\n")
        #expect(try allowing.answers(AccessSample.request()) == (holds ? .allow : .deny))
        let denying = try AccessSample.policy(
            Self.everybody + "- {name: d, hosts: [{any: true}], deny: \(block)}\n")
        #expect(try denying.answers(AccessSample.request()) == (holds ? .deny : .allow))
    }

    @Test(arguments: [true, false])
    func attack12_denyingWinsWhereverItStands(isFirst: Bool) throws {
        let deny = "- {name: never-root, hosts: [{any: true}], deny: {or: [{ssh_username: root}]}}\n"
        let policy = try AccessSample.policy(isFirst ? deny + Self.everybody : Self.everybody + deny)
        let decision = try policy.decide(AccessSample.request { $0.login = "root" })
        #expect(decision.verdict == .denied)
        #expect(decision.rule == "never-root")
        #expect(try policy.answers(AccessSample.request()) == .allow)
    }

    @Test func attack12_aRulesOwnDenialWinsOverEveryOtherRule() throws {
        let policy = try AccessSample.policy(
            Self.everybody
                + "- {name: b, hosts: [{any: true}], logins: ['*'], allow: {and: [{groups: sre}]}, deny: {or: [{ssh_username: root}]}}\n"
        )
        #expect(try policy.answers(AccessSample.request { $0.login = "root" }) == .deny)
    }

    @Test func aRuleDeniesOnlyAtItsHostsAndAccounts() throws {
        let policy = try AccessSample.policy(
            Self.everybody
                + "- {name: d, hosts: [{id: 'db*'}], logins: [postgres], deny: {or: [{authenticated_user: true}]}}\n"
        )
        func answer(_ host: String, _ login: String) throws -> AccessTest.Expectation {
            try policy.answers(
                AccessSample.request {
                    $0.host = try AccessSample.host(host)
                    $0.login = login
                })
        }
        #expect(try answer("db1", "postgres") == .deny)
        #expect(try answer("db1", "deploy") == .allow)
        #expect(try answer("web1", "postgres") == .allow)
    }

    @Test func nobodyIsNeverAllowed() throws {
        let byKey = try AccessSample.allowing("{key_type: ssh-ed25519}")
        #expect(try byKey.answers(AccessSample.request()) == .allow)
        #expect(try byKey.answers(AccessSample.request { $0.person = nil }) == .login)
    }

    /// With nobody there, a denial of somebody is a maybe; a denial of the account is not.
    @Test func aDenialThatALoginCouldBringAsksForOne() throws {
        let somebody = try AccessSample.policy(
            Self.everybody + "- {name: d, hosts: [{any: true}], deny: {or: [{groups: banned}]}}\n")
        #expect(try somebody.answers(AccessSample.request { $0.person = nil }) == .login)
        let nobody = try AccessSample.policy(
            Self.everybody
                + "- {name: d, hosts: [{any: true}], deny: {or: [{groups: banned}, {ssh_username: deploy}]}}\n"
        )
        #expect(try nobody.answers(AccessSample.request { $0.person = nil }) == .deny)
        let onlyDenying = try AccessSample.policy(
            "- {name: d, hosts: [{any: true}], deny: {or: [{groups: banned}]}}\n")
        #expect(try onlyDenying.answers(AccessSample.request { $0.person = nil }) == .deny)
    }

    @Test func nobodyLearnsOfHostsAndRules() throws {
        let policy = try AccessSample.policy(
            "- {name: secret, hosts: [{any: true}], logins: [deploy], allow: {and: [{ssh_username: root}]}}\n"
        )
        let decision = try policy.decide(AccessSample.request { $0.person = nil })
        #expect(decision.verdict == .denied)
        #expect(!decision.reasons.joined().contains("secret"))
    }

    @Test func anApprovalIsNeededOnlyWhereNoOtherRuleAllows() throws {
        let approved =
            "- {name: b, hosts: [{any: true}], logins: ['*'], allow: {and: [{groups: sre}]}, requires: {approval: true}}\n"
        let alone = try AccessSample.policy(approved)
        #expect(try alone.decide(AccessSample.request()).verdict == .needsApproval)
        #expect(try AccessSample.policy(approved + Self.everybody).answers(AccessSample.request()) == .allow)
        #expect(
            try alone.answers(AccessSample.request { $0.person = try AccessSample.person(groups: []) })
                == .deny)
        let decided = try alone.decide(AccessSample.request(), approvedUnder: "b")
        #expect(decided.grant != nil)
        #expect(try alone.decide(AccessSample.request(), approvedUnder: "a").verdict == .needsApproval)
    }

    @Test func anApprovalDoesNotMendWhatElseIsMissing() throws {
        let policy = try AccessSample.policy(
            "- {name: b, hosts: [{any: true}], logins: ['*'], allow: {and: [{groups: sre}]}, requires: {approval: true}}\n"
                + "- {name: d, hosts: [{any: true}], deny: {or: [{ssh_username: root}]}}\n")
        #expect(
            try policy.decide(AccessSample.request { $0.login = "root" }, approvedUnder: "b").verdict
                == .denied)
        let other = try AccessSample.request { $0.person = try AccessSample.person(groups: []) }
        #expect(policy.decide(other, approvedUnder: "b").verdict == .denied)
    }

    @Test(arguments: [nil, "", "  "] as [String?])
    func aReasonIsAskedForWithTheWayToGiveIt(reason: String?) throws {
        let policy = try AccessSample.allowing("{groups: sre}", more: ", requires: {reason: true}")
        let decision = try policy.decide(AccessSample.request { $0.reason = reason })
        #expect(decision.verdict == .denied)
        #expect(decision.reasons == ["rule r: a reason is needed: give one with --reason"])
        #expect(try policy.answers(AccessSample.request { $0.reason = "ticket 7" }) == .allow)
    }

    @Test func administratorsAreWhoTheBlockSays() throws {
        let policy = try AccessPolicy(
            yaml: "version: 1\nadministrators: {and: [{user: alice@example.com}, {source_ip: 10.0.0.0/8}]}\n",
            name: "policy.yaml")
        let inside = try IPAddress("10.1.2.3")
        #expect(try policy.isAdministrator(AccessSample.person(), at: AccessSample.now, from: inside))
        #expect(try !policy.isAdministrator(AccessSample.person(), at: AccessSample.now, from: nil))
        #expect(try !policy.isAdministrator(AccessSample.person("bob"), at: AccessSample.now, from: inside))
        let recent = try AccessPolicy(
            yaml: "version: 1\nadministrators: {and: [{authentication_age: {max: 1m}}]}\n",
            name: "policy.yaml")
        #expect(try !recent.isAdministrator(AccessSample.person(), at: AccessSample.now, from: nil))
    }

    @Test func theDigestIsThatOfTheBytes() throws {
        let yaml = "version: 1\n"
        let policy = try AccessPolicy(yaml: yaml, name: "policy.yaml")
        #expect(policy.digest == Digest.sha256(Array(yaml.utf8)))
        #expect(try AccessPolicy(yaml: yaml + "\n", name: "policy.yaml").digest != policy.digest)
    }
}
