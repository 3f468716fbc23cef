// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import SSHWire

struct Policy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Check, test, explain and compare access policies.",
        discussion: "Needs no CA and no server. docs/formats/access-policy.md says what a policy can say.",
        subcommands: [PolicyCheck.self, PolicyTest.self, PolicyExplain.self, PolicyDiff.self])
}

/// Access policies in files.
enum PolicyFile {
    /// Reads a policy.
    ///
    /// - Parameter isTested: whether its tests must come out.
    static func read(_ path: String, isTested: Bool = true) throws -> AccessPolicy {
        let (yaml, name) = try text(path, maximumBytes: AccessPolicy.maximumBytes)
        return isTested
            ? try AccessPolicy(yaml: yaml, name: name) : try AccessPolicy(untestedYAML: yaml, name: name)
    }

    /// A file's text, and its name fit for a terminal.
    static func text(_ path: String, maximumBytes: Int) throws -> (text: String, name: String) {
        let bytes = try InputFile.read(path, maximumBytes: maximumBytes)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CertAuthorityError(.configuration, "\(InputFile.name(path)): not UTF-8")
        }
        return (text, InputFile.name(path))
    }
}

struct PolicyCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read a policy, run its tests, and warn of what is probably not meant.",
        discussion: "Exits 1 when the policy can't be used, also because a test of its own does not come out."
    )

    @OptionGroup var format: FormatOptions

    @Argument(help: ArgumentHelp("The policy; - for standard input.", valueName: "FILE"))
    var file: String

    private struct Report: Encodable {
        let file: String
        let sha256: String
        let rules: [String]
        let tests: Int
        let warnings: [AccessPolicyWarning]
    }

    func run() throws {
        let policy = try PolicyFile.read(file)
        let warnings = policy.warnings
        if format.format == .json {
            let digest = hexadecimal(policy.digest)
            return try JSONOutput.write(
                Report(
                    file: file, sha256: digest, rules: policy.ruleNames, tests: policy.tests.count,
                    warnings: warnings))
        }
        for warning in warnings { Terminal.complain("warning", warning.text) }
        let rules = policy.ruleNames.count
        let tests = policy.tests.count
        Terminal.say(
            "\(InputFile.name(file)): \(rules) \(rules == 1 ? "rule" : "rules"), \(tests) \(tests == 1 ? "test" : "tests"), all as expected"
        )
    }
}

struct PolicyTest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run a policy's tests and show what came out.",
        discussion:
            "Exits 0 when all came out as expected, 3 when one didn't, 1 when the policy can't be read.")

    @OptionGroup var format: FormatOptions

    @Option(help: ArgumentHelp("Only the test of this name.", valueName: "NAME"))
    var name: String?

    @Argument(help: ArgumentHelp("The policy; - for standard input.", valueName: "FILE"))
    var file: String

    private struct Report: Encodable {
        let name: String
        let expected: AccessTest.Expectation
        let verdict: AccessTest.Expectation
        let rule: String?
        let reasons: [String]
        let failure: String?
    }

    func run() throws {
        let policy = try PolicyFile.read(file, isTested: false)
        var results = policy.testResults()
        if let name {
            results = results.filter { $0.test.name.utf8.elementsEqual(name.utf8) }
            guard !results.isEmpty else {
                throw CertAuthorityError(
                    .notFound, "\(InputFile.name(file)): no test is called \(name.escapedForTerminal)")
            }
        }
        if format.format == .json {
            try JSONOutput.write(
                results.map {
                    Report(
                        name: $0.test.name, expected: $0.test.expected,
                        verdict: $0.decision.verdict.expectation,
                        rule: $0.decision.rule, reasons: $0.decision.reasons, failure: $0.failure)
                })
        } else {
            show(results)
        }
        if results.contains(where: { $0.failure != nil }) { throw ExitCode(ExitStatus.negative) }
    }

    private func show(_ results: [AccessTestResult]) {
        guard !results.isEmpty else { return Terminal.say("\(InputFile.name(file)): there are no tests") }
        let rows = results.map { result in
            [
                result.failure == nil ? "ok" : "FAILED", result.test.expected.rawValue,
                result.decision.verdict.expectation.rawValue, result.decision.rule ?? "-",
                result.test.name.escapedForTerminal,
            ]
        }
        Table(["result", "expected", "verdict", "rule", "test"], rows).print()
        for result in results {
            guard let failure = result.failure else { continue }
            Terminal.complain("error", "\(result.test.name.escapedForTerminal): \(failure)")
        }
    }
}
