// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@Suite("daypass policy")
struct CLIPolicyTests {
    private static let rules = """
        version: 1
        rules:
        - name: sre
          hosts: [{labels: {team: infra}}]
          logins: [deploy]
          allow: {and: [{groups: {has: GROUP}}, {source_ip: 10.0.0.0/8}]}
        tests:
        - name: an engineer deploys
          person: {identity: alice, groups: [sre]}
          host: {id: web1, labels: {team: infra}}
          login: deploy
          from: 10.0.0.1
          expect: allow

        """

    private func tools() throws -> CLITools {
        let tools = try CLITools()
        for (name, group) in [("policy.yaml", "sre"), ("other.yaml", "dev")] {
            try Self.rules.replacing("GROUP", with: group).write(
                toFile: tools.folder.path(name), atomically: true, encoding: .utf8)
        }
        return tools
    }

    @Test func aPolicyIsCheckedAndOneWhoseTestsFailIsNot() throws {
        let tools = try tools()
        let good = try tools.daypass(["policy", "check", "policy.yaml"])
        #expect(good.status == 0)
        #expect(good.stdoutText == "policy.yaml: 1 rule, 1 test, all as expected\n")
        let bad = try tools.daypass(["policy", "check", "other.yaml"])
        #expect(bad.status == 1)
        #expect(bad.stdoutText == "")
        #expect(bad.stderrText.hasPrefix("error: other.yaml: tests[0]: an engineer deploys: allow expected"))
        #expect(bad.stderrText.contains("\nhint: "))
        let json = try tools.daypass(
            ["policy", "check", "--format", "json", "-"], stdin: Array("version: 1\n".utf8))
        #expect(json.stdoutText.contains("\"rules\" : ["))
    }

    @Test func aTestThatFailsIsShownWithItsReason() throws {
        let tools = try tools()
        #expect(try tools.daypass(["policy", "test", "policy.yaml"]).status == 0)
        let bad = try tools.daypass(["policy", "test", "other.yaml", "--name", "an engineer deploys"])
        #expect(bad.status == 3)
        #expect(bad.stdoutText.contains("FAILED"))
        #expect(bad.stderrText.contains("rule sre needs that groups has dev (found: sre)"))
        #expect(try tools.daypass(["policy", "test", "policy.yaml", "--name", "none"]).status == 1)
    }

    @Test func anExplanationStartsWithTheAnswer() throws {
        let tools = try tools()
        let base = [
            "policy", "explain", "policy.yaml", "--person", "alice", "--host", "web1", "--login", "deploy",
        ]
        let allowed = try tools.daypass(base + ["--from", "10.9.9.9"])
        #expect(allowed.status == 0)
        #expect(allowed.stdoutText.hasPrefix("alice may enter web1 as deploy for up to 1h: rule sre\n"))
        let refused = try tools.daypass(base + ["--from", "192.0.2.1"])
        #expect(refused.status == 3)
        #expect(
            refused.stdoutText.contains("source_ip is in 10.0.0.0/8 (found: 192.0.2.1): connect from there"))
        let json = try tools.daypass(base + ["--format", "json"])
        #expect(json.status == 3)
        #expect(json.stdoutText.contains("\"verdict\" : \"deny\""))
        #expect(try tools.daypass(["policy", "explain", "policy.yaml"]).status == 64)
    }

    @Test func factsComeFromATestAFileOrOptions() throws {
        let tools = try tools()
        let byTest = ["policy", "explain", "policy.yaml", "--test", "an engineer deploys"]
        #expect(try tools.daypass(byTest).status == 0)
        #expect(try tools.daypass(byTest + ["--login", "root"]).status == 3)
        #expect(try tools.daypass(byTest + ["--group", "dev"]).status == 3)
        try
            #"{"person": {"identity": "bob", "groups": ["sre"]}, "host": {"id": "db1", "labels": {"team": "infra"}}, "login": "deploy", "from": "10.0.0.1"}"#
            .write(toFile: tools.folder.path("facts.json"), atomically: true, encoding: .utf8)
        #expect(try tools.daypass(["policy", "explain", "policy.yaml", "--facts", "facts.json"]).status == 0)
        let options = [
            "--person", "bob", "--group", "sre", "--host", "db1", "--label", "team=infra", "--login",
            "deploy", "--from",
            "10.0.0.1",
        ]
        #expect(try tools.daypass(["policy", "explain", "policy.yaml"] + options).status == 0)
    }

    @Test func aDifferenceIsListedAndTold() throws {
        let tools = try tools()
        #expect(try tools.daypass(["policy", "diff", "policy.yaml", "policy.yaml"]).status == 0)
        let changed = try tools.daypass(["policy", "diff", "policy.yaml", "other.yaml"])
        #expect(changed.status == 3)
        #expect(changed.stdoutText.contains("lost    alice   web1  deploy  allow (sre)  deny (sre)"))
        try "people: [{identity: bob, groups: [dev]}]\n".write(
            toFile: tools.folder.path("people.yaml"), atomically: true, encoding: .utf8)
        let more = try tools.daypass(
            [
                "policy", "diff", "policy.yaml", "other.yaml", "--universe", "people.yaml", "--from",
                "10.0.0.1",
            ])
        #expect(more.stdoutText.contains("gained  bob "))
    }

    @Test func attack39_aHostilePolicyIsShownEscaped() throws {
        let tools = try tools()
        let hostile = "version: 1\n\"\\e[2J\\u202e\": 1\n"
        let result = try tools.daypass(["policy", "check", "-"], stdin: Array(hostile.utf8))
        #expect(result.status == 1)
        #expect(
            result.stderrText.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 && $0 != "\u{202e}" }
        )
    }
}
