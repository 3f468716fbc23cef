// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

@Suite("Approval in policies") struct ApprovalPolicyTests {
    private static func policy(_ approval: String, more: String = "", top: String = "") throws -> AccessPolicy
    {
        try AccessPolicy(
            yaml: """
                version: 1
                administrators: {or: [{user: root@example.com}]}
                \(top)
                rules:
                  - name: a
                    hosts: [{any: true}]
                    logins: [root]
                    allow: {or: [{groups: {has: sre}}]}
                    requires: {approval: \(approval)}
                    certificate: {max_lifetime: 30m}
                    \(more)

                """, name: "policy")
    }

    private static func request(
        _ identity: String = "bob@example.com", groups: [String] = [], key: PublicKey? = nil,
        age: UInt64 = 0
    ) throws -> AccessRequest {
        AccessRequest(
            person: Person(
                identity: try Identity(identity), provider: "corp", subject: "s", groups: groups,
                authenticatedAt: sampleNow.subtractingOrEpoch(age)),
            key: try key ?? Sample.subjectKey, login: "root", host: try ManagedHost(id: "web1"),
            now: sampleNow)
    }

    @Test func trueMeansAnAdministratorForADayAndTheRulesLongestCertificate() throws {
        let policy = try Self.policy("true")
        let demand = try #require(policy.approvalDemand(rule: "a"))
        #expect(demand.count == 1 && demand.waits == 86_400 && demand.longestGrant == 1_800)
        #expect(demand.approvers == "the administrators")
        #expect(policy.mayApprove(rule: "a", try Self.request("root@example.com")) == .yes)
        #expect(policy.mayApprove(rule: "a", try Self.request()) == .no)
        #expect(policy.approvalDemand(rule: "b") == nil)
        #expect(try Self.policy("false").approvalDemand(rule: "a") == nil)
    }

    @Test func whoMayApproveIsSaidByCriteriaOverThem() throws {
        let policy = try Self.policy(
            "{by: {and: [{groups: {has: leads}}, {authentication_age: {max: 1h}}, {key_type: hardware}]}, count: 2, waits: 7d, grant: 8h}"
        )
        let demand = try #require(policy.approvalDemand(rule: "a"))
        #expect(demand.count == 2 && demand.waits == 604_800 && demand.longestGrant == 28_800)
        let hardware = try PublicKey(.skEd25519([UInt8](repeating: 1, count: 32), application: "ssh:"))
        #expect(policy.mayApprove(rule: "a", try Self.request(groups: ["leads"], key: hardware)) == .yes)
        #expect(policy.mayApprove(rule: "a", try Self.request(groups: ["leads"])) == .no)
        #expect(policy.mayApprove(rule: "a", try Self.request(groups: ["sre"], key: hardware)) == .no)
        #expect(
            policy.mayApprove(rule: "a", try Self.request(groups: ["leads"], key: hardware, age: 7_200))
                == .unknown)
        // To administer is no right to approve where somebody else is named.
        #expect(policy.mayApprove(rule: "a", try Self.request("root@example.com", key: hardware)) == .no)
    }

    @Test func whoMayPassWithoutIsSaidByTheRuleElseByThePolicy() throws {
        let top = "break_glass: {allow: {or: [{groups: {has: on-call}}]}, max: 1h}"
        let general = try Self.policy("true", top: top)
        #expect(general.breakGlass(rule: "a", try Self.request(groups: ["on-call"])) == 3_600)
        #expect(general.breakGlass(rule: "a", try Self.request(groups: ["sre"])) == nil)
        let own = try Self.policy(
            "true", more: "break_glass: {allow: {or: [{groups: {has: owners}}]}, max: 5m}", top: top)
        #expect(own.breakGlass(rule: "a", try Self.request(groups: ["owners"])) == 300)
        #expect(own.breakGlass(rule: "a", try Self.request(groups: ["on-call"])) == nil)
        #expect(try Self.policy("true").breakGlass(rule: "a", try Self.request(groups: ["on-call"])) == nil)
        #expect(
            try Self.policy("false", top: top).breakGlass(rule: "a", try Self.request(groups: ["on-call"]))
                == nil)
    }

    @Test(arguments: [
        ("yes", "requires.approval"), ("{count: 0}", "from 1 to 5"), ("{count: 6}", "from 1 to 5"),
        ("{count: two}", "from 1 to 5"), ("{waits: 8d}", "at most 1w"), ("{waits: 0}", "positive time"),
        ("{grant: 32d}", "at most 31d"), ("{by: {}}", "and, or, not or nor"), ("{who: x}", "not known here"),
        ("{by: {or: [{groups: {has: x}}]}, count: -1}", "from 1 to 5"), ("[]", "mapping"),
    ])
    func whatIsNoApprovalIsRefusedWithItsPlace(approval: String, words: String) throws {
        let error = #expect(throws: CertAuthorityError.self) { try Self.policy(approval) }
        #expect(
            error?.code == .configuration && error?.reason.contains(words) == true, "\(error?.reason ?? "")")
    }

    @Test(arguments: [
        "break_glass: {allow: {or: [{user: a}]}}", "break_glass: {max: 1h}", "break_glass: true",
        "break_glass: {allow: {or: [{user: a}]}, max: 32d}", "break_glass: {allow: {or: []}, max: 1h}",
    ])
    func whatIsNoBreakGlassIsRefused(text: String) throws {
        #expect(throws: CertAuthorityError(.configuration, "")) { try Self.policy("true", more: text) }
        #expect(throws: CertAuthorityError(.configuration, "")) { try Self.policy("true", top: text) }
    }

    @Test func aRuleThatNeedsNoApprovalHasNoneToPass() throws {
        let text = "break_glass: {allow: {or: [{user: a}]}, max: 1h}"
        #expect(throws: Never.self) { try Self.policy("true", more: text) }
        let error = #expect(throws: CertAuthorityError.self) { try Self.policy("false", more: text) }
        #expect(error?.reason.contains("needs no approval") == true)
    }

    @Test func whoIsRefusedReadsWhoMayApproveAndWhatToRun() throws {
        let policy = try Self.policy(
            "{by: {or: [{groups: {has: leads}}, {user: eve@example.com}]}, count: 2}")
        let decision = policy.decide(try Self.request(groups: ["sre"]))
        #expect(decision.verdict == .needsApproval)
        #expect(
            decision.reasons == [
                "rule a needs 2 approvals, each by somebody with groups has leads or user is eve@example.com: "
                    + "daypass request web1 --login root --reason WHY"
            ])
    }

    private static let test =
        "tests: [{name: t, person: {identity: bob, groups: [sre]}, host: {id: web1}, login: root, expect: approval}]"

    /// Two policies that ask for approval are not the same where they ask somebody else.
    @Test(arguments: [
        ("true", "true", 0), ("true", "{count: 1, waits: 24h, grant: 30m}", 0), ("true", "{count: 2}", 1),
        ("true", "{waits: 1h}", 1), ("true", "{grant: 1h}", 1),
        ("true", "{by: {or: [{user: eve@example.com}]}}", 1),
        ("{by: {or: [{user: a@b.example}]}}", "{by: {or: [{user: b@b.example}]}}", 1),
    ])
    func aDifferenceShowsWhoMayApprove(old: String, new: String, count: Int) throws {
        let (before, after) = (try Self.policy(old, top: Self.test), try Self.policy(new, top: Self.test))
        let differences = try after.diff(
            from: before, over: AccessUniverse(testsOf: before, after), key: try Sample.subjectKey)
        #expect(Set(differences.map(\.change)) == (count == 0 ? [] : [.changed]))
    }

    @Test func aDifferenceShowsWhoMayPassWithout() throws {
        let before = try Self.policy("true", top: Self.test)
        let after = try Self.policy(
            "true", more: "break_glass: {allow: {or: [{user: bob}]}, max: 5m}", top: Self.test)
        let differences = try after.diff(
            from: before, over: AccessUniverse(testsOf: before, after), key: try Sample.subjectKey)
        #expect(Set(differences.map(\.change)) == [.changed])
    }

    @Test func anExplanationSaysWhatApprovalTakes() throws {
        let policy = try Self.policy(
            "{by: {or: [{groups: {has: leads}}]}, count: 2, waits: 4h}",
            more: "break_glass: {allow: {or: [{groups: {has: on-call}}]}, max: 5m}")
        let explanation = policy.explain(try Self.request(groups: ["sre"]))
        #expect(
            explanation.approval == [
                "approvals: 2, by groups has leads", "a request waits: 4h", "a grant lasts: 30m at most",
                "without approval: groups has on-call, for 5m at most",
            ])
        #expect(explanation.text.contains("it takes\n  approvals: 2"))
    }

    @Test func whatNobodyCanApproveAndEverybodyCanPassIsWarnedOf() throws {
        let nobody = try AccessPolicy(
            yaml: """
                version: 1
                rules:
                  - name: a
                    hosts: [{id: web1}]
                    logins: [root]
                    allow: {or: [{groups: {has: sre}}]}
                    requires: {approval: true}
                    break_glass: {allow: {or: [{groups: {has: sre}}]}, max: 1h}

                """, name: "policy")
        #expect(nobody.warnings.map(\.code).contains(.approvedByNobody))
        #expect(nobody.warnings.map(\.code).contains(.openBreakGlass))
        let good = try Self.policy(
            "true", more: "break_glass: {allow: {or: [{groups: {has: on-call}}]}, max: 1h}")
        #expect(!good.warnings.map(\.code).contains(.approvedByNobody))
        #expect(!good.warnings.map(\.code).contains(.openBreakGlass))
    }
}
