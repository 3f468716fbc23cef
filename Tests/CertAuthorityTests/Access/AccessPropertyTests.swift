// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire
import Testing

@testable import CertAuthority

/// Numbers that are the same in each run (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// A policy as a tree of plain values: it can be written as YAML, and read by the plainest of evaluators.
private struct NaivePolicy {
    /// True, false, or nil for what only a login would tell.
    typealias Answer = Bool?

    struct Criterion {
        let yaml: String
        /// Its answer where being true would let somebody in, or elsewhere.
        let answer: @Sendable (AccessRequest, _ isWanted: Bool) -> Answer
    }

    struct Rule {
        var name = ""
        var hosts: [(yaml: String, matches: @Sendable (ManagedHost) -> Bool)] = []
        var logins: [(yaml: String, answer: @Sendable (AccessRequest) -> Answer)] = []
        var allow: [(name: String, criteria: [Criterion])] = []
        var deny: [(name: String, criteria: [Criterion])] = []
        var requiresReason = false
        var requiresApproval = false
        var maximumLifetime: UInt64 = 3_600
    }

    var rules: [Rule] = []

    // Three-valued logic by its truth tables.
    static func every(_ answers: [Answer]) -> Answer {
        answers.contains(false) ? false : answers.contains(nil) ? nil : true
    }
    static func some(_ answers: [Answer]) -> Answer {
        answers.contains(true) ? true : answers.contains(nil) ? nil : false
    }
    static func contrary(_ answer: Answer) -> Answer { answer.map { !$0 } }

    static func block(
        _ groups: [(name: String, criteria: [Criterion])], _ request: AccessRequest, allows: Bool
    ) -> Answer {
        some(
            groups.map { group in
                let isWanted = allows && ["and", "or"].contains(group.name)
                let answers = group.criteria.map { $0.answer(request, isWanted) }
                return switch group.name {
                case "and": every(answers)
                case "or": some(answers)
                case "not": contrary(some(answers))
                default: contrary(every(answers))
                }
            })
    }

    /// Read off the documentation: denials first, then the first rule that gives, approvals, logins.
    func answer(_ request: AccessRequest) -> (AccessTest.Expectation, String?) {
        var denials: [(String, Answer)] = []
        var allowances: [(Rule, Answer)] = []
        for rule in rules where rule.hosts.contains(where: { $0.matches(request.host) }) {
            let account: Answer =
                rule.logins.isEmpty ? true : Self.some(rule.logins.map { $0.answer(request) })
            if !rule.deny.isEmpty {
                denials.append(
                    (rule.name, Self.every([account, Self.block(rule.deny, request, allows: false)])))
            }
            if !rule.allow.isEmpty {
                var allowance = Self.every([account, Self.block(rule.allow, request, allows: true)])
                if allowance == true, request.person == nil { allowance = nil as Answer }
                allowances.append((rule, allowance))
            }
        }
        if let denial = denials.first(where: { $0.1 == true }) { return (.deny, denial.0) }
        let fitting = allowances.filter { rule, answer in
            answer == true && (request.lifetime ?? 1) <= rule.maximumLifetime
                && (!rule.requiresReason || request.reason != nil)
        }
        let possible = allowances.contains { $0.1 == nil }
        if denials.contains(where: { $0.1 == nil }), !fitting.isEmpty || possible { return (.login, nil) }
        if let rule = fitting.first(where: { !$0.0.requiresApproval }) { return (.allow, rule.0.name) }
        if let rule = fitting.first { return (.approval, rule.0.name) }
        return possible ? (.login, nil) : (.deny, nil)
    }

    var yaml: String {
        func block(_ groups: [(name: String, criteria: [Criterion])]) -> String {
            let texts = groups.map {
                "\($0.name): [\($0.criteria.map { "{\($0.yaml)}" }.joined(separator: ", "))]"
            }
            return "{\(texts.joined(separator: ", "))}"
        }
        var lines = ["version: 1", "rules:"]
        for rule in rules {
            lines.append("- name: \(rule.name)")
            lines.append("  hosts: [\(rule.hosts.map { "{\($0.yaml)}" }.joined(separator: ", "))]")
            if !rule.logins.isEmpty {
                lines.append("  logins: [\(rule.logins.map(\.yaml).joined(separator: ", "))]")
            }
            if !rule.allow.isEmpty { lines.append("  allow: \(block(rule.allow))") }
            if !rule.deny.isEmpty { lines.append("  deny: \(block(rule.deny))") }
            guard !rule.allow.isEmpty else { continue }
            lines.append("  requires: {reason: \(rule.requiresReason), approval: \(rule.requiresApproval)}")
            lines.append("  certificate: {principals: ['{login}'], max_lifetime: \(rule.maximumLifetime)}")
        }
        return rules.isEmpty ? "version: 1\n" : lines.joined(separator: "\n") + "\n"
    }
}

extension NaivePolicy {
    private static let criteria: [Criterion] = {
        func ofPerson(_ yaml: String, _ test: @escaping @Sendable (Person) -> Bool) -> Criterion {
            Criterion(yaml: yaml) { request, _ in request.person.map(test) }
        }
        func ofRequest(_ yaml: String, _ test: @escaping @Sendable (AccessRequest) -> Bool) -> Criterion {
            Criterion(yaml: yaml) { request, _ in test(request) }
        }
        return [
            ofPerson("groups: sre") { $0.groups.contains("sre") },
            ofPerson("groups: {is: dev}") { $0.groups == ["dev"] },
            ofPerson("groups: {exclude: dev}") { !$0.groups.contains("dev") },
            ofPerson("email: alice@example.com") { $0.email == "alice@example.com" },
            ofPerson("email: {not: alice@example.com}") { $0.email != "alice@example.com" },
            ofPerson("domain: {in: [example.com]}") { $0.email?.hasSuffix("@example.com") ?? false },
            ofPerson("user: {starts_with: a}") { "\($0.identity)".hasPrefix("a") },
            ofPerson("claim/level: '3'") { $0.claims[["level"]]?.texts.contains("3") ?? false },
            ofPerson("authenticated_user: true") { _ in true },
            ofRequest("ssh_username: {in: [root, deploy]}") { ["root", "deploy"].contains($0.login) },
            ofRequest("ssh_username: {not: root}") { $0.login != "root" },
            ofRequest("host_label/team: infra") { $0.host.labels["team"] == "infra" },
            ofRequest("source_ip: 10.0.0.0/8") { $0.sourceAddress?.bytes.first == 10 },
            ofRequest("key_type: hardware") { $0.key.keyType.isHardwareBacked },
            ofRequest("time_of_day: {after: '08:00', before: '18:00'}") {
                (28_800..<64_800).contains($0.now.seconds % 86_400)
            },
            Criterion(yaml: "authentication_age: {max: 1h}") { request, _ in
                request.person.flatMap {
                    request.now.seconds - $0.authenticatedAt.seconds <= 3_600 ? true : nil
                }
            },
            Criterion(yaml: "provider: corp") { request, isWanted in
                request.person.flatMap { $0.provider == "corp" ? true : isWanted ? nil : false }
            },
            Criterion(yaml: "ssh_username_matches_email: true") { request, _ in
                request.person.map { $0.email?.split(separator: "@").first.map(String.init) == request.login }
            },
        ]
    }()

    private static let hosts: [(yaml: String, matches: @Sendable (ManagedHost) -> Bool)] = [
        ("any: true", { _ in true }), ("id: 'web*'", { $0.id.hasPrefix("web") }),
        ("labels: {team: infra}", { $0.labels["team"] == "infra" }), ("id: db1", { $0.id == "db1" }),
        ("labels: {team: 'in*'}", { $0.labels["team"]?.hasPrefix("in") ?? false }),
        ("id: web1, labels: {team: infra}", { $0.id == "web1" && $0.labels["team"] == "infra" }),
        ("id: '*1', labels: {team: infra}", { $0.id.hasSuffix("1") && $0.labels["team"] == "infra" }),
    ]

    private static let logins: [(yaml: String, answer: @Sendable (AccessRequest) -> Answer)] = [
        ("'*'", { _ in true }), ("deploy", { $0.login == "deploy" }), ("root", { $0.login == "root" }),
        (
            "'{email.local}'",
            { request in
                request.person.map { $0.email?.split(separator: "@").first.map(String.init) == request.login }
            }
        ),
    ]

    init(using numbers: inout SeededNumbers) {
        func pick<Value>(_ values: [Value], atMost count: Int) -> [Value] {
            Array(values.shuffled(using: &numbers).prefix(Int.random(in: 1...count, using: &numbers)))
        }
        func groups() -> [(name: String, criteria: [Criterion])] {
            pick(["and", "or", "not", "nor"], atMost: 2).map { ($0, pick(Self.criteria, atMost: 3)) }
        }
        for index in 0..<Int.random(in: 0...4, using: &numbers) {
            var rule = Rule(name: "r\(index)", hosts: pick(Self.hosts, atMost: 2))
            let kind = Int.random(in: 0..<6, using: &numbers)
            if kind != 0 { rule.allow = groups() }
            if kind < 2 { rule.deny = groups() }
            if kind != 0 || Bool.random(using: &numbers) { rule.logins = pick(Self.logins, atMost: 2) }
            rule.requiresReason = Int.random(in: 0..<4, using: &numbers) == 0
            rule.requiresApproval = Int.random(in: 0..<4, using: &numbers) == 0
            rule.maximumLifetime = Bool.random(using: &numbers) ? 3_600 : 600
            rules.append(rule)
        }
    }

    static func request(using numbers: inout SeededNumbers) throws -> AccessRequest {
        let now = UnixTime(seconds: AccessSample.now.seconds + UInt64.random(in: 0..<86_400, using: &numbers))
        var person: Person?
        if Int.random(in: 0..<4, using: &numbers) > 0 {
            let identity =
                ["alice@example.com", "bob@example.org", "carol"].randomElement(using: &numbers) ?? ""
            person = Person(
                identity: try Identity(identity), provider: Bool.random(using: &numbers) ? "corp" : "github",
                subject: "1",
                email: identity.contains("@") ? identity : nil,
                groups: [[], ["sre"], ["dev"], ["sre", "dev"]].randomElement(using: &numbers) ?? [],
                claims: .mapping(Bool.random(using: &numbers) ? ["level": .number(3)] : [:]),
                authenticatedAt: now.subtractingOrEpoch([60, 7_200].randomElement(using: &numbers) ?? 0))
        }
        let host = ["web1", "db1", "web2"].randomElement(using: &numbers) ?? ""
        return AccessRequest(
            person: person,
            key: try Bool.random(using: &numbers) ? AccessSample.key : AccessSample.hardwareKey,
            login: ["root", "deploy", "alice", "bob"].randomElement(using: &numbers) ?? "",
            host: try ManagedHost(id: host, labels: Bool.random(using: &numbers) ? ["team": "infra"] : [:]),
            sourceAddress: try [nil, IPAddress("10.0.0.1"), IPAddress("192.0.2.1")].randomElement(
                using: &numbers) ?? nil,
            now: now, lifetime: Bool.random(using: &numbers) ? nil : 1_800,
            reason: Bool.random(using: &numbers) ? nil : "ticket")
    }
}

@Suite("An access policy and the plainest evaluator")
struct AccessPropertyTests {
    @Test(arguments: 0..<8 as Range<UInt64>)
    func theyAgreeOnEveryPolicyAndRequest(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        var seen: [AccessTest.Expectation: Int] = [:]
        for _ in 0..<250 {
            let naive = NaivePolicy(using: &numbers)
            let policy = try AccessPolicy(yaml: naive.yaml, name: "policy.yaml")
            for _ in 0..<12 {
                let request = try NaivePolicy.request(using: &numbers)
                let (expected, rule) = naive.answer(request)
                let decision = policy.decide(request)
                seen[expected, default: 0] += 1
                guard decision.verdict.expectation == expected, rule == nil || decision.rule == rule else {
                    Issue.record("\(expected) by \(rule ?? "?"), not \(decision): \(request)\n\(naive.yaml)")
                    return
                }
                let explained = policy.explain(request)
                #expect(explained.decision.verdict == decision.verdict)
                #expect(!explained.decision.reasons.isEmpty)
                #expect(!explained.text.isEmpty)
            }
        }
        // A generator that never comes to an answer says nothing about it.
        for expectation in AccessTest.Expectation.allCases { #expect(seen[expectation, default: 0] > 50) }
    }
}
