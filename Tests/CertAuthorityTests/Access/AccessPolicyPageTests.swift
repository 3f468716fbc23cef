// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import CertAuthority

@Suite("docs/formats/access-policy.md")
struct AccessPolicyPageTests {
    private func page() throws -> String {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../docs/formats/access-policy.md").standardized
        return try String(contentsOf: path, encoding: .utf8)
    }

    @Test func theExampleIsAPolicyWhoseTestsComeOut() throws {
        let blocks = try page().components(separatedBy: "```")
        let example = try #require(blocks.count > 1 ? blocks[1] : nil)
        let policy = try AccessPolicy(
            yaml: String(example.dropFirst("yaml\n".count)), name: "access-policy.md")
        #expect(policy.ruleNames.count == 3)
        #expect(policy.tests.count == 3)
        #expect(policy.warnings == [])
    }

    @Test func theLimitsAreThoseOfTheCode() throws {
        #expect(AccessPolicy.maximumBytes == 1 << 20)
        #expect(AccessPolicy.maximumRules == 1_000)
        #expect(AccessPolicy.maximumTests == 1_000)
        #expect(AccessPolicy.maximumCriteria == 256)
        #expect(AccessPolicy.maximumEntries == 256)
        #expect(TextMatcher.maximumTexts == 256)
        #expect(TextMatcher.maximumBytes == 1_024)
        #expect(AccessRequest.maximumAccountBytes == 32)
        #expect(CertificateTerms.ceiling == 31 * 86_400)
    }

    /// Each criterion of the page's table is one that is read, with some value.
    @Test func everyCriterionOfTheTableIsKnown() throws {
        let text = try page()
        let table = try #require(
            text.components(separatedBy: "## Criteria").last?.components(separatedBy: "## ").first)
        let names = table.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { row in
            row.split(separator: "|")[0].split(separator: "`").filter { $0 != " " && $0 != ", " }
        }
        #expect(names.count == 18)
        for name in names {
            let concrete = name.replacing("PATH", with: "a").replacing("NAME", with: "a")
            let refusal = AccessSample.refusal(
                "version: 1\nrules: [{name: r, hosts: [{any: true}], deny: {or: [{\(concrete): {}}]}}]\n")
            #expect(refusal?.contains("no criterion is called so") == false, "\(name): \(refusal ?? "taken")")
        }
    }
}
