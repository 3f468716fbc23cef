// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What a policy's file says should come out for a request.
public struct AccessTest: Sendable {
    /// The kind of answer.
    public enum Expectation: String, Sendable, CaseIterable, Encodable {
        case allow
        case deny
        case approval
        case login
    }

    public let name: String
    public let request: AccessRequest
    public let expected: Expectation
    /// The rule that must decide; nil for whichever.
    public let rule: String?

    /// The longest name, in bytes.
    public static let maximumNameBytes = 256
    /// When a test takes place that doesn't say when: Monday, 2026-01-05 12:00:00 UTC.
    public static let defaultTime = UnixTime(seconds: 1_767_614_400)

    static func tests(_ value: YAMLValue?, rules: Set<ExactText>) throws(CertAuthorityError) -> [AccessTest] {
        guard let value else { return [] }
        var tests: [AccessTest] = []
        var names: Set<ExactText> = []
        for item in try value.items("tests", maximum: AccessPolicy.maximumTests) {
            let test = try AccessTest(item)
            guard names.insert(ExactText(test.name)).inserted else {
                throw item.refuse("a second test is called \(test.name.escapedForTerminal)")
            }
            if let rule = test.rule, !rules.contains(ExactText(rule)) {
                throw item.refuse("rule: no rule is called \(rule.escapedForTerminal)")
            }
            tests.append(test)
        }
        return tests
    }

    private init(_ value: YAMLValue) throws(CertAuthorityError) {
        var mapping = try value.mapping()
        let nameValue = try mapping.required("name")
        let name = try nameValue.text()
        try nameValue.reading { try checkText(name, field: "name", maximumBytes: Self.maximumNameBytes) }
        self.name = name
        let expectation = try mapping.required("expect").choice(Expectation.allCases.map(\.rawValue))
        expected = Expectation(rawValue: expectation) ?? .deny
        rule = try mapping.text("rule")
        request = try AccessRequest(&mapping, defaultTime: Self.defaultTime)
        try mapping.finish()
    }
}

extension AccessDecision.Verdict {
    /// The verdict as tests name it.
    public var expectation: AccessTest.Expectation {
        switch self {
        case .allowed: .allow
        case .denied: .deny
        case .needsApproval: .approval
        case .needsLogin: .login
        }
    }
}

/// What came out of a test.
public struct AccessTestResult: Sendable {
    public let test: AccessTest
    public let decision: AccessDecision

    /// Why the test failed, in one line; nil when it came out as expected.
    public var failure: String? {
        let came = decision.verdict.expectation
        guard came == test.expected else {
            return
                "\(test.expected.rawValue) expected, it is \(came.rawValue): \(decision.reasons.joined(separator: "; "))"
        }
        guard let rule = test.rule, rule != decision.rule else { return nil }
        return "rule \(rule.escapedForTerminal) expected to decide, it was \(decision.rule ?? "none")"
    }
}

extension AccessPolicy {
    /// Runs the file's tests.
    public func testResults() -> [AccessTestResult] {
        tests.map { AccessTestResult(test: $0, decision: decide($0.request)) }
    }
}
