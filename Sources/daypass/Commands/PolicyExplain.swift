// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import SSHWire

struct PolicyExplain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say whether somebody may enter a host, and why.",
        discussion: """
            Facts come from a test of the policy (--test), from a file (--facts), or from options; options win. A person or \
            host that a test of the policy knows is taken from there.

            Exits 0 when the request is allowed, 3 when it isn't, 1 when the policy can't be read.
            """)

    @OptionGroup var format: FormatOptions
    @OptionGroup var facts: PolicyFacts

    @Argument(help: ArgumentHelp("The policy; - for standard input.", valueName: "FILE"))
    var file: String

    func run() throws {
        let policy = try PolicyFile.read(file, isTested: false)
        let explanation = policy.explain(try facts.request(for: policy, now: unixTimeNow()))
        if format.format == .json {
            try JSONOutput.write(PolicyExplanationReport(explanation))
        } else {
            Terminal.write(Array(explanation.text.utf8))
        }
        guard case .allowed = explanation.decision.verdict else { throw ExitCode(ExitStatus.negative) }
    }
}

/// An explanation as programs read it.
private struct PolicyExplanationReport: Encodable {
    struct Grant: Encodable {
        let principals: [String]
        let lifetime: UInt64
        let maximumLifetime: UInt64?
        let permissions: [String]
        let forceCommand: String?
        let sourceAddresses: [String]
        let verifyRequired: Bool
        let sudo: Bool
    }

    let verdict: AccessTest.Expectation
    let rule: String?
    let sentence: String
    let reasons: [String]
    let grant: Grant?
    /// Who has to approve, where that is needed.
    let approval: [String]?
    let rules: [RuleExplanation]
    let otherRules: Int

    init(_ explanation: AccessExplanation) {
        verdict = explanation.decision.verdict.expectation
        rule = explanation.decision.rule
        sentence = explanation.sentence
        reasons = explanation.decision.reasons
        approval = explanation.approval.isEmpty ? nil : explanation.approval
        rules = explanation.rules
        otherRules = explanation.otherRules
        guard case .allowed(let given) = explanation.decision.verdict else {
            grant = nil
            return
        }
        grant = Grant(
            principals: given.principals.names.map(\.string), lifetime: given.lifetime,
            maximumLifetime: explanation.maximumLifetime,
            permissions: given.options.permissions.map(\.rawValue).sorted(),
            forceCommand: given.options.forceCommand,
            sourceAddresses: given.options.sourceAddresses.map(\.description),
            verifyRequired: given.options.verifyRequired, sudo: given.mayUseSudo)
    }
}
